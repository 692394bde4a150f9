"""Addresses: the strict grammar of the edge and the folded form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.mail.address import AddressError, fold, fold_domain, split


@pytest.mark.parametrize(
    "address",
    [
        "a@b.example",
        "first.last+tag@sub.b.example",
        "a..b@docomo.ne.jp",
        "a.@ezweb.ne.jp",
        ".a-@docomo.ne.jp",
        '"odd name"@b.example',
        "花子@例え.jp",
        "a@xn--r8jz45g.jp",
    ],
)
def test_addresses_that_people_have_are_taken(address: str) -> None:  # R-ADR-03, R-REW-11
    local, domain = split(address)
    assert f"{local}@{domain}" == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a",
        "@b.example",
        "a@",
        "a@b@c.example",
        "a b@c.example",
        "a\x00@c.example",
        "a\t@c.example",
        "a@c.example\r\n",
        "<a@c.example",
        "a@[192.0.2.1]",
        "a@-b.example",
        "a@b..example",
        '"a@b.example',
        "x" * 65 + "@b.example",
        "a@" + "b." * 130 + "example",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(AddressError):
        split(address)


def test_the_refusal_does_not_repeat_the_address() -> None:
    with pytest.raises(AddressError) as caught:
        split("secret person@nowhere")
    assert "secret" not in str(caught.value)


def test_folding_takes_case_and_names_of_other_scripts_away() -> None:
    assert fold("Alice.Buyer@Example.NET") == "alice.buyer@example.net"
    assert fold("a@例え.JP") == fold("a@xn--r8jz45g.jp")
    assert fold_domain("Example.NET.") == "example.net"


@given(st.text(max_size=200))
def test_no_text_raises_anything_but_address_error(text: str) -> None:
    try:
        folded = fold(text)
    except AddressError:
        return
    assert fold(folded) == folded


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ('"Ha..na"@x.example', "ha..na@x.example"),
        ('"hanako."@x.example', "hanako.@x.example"),
        ('"h\\a"@x.example', "ha@x.example"),
        ('"花子"@x.example', "花子@x.example"),
        ('"a b"@x.example', '"a b"@x.example'),
        ('"a\\"b"@x.example', '"a\\"b"@x.example'),
        ('""@x.example', '""@x.example'),
    ],
)
def test_quotes_count_only_where_they_are_needed(written: str, folded: str) -> None:
    # R-ADR-03
    assert fold(written) == folded
    assert fold(folded) == folded


def test_no_letter_beyond_ascii_is_taken_for_one_of_it() -> None:  # R-IN-09, R-REW-11
    assert fold("\u212aate@shop.example") == "\u212aate@shop.example"
    assert fold("\u00c9mile.K@shop.example") == "\u00e9mile.k@shop.example"
