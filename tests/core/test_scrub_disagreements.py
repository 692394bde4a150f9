"""Where programs do not agree on what a message says, none of their readings holds a secret."""

import base64
import email

import pytest

from relay.core.mail import words
from tests.support.leak_reader import found
from tests.support.narrowing import parts
from tests.support.scrubbing import BUYER, BUYER_ALIAS, rewritten, scrubbed

LOCAL, DOMAIN = BUYER.encode().split(b"@")


def test_a_section_of_xml_hides_no_part_of_an_address() -> None:  # R-REW-01, R-REW-04
    content = b"Content-Type: text/xml\r\n\r\n<to>" + LOCAL + b"<![CDATA[@]]>" + DOMAIN + b"</to>\r\n"
    out = scrubbed(content)
    assert DOMAIN not in out
    assert b"<to>" + BUYER_ALIAS.encode() in out


@pytest.mark.parametrize("sign", [";base64,", "; base64 ,", ";BASE64,", ";Base64\r\n,"])
def test_a_data_url_is_opened_however_it_is_spelt(sign: str) -> None:  # R-REW-01
    data = base64.b64encode(f"I am {BUYER}.".encode()).decode()
    content = f'Content-Type: text/html\r\n\r\n<img src="data:text/plain{sign}{data}">\r\n'.encode()
    assert data.encode() not in scrubbed(content)
    assert base64.b64encode(f"I am {BUYER_ALIAS}.".encode()) in scrubbed(content)


def test_pages_that_only_some_programs_show_are_read_as_pages() -> None:  # R-REW-01
    content = b"Content-Type: text/x-amp-html\r\n\r\n<p>" + LOCAL + b"@<wbr>" + DOMAIN + b"</p>\r\n"
    assert DOMAIN not in scrubbed(content)


def _mixed(parameters: bytes, encoding: bytes = b"base64") -> bytes:
    return (
        b"Content-Type: multipart/mixed; boundary=out\r\n\r\n--out\r\nContent-Type: multipart/mixed; %b\r\n\r\n"
        b"--in\r\nContent-Transfer-Encoding: %b\r\n\r\n%b\r\n--in--\r\n--out--\r\n"
    ) % (parameters, encoding, base64.b64encode(BUYER.encode()))


@pytest.mark.parametrize(
    "parameters",
    [
        b"boundary=in; boundary*0=other",
        b"boundary=in; boundary*=us-ascii''other",
        b"boundary=other; boundary=in",
        b"(boundary=other;) boundary=in",
    ],
)
def test_of_two_boundaries_all_programs_read_the_one_that_was_read_here(parameters: bytes) -> None:  # R-REW-01
    content = _mixed(parameters)
    assert not found(scrubbed(content), [BUYER])
    assert [change.why for change in rewritten(content).changes] == ["mail programs do not agree on how to read it"]
    whole = content.replace(b"boundary=out", parameters).replace(b"--out", b"--other")
    assert not found(scrubbed(whole), [BUYER])


@pytest.mark.parametrize("encoding", [b'"base64"', b"base64, 8bit", b"(a (b)) base64"])
def test_a_transfer_encoding_is_said_as_it_was_read(encoding: bytes) -> None:  # R-REW-01
    out = scrubbed(_mixed(b"boundary=in", encoding))
    assert b"Content-Transfer-Encoding: base64\r\n" in out
    assert not found(out, [BUYER])


def test_a_boundary_is_never_said_in_sections() -> None:  # R-REW-10
    assert words.parameter("boundary", "b" * 70) == f";\r\n boundary={'b' * 70}"


def test_text_around_the_parts_that_speaks_of_the_boundary_is_no_boundary_line() -> None:  # R-REW-04
    content = (
        b"Content-Type: multipart/mixed; boundary=1.pc.example\r\n\r\nnot --1.pc.example\r\n"
        b"--1.pc.example\r\n\r\none\r\n--1.pc.example\r\n\r\ntwo\r\n--1.pc.example--\r\nnor --1.pc.example\r\n"
    )
    found_parts = parts(email.message_from_bytes(scrubbed(content)))
    assert [part.get_payload() for part in found_parts] == ["one", "two"]


def test_a_message_that_is_encoded_anew_still_ends_in_a_line_end() -> None:  # R-REW-10
    content = b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(BUYER.encode()).replace(b"\n", b"\r\n")
    out = scrubbed(content)
    assert not found(out, [BUYER])
    assert out.endswith(b"\r\n")


@pytest.mark.parametrize(
    ("charset", "codec"),
    [
        ("csUnicode11UTF7", "utf-7"),
        ("x-unicode-2-0-utf-7", "utf-7"),
        ("IBM01140", "cp1140"),
        ("IBM1047", "cp037"),
        ("cp875", "cp875"),
        ("utf-32", "utf-16"),
        ("utf-8", "utf-32"),
    ],
)
def test_a_charset_is_read_by_all_its_names(charset: str, codec: str) -> None:  # R-REW-04
    words_sent = f"Write to {BUYER} soon, please.\r\n"
    octets = words_sent.replace("@", "+AEA-").encode() if codec == "utf-7" else words_sent.encode(codec)
    head = f"Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    out = email.message_from_bytes(scrubbed(head.encode() + base64.encodebytes(octets).replace(b"\n", b"\r\n")))
    body = out.get_payload(decode=True)
    assert isinstance(body, bytes)
    read = body.decode("utf-32-le" if body.endswith(b"\n\0\0\0") else codec)
    assert read.lstrip("\ufeff") == words_sent.replace(BUYER, BUYER_ALIAS)


@pytest.mark.parametrize("codec", ["utf-32-le", "utf-32-be"])
def test_a_file_of_wide_characters_is_a_text(codec: str) -> None:  # R-REW-04
    head = b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    out = scrubbed(head + base64.encodebytes(f"I am {BUYER}.".encode(codec)).replace(b"\n", b"\r\n"))
    body = email.message_from_bytes(out).get_payload(decode=True)
    assert isinstance(body, bytes)
    assert body.decode(codec) == f"I am {BUYER_ALIAS}."


@pytest.mark.parametrize("spelling", [r"\x{40}", r"\u64?", r"\u64 ", r"\u64\'3f"])
def test_escapes_of_reports_and_of_rich_text_hide_no_at_sign(spelling: str) -> None:  # R-REW-04
    content = b"Content-Type: text/rtf\r\n\r\n" + LOCAL + spelling.encode() + DOMAIN + b" bye\r\n"
    assert scrubbed(content).endswith(f"\r\n\r\n{BUYER_ALIAS} bye\r\n".encode())


def test_a_message_in_many_wrappings_is_unwrapped() -> None:  # R-REW-01
    content = f"Subject: x\r\n\r\n{BUYER}\r\n".encode()
    for _ in range(8):
        wrapped = base64.encodebytes(content).replace(b"\n", b"\r\n")
        content = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" + wrapped
    out = scrubbed(content)
    for _ in range(8):
        out = base64.b64decode(out.split(b"\r\n\r\n", 1)[1])
    assert out.endswith(f"\r\n\r\n{BUYER_ALIAS}\r\n".encode())


def test_a_disposition_that_nobody_knows_is_an_attachment() -> None:  # R-REW-01
    part = f"Content-Disposition: {BUYER}; filename=x\r\n\r\nHi\r\n".encode()
    out = scrubbed(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + part + b"--b--\r\n")
    assert not found(out, [BUYER])
    assert b"Content-Disposition: attachment;\r\n filename=x\r\n" in out


def test_a_part_of_a_message_is_a_message() -> None:  # R-REW-04
    head = b"Content-Type: message/partial; number=1; total=1; id=x\r\n\r\n"
    inside = b"Subject: x\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(BUYER.encode())
    assert base64.b64encode(BUYER_ALIAS.encode()) in scrubbed(head + inside)


@pytest.mark.parametrize("kind", ["global-delivery-status", "tracking-status"])
def test_reports_of_every_kind_name_no_machine(kind: str) -> None:  # R-REW-01
    out = scrubbed(f"Content-Type: message/{kind}\r\n\r\nReporting-MTA: dns; desk.home.example\r\n".encode())
    assert b"desk.home" not in out


@pytest.mark.parametrize(
    "page",
    [
        "<td>foo</td><td>{name}@<b>{domain}</b></td><td>bar</td>",
        "<p>Mail</p><p>{name}@<wbr>{domain}</p><p>bar</p>foo",
        "foo<br>{name}<i>@</i>{domain}<br/>bar",
        "<svg><tspan>foo</tspan><text>{name}@<a>{domain}</a></text></svg>",
        "<li>foo<li><span hidden>x</span>{name}@<b>{domain}</b></ul>bar",
    ],
)
def test_what_touches_an_address_in_another_block_is_no_part_of_it(page: str) -> None:  # R-REW-01, R-REW-04
    shown = page.format(name=LOCAL.decode(), domain=DOMAIN.decode())
    out = scrubbed(f"Content-Type: text/html\r\n\r\n{shown}\r\n".encode())
    assert DOMAIN not in out
    assert BUYER_ALIAS.encode() in out
    assert b"foo" in out


def test_a_picture_whose_id_is_an_address_is_found_by_its_page() -> None:  # R-REW-01, R-REW-04
    content = (
        b"Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n"
        b'<img src="cid:%b">\r\n--b\r\nContent-Type: image/png\r\nContent-ID: <%b>\r\n\r\n\0\r\n--b--\r\n'
    ) % (BUYER.encode(), BUYER.encode())
    page, picture = parts(email.message_from_bytes(scrubbed(content)))
    assert picture["Content-ID"].strip("<>") in str(page.get_payload())
    assert not found(scrubbed(content), [BUYER])
