"""A header with lines that are no fields is read in one way, and leaves so that all mail programs read it alike."""

import base64
import email
from email.message import Message

import pytest

from relay.core.mail import mime
from relay.core.mail.mime import MimeError, MimeLimits
from tests.support.narrowing import octets, parts
from tests.support.real_mail import BUYER, BUYER_ALIAS, pass_on, stored

_HEAD = b"From: Hanako <%s>\r\nSubject: b\r\nMIME-Version: 1.0\r\n" % BUYER.encode()
_SECRET = base64.b64encode(b"please write to " + BUYER.encode())


def _multipart(part: bytes) -> bytes:
    return _HEAD + b"Content-Type: multipart/mixed; boundary=sep\r\n\r\n--sep\r\n" + part + b"\r\n--sep--\r\n"


def _leaves(content: bytes) -> list[Message]:
    return [part for part in email.message_from_bytes(content).walk() if not part.is_multipart()]


def _text(part: Message) -> str:
    return octets(part).decode()


STRAY = [
    b"words that are no field",
    b" folded rest",
    b"\tfolded rest",
    b">From somebody@example.com Mon Nov 23",
    b"From somebody@example.com Mon Nov 23",
    b": x",
    b"<!-- begin -->",
    b"\xe9: x",
    b"two words: x",
    b"stray\r\n and its fold",
    b"first\r\nsecond",
    b"X-Mailer: Example\r\nstray",
]


@pytest.mark.parametrize("stray", STRAY)
def test_a_stray_line_before_the_fields_of_a_part_is_left_out(stray: bytes) -> None:  # R-REW-01
    header = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    passed = pass_on(_multipart(stray + b"\r\n" + header + _SECRET))
    (leaf,) = _leaves(passed.out)
    assert _text(leaf).startswith(f"please write to {BUYER_ALIAS}")
    assert stray not in passed.out
    assert ("header rewritten", "1", "not a field") in {(c.what, c.where, c.why) for c in passed.rewritten.changes}


@pytest.mark.parametrize("stray", STRAY)
def test_a_stray_line_among_the_fields_of_a_part_hides_no_attachment(stray: bytes) -> None:  # R-POL-07
    fields = b"Content-Type: application/octet-stream\r\n%s\r\nContent-Disposition: attachment; filename=setup.exe"
    passed = pass_on(_multipart(fields % stray.removeprefix(b" ").removeprefix(b"\t") + b"\r\n\r\nMZ"))
    assert "attachment_type" in passed.codes
    assert _leaves(passed.out)[0].get_filename() == "setup.exe"


@pytest.mark.parametrize("stray", STRAY)
def test_a_stray_line_in_an_attached_message_or_the_mail_itself(stray: bytes) -> None:  # R-REW-01
    inner = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" + _SECRET
    attached = pass_on(_multipart(b"Content-Type: message/rfc822\r\n\r\n" + stray + b"\r\n" + inner))
    assert _text(_leaves(attached.out)[0]).startswith(f"please write to {BUYER_ALIAS}")
    whole = pass_on(stray + b"\r\n" + _HEAD + inner)
    assert _text(_leaves(whole.out)[0]).startswith(f"please write to {BUYER_ALIAS}")
    assert {(c.what, c.where) for c in whole.rewritten.changes} >= {("header dropped", "")}


def test_a_stray_line_in_an_encoded_message_is_left_out() -> None:  # R-REW-01
    inner = b"stray\r\nFrom: x <x@y.example>\r\nContent-Transfer-Encoding: base64\r\n\r\n" + _SECRET
    part = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(inner)
    (wrapped,) = parts(email.message_from_bytes(pass_on(_multipart(part), footer=False).out))
    message = email.message_from_bytes(base64.b64decode(parts(wrapped)[0].as_bytes()))
    assert (message["From"], _text(message)) == ("x <x@y.example>", f"please write to {BUYER_ALIAS}")


def test_a_signed_part_loses_its_stray_line_and_the_change_is_listed() -> None:  # R-REW-08
    part = (
        b"stray\r\nContent-Type: text/plain\r\n\r\nhello\r\n--sig\r\nContent-Type: application/pgp-signature\r\n\r\nx"
    )
    content = b"Content-Type: multipart/signed; boundary=sig\r\n\r\n--sig\r\n" + part + b"\r\n--sig--\r\n"
    passed = pass_on(_HEAD + content)
    assert b"stray" not in passed.out
    assert "signature no longer valid" in {change.what for change in passed.rewritten.changes}


@pytest.mark.parametrize("text", [b"text at once\r\n\r\nmore", b"a line\r\nNote: more\r\n\r\nrest", b"only one line"])
@pytest.mark.parametrize("kind", [b"", b"Content-Type: message/rfc822\r\n\r\n"])
def test_a_part_that_begins_with_text_loses_none_of_it(text: bytes, kind: bytes) -> None:  # R-REW-04
    passed = pass_on(_multipart(kind + text), footer=False)
    (leaf,) = _leaves(passed.out)
    assert octets(leaf) == text
    assert not leaf.defects


@pytest.mark.parametrize("gap", [b" \r\n", b"\t\r\n", b" \r\n \t\r\n", b""])
@pytest.mark.parametrize("text", [b"Hello there,\r\n\r\nbye", b"Hello there,\r\nNote: hot\r\n\r\nbye", b"Hello"])
def test_text_after_a_header_without_an_empty_line_is_kept(gap: bytes, text: bytes) -> None:  # R-REW-04
    part = b"Content-Type: text/plain; charset=utf-8\r\n" + gap + text
    (leaf,) = _leaves(pass_on(_multipart(part), footer=False).out)
    assert (octets(leaf), leaf["Content-Type"]) == (text, "text/plain; charset=utf-8")
    whole = pass_on(_HEAD + part, footer=False)
    assert octets(_leaves(whole.out)[0]) == text
    assert mime.body_start(_HEAD + part) == whole.root.body_start


@pytest.mark.parametrize("gap", [b" \r\n", b"", b"for old programs\r\n", b"For: old\r\nprograms\r\n"])
def test_a_boundary_line_is_never_in_the_header(gap: bytes) -> None:  # R-REW-01
    body = b"--sep\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n--sep--\r\n" % _SECRET
    passed = pass_on(_HEAD + b"Content-Type: multipart/mixed; boundary=sep\r\n" + gap + body)
    (leaf,) = _leaves(passed.out)
    assert _text(leaf).startswith(f"please write to {BUYER_ALIAS}")


def test_what_cannot_be_decided_is_refused_with_the_place() -> None:  # R-IN-06
    letter = b"".join(b"line %d of a letter\r\n" % number for number in range(9))
    with pytest.raises(MimeError, match=r"header of part 2 ends"):
        pass_on(_multipart(b"\r\nhello\r\n--sep\r\n" + letter + b"Content-Type: text/html\r\n\r\n<p>hello"))
    with pytest.raises(MimeError, match=r"header of the message ends"):
        pass_on(letter + _HEAD + b"\r\nhello")


def test_a_header_of_blank_lines_costs_no_more_than_its_length() -> None:  # R-IN-06
    root = mime.split(b"A: b\r\n" + b" \r\n" * 60_000 + b"stray\r\n\r\nbody", MimeLimits())
    assert [field.name for field in root.fields] == ["a"]


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("c11", ["The bowl came broken."]),
        ("c12", ["The bowl came broken.", "list"]),
        ("c21", ["Your answer of May is below.", "Dear customer, the glaze is free of lead."]),
    ],
)
def test_real_mail_keeps_its_text(name: str, texts: list[str]) -> None:
    passed = pass_on(stored(name))
    leaves = [_text(leaf) for leaf in _leaves(passed.out)]
    assert len(leaves) == len(texts)
    assert all(leaf.startswith(text) for leaf, text in zip(leaves, texts, strict=True))
    assert passed.verdict.action == "relay"


def test_real_mail_with_a_stray_line_is_read_behind_it() -> None:
    assert BUYER_ALIAS in _text(_leaves(pass_on(stored("01a")).out)[0])
    assert "attachment_type" in pass_on(stored("01c")).codes


def test_well_formed_mail_is_not_repaired() -> None:
    content = _multipart(b"Content-Type: text/plain\r\n\r\nhello\r\n--sep\r\n\r\n--sep\r\nX: y\r\n--sep\r\n")
    assert (
        b"--sep\r\nContent-Type: text/plain\r\n\r\nhello\r\n--sep\r\n\r\n--sep\r\n"
        in pass_on(content, footer=False).out
    )
