"""Mail made to break the reader: each gets one clear code, the daemon stays up, and the next mail passes."""

import json

import pytest

from tests.e2e.relay_env import RelayEnv
from tests.support.daemon import BUYER, SELLER
from tests.support.dialogue import Dialogue
from tests.support.peers import until
from tests.support.scrubbing import readings

_HEAD = f"From: {SELLER}\r\nTo: someone@market.example\r\nSubject: hostile\r\nMIME-Version: 1.0\r\n".encode()


def _flat(parts: int) -> bytes:
    part = b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n"
    return _HEAD + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + part * parts + b"--b--\r\n"


def _nested(levels: int) -> bytes:
    opening = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (level, level) for level in range(levels)
    )
    return _HEAD + opening + b"\r\nx\r\n"


def _forwarded(levels: int) -> bytes:
    return _HEAD + b"Content-Type: message/rfc822\r\n\r\n" * levels + b"Subject: innermost\r\n\r\nx\r\n"


def _text(content_type: bytes, encoding: bytes, body: bytes) -> bytes:
    return (
        _HEAD
        + b"Content-Type: "
        + content_type
        + b"\r\nContent-Transfer-Encoding: "
        + encoding
        + b"\r\n\r\n"
        + body
        + b"\r\n"
    )


def _many_addresses(count: int) -> bytes:
    to = b",\r\n ".join(b"a%d@elsewhere.example" % number for number in range(count))
    return f"From: {SELLER}\r\nSubject: hostile\r\nTo: ".encode() + to + b"\r\n\r\nx\r\n"


_OWN = SELLER.encode()
_TAKEN = "250 2.0.0 "
_PARTS = "554 5.6.0 Message not readable: too many MIME parts, from part "
_DEPTH = "554 5.6.0 Message not readable: MIME parts are nested too deep in part 1.1.1"
_LONG = (
    "554 5.6.0 Message not readable: the header of the message is too long (malformed); see https://market.example/help"
)
_FIELDS = (
    "554 5.6.0 Message not readable: too many header fields in the message (malformed); see https://market.example/help"
)
_NUL = "550 5.6.0 the message has a NUL"
_FROM = "550 5.6.0 The From field must name exactly one readable address (from_defect); see https://market.example/help"

# R-IN-06: too much is refused; R-REW-01: what is taken discloses nothing, broken as it is
HOSTILE = {
    "2000-parts": (_flat(2_000), _PARTS),
    "500-levels": (_nested(500), _DEPTH),
    "500-forwarded": (_forwarded(500), _DEPTH),
    "endless-header-field": (_HEAD + b"X-Long: " + b"a" * 2_000_000 + b"\r\n\r\nx\r\n", _LONG),
    "20000-fields": (_HEAD + b"X: a\r\n" * 20_000 + b"\r\nx\r\n", _FIELDS),
    "endless-folding": (_HEAD + b"X-Long: a\r\n" + b" a\r\n" * 200_000 + b"\r\nx\r\n", _LONG),
    "header-without-end": (b"From: " + _OWN + b"\r\nSubject: " + b"x" * 900_000, _LONG),
    "100000-addresses-in-to": (_many_addresses(100_000), _LONG),
    "nul-in-header": (_HEAD + b"X-Nul: a\0b\r\n\r\nx\r\n", _NUL),
    "nul-in-body": (_HEAD + b"\r\na\0b\r\n", _NUL),
    "two-from-fields": (_HEAD + b"From: someone@elsewhere.example\r\n\r\nx\r\n", _FROM),
    "no-from-field": (b"Subject: hostile\r\n\r\nx\r\n", _FROM),
    "from-of-two-faces": (b"From: a@elsewhere.example <" + _OWN + b">\r\n\r\nx\r\n", _FROM),
    "no-header-at-all": (b"\r\nx\r\n", _FROM),
    "nothing": (b"", _FROM),
    "unknown-charset": (_text(b"text/plain; charset=x-none", b"8bit", b"\xff\xfe " + _OWN), _TAKEN),
    "wrong-utf-8": (_text(b"text/plain; charset=utf-8", b"8bit", b"\xc3\x28\xff " + _OWN), _TAKEN),
    "half-a-shift": (_text(b"text/plain; charset=iso-2022-jp", b"7bit", b"\x1b$B\x21 " + _OWN), _TAKEN),
    "charset-of-python": (_text(b"text/plain; charset=rot13", b"7bit", b"x " + _OWN), _TAKEN),
    "utf-16": (_text(b"text/plain; charset=utf-16", b"base64", b"//5h"), _TAKEN),
    "not-base64": (_text(b"text/plain", b"base64", b"*" * 76 + b"\r\n====\r\nQQ"), _TAKEN),
    "not-quoted-printable": (_text(b"text/plain", b"quoted-printable", b"=ZZ= =\r\n=4\r\n" + _OWN), _TAKEN),
    "unknown-encoding": (_text(b"text/plain", b"x-rot13", b"x " + _OWN), _TAKEN),
    "boundary-without-parts": (_HEAD + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\nx\r\n', _TAKEN),
    "empty-boundary": (_HEAD + b'Content-Type: multipart/mixed; boundary=""\r\n\r\n--\r\n\r\nx\r\n', _TAKEN),
    "multipart-in-base64": (
        _HEAD + b'Content-Type: multipart/mixed; boundary="b"\r\nContent-Transfer-Encoding: base64\r\n\r\n--b\r\n\r\nx',
        _TAKEN,
    ),
    "long-line": (_HEAD + b"\r\n" + b"x" * 100_000 + b" " + _OWN + b"\r\n", _TAKEN),
    "broken-encoded-words": (_HEAD + b"Comments: =?x?q?=FF?= =?utf-8?b?////?= =?utf-8?q\r\n\r\nx\r\n", _TAKEN),
    "deep-html": (_text(b"text/html", b"7bit", b"<div>" * 50_000 + _OWN), _TAKEN),
    "many-entities": (_text(b"text/html", b"7bit", b"&#64;&#115;" * 50_000), _TAKEN),
    "many-at-signs": (_text(b"text/plain", b"7bit", b"a@" * 200_000), _TAKEN),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_mail_gets_one_code_and_the_next_mail_passes(env: RelayEnv, name: str) -> None:
    content, answer = HOSTILE[name]
    before = len(env.mails(BUYER))
    with Dialogue(env.relay.mx) as client:
        client.reply()
        client.ask("EHLO client.example")
        said = _send(env, client, content)
        assert said.startswith(answer), said
        assert SELLER not in said
        # The session goes on.
        assert _send(env, client, _HEAD.replace(b"hostile", b"after " + name.encode()) + b"\r\nHello.\r\n")[:3] == "250"
        assert client.ask("NOOP").startswith("250")
    expected = before + (2 if said.startswith("250") else 1)
    until(lambda: len(env.mails(BUYER)) == expected)
    for received in env.mails(BUYER)[before:]:
        assert SELLER not in readings(received.content)
    assert not _errors(env)


def _send(env: RelayEnv, client: Dialogue, content: bytes) -> str:
    client.ask(f"MAIL FROM:<{SELLER}>")
    assert client.ask(f"RCPT TO:<{env.buyer_alias}>").startswith("250")
    assert client.ask("DATA").startswith("354")
    client.send(content + (b"" if content.endswith(b"\r\n") or not content else b"\r\n") + b".\r\n")
    return client.reply()


def _errors(env: RelayEnv) -> list[str]:
    entries = [json.loads(line) for line in env.relay.log().splitlines()]
    return [entry["event"] for entry in entries if entry["level"] in {"error", "critical"}]
