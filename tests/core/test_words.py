"""Encoded-words and parameters, read leniently and written strictly."""

from email import message_from_bytes
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.mail import words
from tests.support.narrowing import not_none


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?q?caf=C3=A9_x?=", "café x"),
        (b"Re: =?UTF-8?B?6YeN6KaB?= end", "Re: 重要 end"),
        # The space between two encoded-words goes, that beside other text stays.
        (b"=?utf-8?q?a?=  =?iso-8859-1?q?=E9?= b", "aé b"),
        # A character cut in two: UTF-8, Shift_JIS, EUC-JP, ISO-2022-JP.
        (b"=?utf-8?b?6Yc=?= =?utf-8?b?jeimgQ==?=", "重要"),
        (b"=?utf-8?q?=E9=87?=\t=?UTF-8?q?=8D=E8=A6=81?=", "重要"),
        (b"=?shift_jis?b?j2SXdg==?=", "重要"),
        (b"=?shift_jis?b?j2SX?= =?shift_jis?b?dg==?=", "重要"),
        (b"=?euc-jp?q?=BD=C5=CD?= =?euc-jp?q?=D7?=", "重要"),
        (b"=?ISO-2022-JP?B?GyRCPUVNV0s=?= =?ISO-2022-JP?B?XBsoQg==?=", "重要本"),
        (b"=?ISO-2022-JP?B?GyRCPUVNVxsoQg==?= =?ISO-2022-JP?B?GyRCS1wbKEI=?=", "重要本"),
        (b"=?iso-2022-jp*ja?B?GyRCPUVNVxsoQg==?=", "重要"),
        (b"\x1b$B=EMW\x1b(B", "重要"),
        ("重要".encode(), "重要"),
        (b"caf\xe9", "café"),
        (b"=?x-unknown?q?caf=E9?=", "café"),
        (b"=?idna?q?xn--a?=", "xn--a"),
        (b"=?us-ascii?q?=E9=87=8D?=", "重"),
        (b"=?utf-8?b?!!!?=", ""),
        (b"=?utf-8?b?6YeN6KaB6?=", "重要"),
        (b"=?utf-8?q??=", ""),
        (b"=?utf-8?x?a?=", "=?utf-8?x?a?="),
        (b"=?windows-1252?q?=80?=", "€"),
    ],
)
def test_what_a_mail_program_shows(raw: bytes, text: str) -> None:  # R-POL-04
    assert words.decode(raw) == text


@given(st.binary(max_size=200))
def test_any_octets_give_text(raw: bytes) -> None:
    words.decode(raw)
    words.parameters(raw)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=300))
def test_encoded_words_are_short_and_read_back(text: str) -> None:
    encoded = words.encode(text)
    assert all(len(line.lstrip()) <= 75 for line in encoded.split(b"\r\n"))
    assert words.decode(words.unfold(encoded)) == text
    assert str(make_header(decode_header(encoded.decode().replace("\r\n", "")))) == text


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=300))
def test_parameters_read_back_here_and_elsewhere(value: str) -> None:
    line = "text/plain" + words.parameter("name", value)
    raw = words.unfold(line.encode("ascii"))
    if "=?" not in value:
        assert words.parameters(raw) == {"name": value}
    assert all(len(part) <= 78 for part in line.split("\r\n"))
    other = not_none(message_from_bytes(b"Content-Type: " + line.encode() + b"\r\n\r\n").get_param("name"))
    if not isinstance(other, str):
        other = not_none(other[2]).encode("latin-1", "surrogateescape").decode("utf-8")
    assert other == value


def test_charset_names_are_looked_up_in_a_table_only() -> None:
    assert words.to_text(b"\xe9\x87\x8d", "utf-8") == "重"
    for name in ("../x", "x\x00", "base64", "rot13", "zlib", "punycode", "unicode_escape", "a" * 10_000):
        assert words.to_text(b"\\x41 QQ==", name) == "\\x41 QQ=="
