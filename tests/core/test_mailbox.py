"""One mailbox beyond doubt, or a refusal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.mail import mailbox
from relay.core.mail.mailbox import MailboxError


@pytest.mark.parametrize(
    ("value", "name", "address"),
    [
        ("alice@example.net", "", "alice@example.net"),
        ("<alice@example.net>", "", "alice@example.net"),
        ("< alice@example.net >", "", "alice@example.net"),
        ("Alice Buyer <Alice@Example.NET>", "Alice Buyer", "alice@example.net"),
        ('"Buyer, Alice" <a@x.example>', "Buyer, Alice", "a@x.example"),
        (r'"A \"B\" C" <a@x.example>', 'A "B" C', "a@x.example"),
        ('"A"<a@x.example>', "A", "a@x.example"),
        ("John Q. Public <j@x.example>", "John Q. Public", "j@x.example"),
        ("a@x.example (Alice)", "", "a@x.example"),
        ("(c) Alice (n (e) s\\)t) <a@x.example> (d)", "Alice", "a@x.example"),
        ("=?utf-8?b?55Sw5Lit?= =?utf-8?b?5aSq6YOO?= <t@x.example>", "田中太郎", "t@x.example"),
        ("=?iso-2022-jp?B?GyRCRURDZhsoQg==?= <t@x.example>", "田中", "t@x.example"),
        ('"=?utf-8?q?caf=C3=A9?=" <t@x.example>', "café", "t@x.example"),
        ("=?utf-8?Q?Foo,_Bar_(x)?= <t@x.example>", "Foo, Bar (x)", "t@x.example"),
        ("田中 <t@x.example>", "田中", "t@x.example"),
        ('"田中@営業部" <t@x.example>', "田中@営業部", "t@x.example"),
        ('"t@x.example" <T@x.example>', "t@x.example", "t@x.example"),
        # Odd local parts of Japanese carriers (R-ADR-03), quoted or not.
        ("a..b@docomo.ne.jp", "", "a..b@docomo.ne.jp"),
        ("x <a.@ezweb.ne.jp>", "x", "a.@ezweb.ne.jp"),
        ('"a..b"@docomo.ne.jp', "", "a..b@docomo.ne.jp"),
        ("用户@例え.jp", "", "用户@xn--r8jz45g.jp"),
        ("o'neil+tag@x.example", "", "o'neil+tag@x.example"),
    ],
)
def test_plain_mailboxes(value: str, name: str, address: str) -> None:
    assert mailbox.read(value.encode()) == (name, address)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Alice",
        "<>",
        "a@x.example <b@y.example>",
        '"a@x.example" <b@y.example>',
        "\"'a@x.example'\" <b@y.example>",
        "=?utf-8?q?a=40x.example?= <b@y.example>",
        "=?utf-8?q?a?=@x.example <b@y.example>",
        "alice@a)bob@b",
        "alice@a.example, bob@b.example",
        "Alice <a@a.example>, bob@b.example",
        "Alice <a@a.example> bob@b.example",
        "<a@a.example><b@b.example>",
        "friends: a@a.example, b@b.example;",
        "Undisclosed recipients:;",
        "<@route.example:a@x.example>",
        "a(c)@x.example",
        "a @x.example",
        "a@ x.example",
        "a@(c)x.example",
        "<a@x.example",
        "a@x.example>",
        "Alice <<a@x.example>>",
        '"Alice <a@x.example>',
        "(Alice <a@x.example>",
        "Alice) <a@x.example>",
        "(" * 20 + ")" * 20 + " a@x.example",
        "a@b@x.example",
        "a@x.example@y.example",
        "a@[192.0.2.1]",
        "a@x..example",
        "a@-x.example",
        "a@x.example.",
        "Alice\x00 <a@x.example>",
        "Alice\r <a@x.example>",
        "Alice\n<b@y.example> <a@x.example>",
        "x\x1b$B <a@x.example>",
        "a\\@x.example",
        "=?utf-8?q?x<b@y.example>?= <a@x.example>",
        "a" * 5_000 + "@x.example",
        "x" * 65 + "@x.example",
    ],
)
def test_what_two_readers_could_take_for_two_people_is_refused(value: str) -> None:
    with pytest.raises(MailboxError) as caught:
        mailbox.read(value.encode())
    assert "example" not in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"caf\xe9 <a@x.example>", "café"),
        ('"Hänako Y." <a@x.example>'.encode("latin-1"), "Hänako Y."),
        ("田中 <a@x.example>".encode("shift_jis"), "田中"),
        ("代表 <a@x.example>".encode("shift_jis"), "代表"),
        ("山田花子 <a@x.example>".encode("iso-2022-jp"), "山田花子"),
        ("a@x.example (Jörg)".encode("latin-1"), ""),
        (b"a@x.example <a@x.example>", "a@x.example"),
        (b"A@X.example <a@x.example>", "A@X.example"),
        (b"a@x.example (c) <a@x.example> (d)", "a@x.example"),
    ],
)
def test_the_address_decides_whatever_the_name_is_written_in(raw: bytes, name: str) -> None:
    assert mailbox.read(raw) == (name, "a@x.example")


def test_a_name_is_read_in_the_charset_of_the_text() -> None:
    raw = "Ольга <a@x.example>".encode("koi8-r")
    assert mailbox.read(raw, "koi8-r") == ("Ольга", "a@x.example")
    assert mailbox.read(raw).address == "a@x.example"


@pytest.mark.parametrize(
    "raw",
    [
        b"caf\xe9 <a@x.example>, <b@x.example>",
        b"caf\xe9 b@x.example <a@x.example>",
        b"caf\xe9@x.example",
        b"\x1b$B <b@x.example> \x1b(B <a@x.example>",
        b"\x1b$B;3ED <a@x.example>",
        b"a@x.example <a@x.example> <a@x.example>",
        b"a@x.example <b@x.example>",
        b"a@x.example, a@x.example",
    ],
)
def test_octets_of_another_charset_hide_no_second_address(raw: bytes) -> None:
    with pytest.raises(MailboxError):
        mailbox.read(raw)


@given(st.text('ab.@<>()",;:\\ \t=?é[]', max_size=40).map(str.encode) | st.binary(max_size=60))
def test_any_octets_are_a_mailbox_or_an_error(raw: bytes) -> None:
    try:
        found = mailbox.read(raw)
    except MailboxError:
        return
    assert found.address.count("@") >= 1
    assert "<" not in found.address


@pytest.mark.parametrize(
    "value", ["(" * 4_000, '"' + "\\" * 4_000, "a " * 2_000, "=?" * 2_000, "(\\" * 2_000, "a." * 2_000]
)
@pytest.mark.timeout(2)
def test_hostile_values_are_refused_quickly(value: str) -> None:
    with pytest.raises(MailboxError):
        mailbox.read(value.encode())
