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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2.1.5 Ok: queued as 4F2C", "2.1.5 Ok: queued as 4F2C"),
        ("user unknown at mx7.yamada.example (203.0.113.9)", "user unknown at [host] ([host])"),
        ("host mx7.yamada.example[2001:db8::25] said no", "host [host][[host]] said no"),
        ("no route to <mx7.yamada.example>", "no route to <[host]>"),
        ("see https://help.yamada.example/users/hanako", "see [host]"),
        ("see https://support.google.com/mail/?p=NoSuchUser", "see https://support.google.com/mail/?p=NoSuchUser"),
        ("Hostname=TYCP2.JPNP2.PROD.OUTLOOK.COM", "Hostname=TYCP2.JPNP2.PROD.OUTLOOK.COM"),
        ("https://gmail.com.yamada.example:25/x", "[host]"),
        ("at yamada-example.mail.protection.outlook.com.", "at [host]."),
        ("[YAMADA-EXAMPLE.mail.protection.OUTLOOK.com 2026]", "[[host] 2026]"),
        ("see https://support.google.com/a/yamada.example/answer", "see [host]"),
        ("see https://support.google.com/mail/?p=x&d=mx.yamada.example", "see [host]"),
        ("d2e1a72fcca58-7e3-123si.45 - gsmtp", "d2e1a72fcca58-7e3-123si.45 - gsmtp"),
    ],
)
def test_of_hosts_only_those_of_providers_stay(text: str, expected: str) -> None:  # R-REC-04
    assert redact.without_hosts(text) == expected


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


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("sato@pottery.example", "s…o@pottery.example"),
        ("eva@pottery.example", "e…@pottery.example"),
        ("a@pottery.example", "a…@pottery.example"),
        ('"a@b c"@pottery.example', '"…"@pottery.example'),
        ("@pottery.example", "@pottery.example"),
    ],
)
def test_a_masked_address_keeps_its_domain_and_at_most_two_letters(address: str, shown: str) -> None:
    assert redact.masked(address) == shown
