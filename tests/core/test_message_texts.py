"""The message is no attachment whatever its name, and a file inside a text is one; both sides read the same names."""

import base64
import binascii
import email

import pytest

from tests.support.narrowing import octets
from tests.support.real_mail import BUYER, FOOTER_MARK, Passed, pass_on, stored

_EXE = b"MZ" + bytes(200)
_PDF = b"%PDF-1.4\n" + bytes(100)


def _mail(parts: bytes, kind: str = "mixed") -> bytes:
    head = f"From: <{BUYER}>\r\nSubject: b\r\nMIME-Version: 1.0\r\nContent-Type: multipart/{kind}; boundary=a\r\n\r\n"
    return head.encode() + parts + b"--a--\r\n"


def _part(kind: str, content: bytes = b"<p>hello</p>", more: str = "") -> bytes:
    return f"--a\r\nContent-Type: {kind}\r\n{more}\r\n".encode() + content + b"\r\n"


def _uu(data: bytes, name: str) -> bytes:
    lines = b"".join(binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45)).replace(b"\n", b"\r\n")
    return b"see below\r\n\r\nbegin 644 %s\r\n" % name.encode() + lines + b"`\r\nend\r\n"


def _text(content: bytes, more: str = "") -> Passed:
    return pass_on(f"From: <{BUYER}>\r\nSubject: b\r\nContent-Type: text/plain\r\n{more}\r\n".encode() + content)


@pytest.mark.parametrize("kind", ["text/html", "text/calendar; method=REQUEST", "text/enriched", "text/plain"])
@pytest.mark.parametrize("disposition", ["", "Content-Disposition: inline; filename=body.htm\r\n"])
def test_a_named_member_of_an_alternative_is_the_message(kind: str, disposition: str) -> None:  # R-POL-07
    parts = _part("text/plain", b"hello") + _part(f"{kind}; name=body.ics", b"BEGIN:VCALENDAR", disposition)
    assert pass_on(_mail(parts, "alternative")).codes == set()


@pytest.mark.parametrize("name", ["body.html", "message.htm"])
def test_a_named_first_text_is_the_message_and_has_the_footer(name: str) -> None:  # R-POL-07, R-REW-09
    passed = pass_on(_mail(_part(f"text/html; name={name}") + _part("image/png; name=a.png", b"\x89PNG\r\n\x1a\n")))
    assert passed.codes == set()
    first = email.message_from_bytes(passed.out).get_payload(0)
    assert FOOTER_MARK in str(first)


@pytest.mark.parametrize(
    "parts",
    [
        _part("text/plain", b"hello") + _part("text/html; name=page.html"),
        _part("text/html; name=page.html", more="Content-Disposition: attachment\r\n"),
        _part("text/html; name=page.html", more="Content-Disposition: attachment; filename=page.html\r\n"),
        _part("application/octet-stream; name=setup.exe", _EXE) + _part("text/plain", b"hello"),
        _part("text/html; name=ATT00001.htm", b"<form action=x>", "Content-Disposition: attachment\r\n"),
        _part("text/plain", b"hello") + _part("application/pgp-keys; name=setup.exe", _EXE),
        _part("text/plain", b"hello") + _part("application/pgp-keys; name=key.asc", _EXE),
    ],
)
def test_what_is_not_the_message_is_judged_as_an_attachment(parts: bytes) -> None:  # R-POL-07
    codes = pass_on(_mail(parts)).codes
    assert codes & {"attachment_type", "attachment_disguised"}


@pytest.mark.parametrize("name", ["ATT00001.htm", "ATT00002.txt", "att00001.html"])
def test_a_piece_of_text_that_a_server_named_is_no_attachment(name: str) -> None:  # R-POL-07
    kind = "text/plain" if name.endswith("txt") else "text/html"
    more = f'Content-Disposition: attachment; filename="{name}"\r\n'
    parts = _part("text/plain", b"hello") + _part("application/pdf; name=a.pdf", _PDF) + _part(kind, b"<p>bye", more)
    assert pass_on(_mail(parts)).codes == set()


def test_a_key_follows_its_own_setting() -> None:  # R-REW-06
    passed = pass_on(stored("c20"))
    assert passed.codes == set()
    assert b"BEGIN PGP PUBLIC KEY" not in passed.out
    assert "signature_names_owner" in pass_on(stored("c20"), signatures="return").codes
    kept = pass_on(stored("c20"), signatures="pass", strip_signatures=False)
    assert kept.codes == set()
    assert b"BEGIN PGP PUBLIC KEY" in kept.out


def test_an_encrypted_text_is_no_key() -> None:  # R-REW-06
    passed = pass_on(stored("c29"))
    assert passed.codes == {"attachment_type"}
    assert b"BEGIN PGP MESSAGE" in passed.out


def test_real_mail_with_a_named_body_passes() -> None:
    passed = pass_on(stored("09a"))
    assert passed.verdict.action == "relay"
    assert passed.out.count(FOOTER_MARK.encode()) == 2


@pytest.mark.parametrize("encoding", ["8bit", "base64", "quoted-printable"])
@pytest.mark.parametrize(("name", "data"), [("invoice.exe", _EXE), ("invoice.pdf", _EXE), ("見積書.js", b"x")])
def test_a_uuencoded_file_is_an_attachment(name: str, data: bytes, encoding: str) -> None:  # R-POL-07
    content = _uu(data, name)
    if encoding == "base64":
        content = base64.encodebytes(content).replace(b"\n", b"\r\n")
    elif encoding == "quoted-printable":
        content = content.replace(b"=", b"=3D").replace(b"begin", b"=62egi=\r\nn")
    passed = _text(content, f"Content-Transfer-Encoding: {encoding}\r\n")
    assert passed.codes & {"attachment_type", "attachment_disguised"}


def test_a_uuencoded_file_of_a_listed_type_passes_and_a_stripped_one_leaves_the_text() -> None:  # R-POL-07
    assert _text(_uu(_PDF, "invoice.pdf")).codes == set()
    policy = {"attachments": {"action": "strip"}}
    content = f"From: <{BUYER}>\r\nSubject: b\r\n\r\n".encode() + _uu(_EXE, "invoice.exe")
    out = pass_on(content, policy=policy).out
    assert b"see below" in out
    assert b"[invoice.exe removed]" in out
    assert b"begin 644" not in out


@pytest.mark.parametrize(
    "prose", ["begin 2024 season.exe\nwith a new bowl", "begin 644 words", "begin 100 x.exe\n\nend"]
)
def test_prose_that_begins_like_a_file_is_prose(prose: str) -> None:  # R-POL-07
    assert _text(prose.replace("\n", "\r\n").encode() + b"\r\n").codes == set()


def test_real_mail_with_a_uuencoded_program_is_returned() -> None:
    assert pass_on(stored("03")).codes == {"attachment_type"}


def _sections(name: str, cuts: int) -> str:
    written = base64.b64encode(name.encode()).decode()
    word = f"=?UTF-8?B?{written}?="
    size = -(-len(word) // cuts)
    return ";".join(f'\r\n filename*{n}="{word[n * size : n * size + size]}"' for n in range(cuts))


@pytest.mark.parametrize("cuts", [2, 3, 5])
@pytest.mark.parametrize("name", ["お見積書.js", "setup.bat"])
def test_encoded_words_cut_over_sections_hide_no_type(name: str, cuts: int) -> None:  # R-POL-07
    parts = _part("application/octet-stream", b"x", f"Content-Disposition: attachment;{_sections(name, cuts)}\r\n")
    passed = pass_on(_mail(_part("text/plain", b"hello") + parts))
    assert passed.root.children[1].filename == name
    assert passed.codes & {"attachment_type", "attachment_disguised"}
    assert b"=?UTF-8" not in passed.out


@pytest.mark.parametrize(
    "written",
    [
        "filename*=utf-8''%3D%3Futf-8%3FB%3Fc2V0dXAuYmF0%3F%3D",
        "filename*0*=utf-8''%3D%3Futf-8%3FB%3Fc2V0; filename*1*=dXAuYmF0%3F%3D",
        'filename="=?utf-8?B?c2V0?= =?utf-8?B?dXAuYmF0?="',
    ],
)
def test_each_decoding_is_applied_after_the_other(written: str) -> None:  # R-POL-07
    more = f"Content-Disposition: attachment; {written}\r\n"
    assert "attachment_type" in pass_on(_mail(_part("application/octet-stream", b"x", more))).codes


def test_real_mail_with_a_cut_name_is_scrubbed_and_said_plainly() -> None:  # R-REW-01
    out = email.message_from_bytes(pass_on(stored("02a")).out)
    names = [part.get_filename() for part in out.walk() if part.get_filename()]
    assert names == ["見積 7kq2m5x4tn3wd6pa@market.example 様.txt"]


def test_contact_data_in_windows_31j_is_found() -> None:  # R-POL-08
    assert "contact_data" in pass_on(stored("11a")).codes
    assert octets(email.message_from_bytes(pass_on(stored("11a")).out)).decode("cp932")
