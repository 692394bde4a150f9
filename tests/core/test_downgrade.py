"""A downgraded message reads as the one that it was made from, in ASCII."""

from email import message_from_bytes, policy
from email.headerregistry import AddressHeader
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.mail.mime import MimeLimits, split
from relay.core.rewrite.downgrade import downgraded
from tests.support.narrowing import octets

_TEXT = "Größe: 10 cm, 絵 😀.\r\n.\r\nFrom here = the end \r\n"
_HEADER = "Subject: plain\r\nMIME-Version: 1.0\r\n"


def _read(content: bytes) -> EmailMessage:
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def _texts(content: bytes) -> list[bytes]:
    return [
        octets(part)
        for part in message_from_bytes(content).walk()
        if not part.is_multipart() and part.get_content_type() != "message/global"
    ]


def _seven(text: str) -> bytes:
    found = downgraded(text.encode(), eight_bit=False)
    assert found.isascii()
    assert max(map(len, found.split(b"\r\n"))) <= 998
    return found


def test_what_is_ascii_is_the_same_object() -> None:
    content = (_HEADER + "\r\nplain\r\n").encode()
    assert downgraded(content, eight_bit=False) is content


def test_bodies_stay_where_the_hop_takes_8_bit() -> None:  # R-REW-11
    content = (_HEADER + "Content-Type: text/plain; charset=utf-8\r\n\r\n" + _TEXT).encode()
    assert downgraded(content, eight_bit=True) is content


@pytest.mark.parametrize(
    ("kind", "encoding", "expected"),
    [
        ("text/plain; charset=utf-8", "8bit", "quoted-printable"),
        ("text/plain; charset=utf-8", "binary", "quoted-printable"),
        ("text/html; charset=utf-8", "", "quoted-printable"),
        ("application/json", "8bit", "base64"),
        ("text/plain; charset=utf-8", "quoted-printable", "quoted-printable"),
    ],
)
def test_a_text_in_8_bit_is_encoded_and_says_so(kind: str, encoding: str, expected: str) -> None:  # R-REW-10 R-REW-11
    declared = f"Content-Transfer-Encoding: {encoding}\r\n" if encoding else ""
    text = _TEXT.replace("=", "") if encoding == "quoted-printable" else _TEXT
    content = f"{_HEADER}Content-Type: {kind}\r\n{declared}\r\n{text}"
    found = _seven(content)
    message = _read(found)
    assert message.get_all("Content-Transfer-Encoding") == [expected]
    assert _texts(found) == [text.encode()]
    assert message["Subject"] == "plain"


def test_mostly_foreign_text_is_base64() -> None:
    found = _seven(_HEADER + "Content-Type: text/plain; charset=utf-8\r\n\r\n" + "日本語だけ\r\n" * 9)
    assert _read(found)["Content-Transfer-Encoding"] == "base64"
    assert _texts(found) == ["日本語だけ\r\n".encode() * 9]


def test_only_the_parts_that_need_it_change() -> None:  # R-REW-04
    attachment = "Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n"
    content = (
        _HEADER + "Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\nvorwärts\r\n"
        f"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{_TEXT}\r\n"
        f"--b\r\n{attachment}--b--\r\nrückwärts\r\n"
    )
    found = _seven(content)
    assert attachment.encode() in found
    assert _read(found)["Content-Transfer-Encoding"] == "7bit"
    assert _texts(found) == [_TEXT.encode(), b"\x89PNG\r\n\x1a\n"]


def test_a_part_without_a_header_gets_one() -> None:
    found = _seven(_HEADER + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nGröße\r\n--b--\r\n")
    assert _texts(found) == ["Größe".encode()]


def test_raw_octets_in_part_headers_become_encoded_words_and_sections() -> None:  # R-REW-10 R-REW-11
    content = (
        _HEADER + "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        '--b\r\nContent-Type: application/pdf; name="請求書.pdf"\r\nContent-Description: 今月の "請求" です\r\n'
        'Content-Disposition: attachment; filename="請求書.pdf"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
        "JVBERi0=\r\n--b--\r\n"
    ).encode()
    found = downgraded(content, eight_bit=True)
    assert found.isascii()
    (part,) = _read(found).iter_parts()
    assert part.get_filename() == "請求書.pdf"
    assert part["Content-Description"] == '今月の "請求" です'
    assert split(found, MimeLimits()).children[0].params["name"] == "請求書.pdf"
    assert part.get_content_disposition() == "attachment"


def test_a_nested_international_message_becomes_an_ordinary_one() -> None:  # R-REW-11, RFC 6532 §3.7
    inner = (
        'From: "山田, 花子" <hanako@例え.jp>, Shop 山田 (担当 者) <shop@x.example>\r\nTo: 花子@x.example\r\n'
        "Subject: 注文の件\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nこんにちは\r\n"
    )
    content = (
        _HEADER + "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        f"--b\r\nContent-Type: message/global\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{inner}\r\n--b--\r\n"
    )
    found = _seven(content)
    (part,) = _read(found).iter_parts()
    assert part.get_content_type() == "message/rfc822"
    nested = part.get_content()
    field = nested["From"]
    assert isinstance(field, AddressHeader)
    assert [(one.display_name, one.addr_spec) for one in field.addresses] == [
        ("山田, 花子", "hanako@xn--r8jz45g.jp"),
        ("Shop 山田", "shop@x.example"),
    ]
    assert nested["Subject"] == "注文の件"
    assert nested.get_content().strip() == "こんにちは"


_FIELDS = st.lists(
    st.sampled_from(
        [
            b"Subject: \xe9\x87\x8d\r\n", b"From: \xff <a@\xe4.example>\r\n", b'To: "\xe9\\\xe9 <x@y>\r\n', b"\xff\r\n",
            b"Content-Type: text/plain; charset=\xe9\r\n", b"Content-Type: multipart/mixed; boundary=b\r\n",
            b"Content-Type: message/rfc822\r\n", b"Content-Type: message/global; x=\xe9\r\n", b"Cc: a\xe9 b \xe9 <c@d>\r\n",
            b"Content-Transfer-Encoding: 8bit\r\n", b"Content-Transfer-Encoding: base64\r\n", b"X: a\r\n \xe9\r\n\tb\r\n",
            b"Content-Disposition: \xe9; filename=\xe9\r\n", b"Content-Transfer-Encoding: quoted-printable\r\n",
        ]
    ),
    max_size=4,
).map(b"".join)  # fmt: skip
_BODY = st.lists(
    st.sampled_from([b"\xe9", b"a", b"\r\n", b"--b\r\n", b"\r\n--b--", b"=", b" ", b"\0", b"\r\n\r\n"])
).map(b"".join)
_PIECES = st.lists(st.tuples(_FIELDS, _BODY), min_size=1, max_size=4)


@settings(max_examples=400, deadline=None)
@given(_PIECES, st.booleans())
def test_any_message_comes_out_readable_and_fit(pieces: list[tuple[bytes, bytes]], eight_bit: bool) -> None:
    content = b"--b\r\n".join(fields + b"\r\n" + body + b"\r\n" for fields, body in pieces)
    found = downgraded(content, eight_bit=eight_bit)
    assert found.isascii() or eight_bit
    root = split(found, MimeLimits())
    for part in root.walk():
        assert found[part.header_start : part.body_start].isascii()
    assert downgraded(found, eight_bit=eight_bit) is found
