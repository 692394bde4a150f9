"""Texts lose what must not be kept or shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core import redact


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("user unknown", "user unknown"),
        ("<bob@shop.example>: User unknown", "<[address]>: User unknown"),
        ("<ann@else.example>: User unknown", "[address] User unknown"),
        ("unknown bob", "unknown [address]"),
        ("BOB is not Bobby", "[address] is not Bobby"),
        ("no bob here, ask shop.example", "no [address] here, ask [address]"),
        ("other@else.example said so", "[address] said so"),
        ('"john smith"@else.example is away', "[address] is away"),
        ("see http://x.example/?u=bob%40shop.example", "see [address]"),
        ("for bob=shop.example@srs.example", "for [address]"),
        ("bob＠shop.example", "[address]"),
        ("line\r\nbreak\0and\x1b[31m bell\x07", "line break?and?[31m bell?"),
        ("利用者不明 x", "????? x"),
        ("", ""),
    ],
)
def test_no_address_stays_in_a_remote_text(text: str, expected: str) -> None:
    # R-OUT-03, R-OUT-05
    assert redact.answer(text, ["bob@shop.example"]) == expected


@given(st.text(), st.lists(st.emails(), max_size=3))
def test_redacted_text_is_one_short_printable_line_without_an_at_sign(text: str, addresses: list[str]) -> None:
    # R-OUT-03
    redacted = redact.answer(" ".join([text, *addresses, text]), addresses)
    assert "@" not in redacted
    assert len(redacted) <= 500
    assert redacted.isascii()
    assert redacted.isprintable()


@given(st.emails())
def test_given_addresses_go_whole_and_in_parts(address: str) -> None:
    # R-REW-01, R-OUT-03
    local, _, domain = address.rpartition("@")
    redacted = redact.answer(f"a {address} b {local} c {domain} d", [address]).lower()
    assert domain.lower() not in redacted.split()
    assert len(local) == 1 or local.lower() not in redacted.split()


def test_a_long_text_is_cut_and_an_address_at_the_cut_is_gone() -> None:
    # R-OUT-03
    for size in range(1_980, 2_001):
        assert "bo" not in redact.answer("x" * size + " bobby@shop.example", ["bobby@shop.example"], limit=3_000)
    assert redact.answer("x " * 10_000, limit=99) == "x " * 49 + "x"
