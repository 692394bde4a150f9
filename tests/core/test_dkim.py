"""Our signatures, judged by another implementation."""

import hashlib
from datetime import UTC, datetime, timedelta

import dkim as dkimpy
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core import dkim

DOMAIN = "market.example"
RSA = dkim.SigningKey.load(dkim.generate("rsa-sha256"), domain=DOMAIN, selector="r1")
ED25519 = dkim.SigningKey.load(dkim.generate("ed25519-sha256"), domain=DOMAIN, selector="e1")
KEYS = [RSA, ED25519]
RECORDS = {f"{key.selector}._domainkey.{DOMAIN}.".encode(): dkim.public_record(key).encode() for key in KEYS}
NOW = datetime.now(UTC)

_SPACE = st.sampled_from([b" ", b"\t", b"  ", b"\t \t", b"\r\n ", b"\r\n\t ", b"", b" \r\n  x"])
_TEXT = st.sampled_from([b"a", b"word", b"\xe9\x87\x8d", b"=?utf-8?q?x?=", b"b:c", b";"])
_VALUE = st.lists(st.tuples(_SPACE, _TEXT), min_size=1, max_size=6).map(lambda pairs: b"".join(s + t for s, t in pairs))
_NAME = st.sampled_from(
    [
        b"Subject",
        b"SUBJECT",
        b"To",
        b"Cc",
        b"X-Other",
        b"Date",
        b"References",
        b"List-Unsubscribe",
        b"X-Relay-Loop",
        b"MIME-VERSION",
    ]
)
_FIELDS = st.lists(st.tuples(_NAME, _VALUE), max_size=8).map(lambda fs: b"".join(n + b":" + v + b"\r\n" for n, v in fs))
_BODY = st.lists(
    st.sampled_from([b"text", b"\r\n", b"\r\n", b" ", b"\t", b"   ", b"\xff\x00", b"end"]), max_size=20
).map(b"".join)


def verify(message: bytes) -> list[bool]:
    return [_verify(message, index) for index in range(len(KEYS))]


def _verify(message: bytes, index: int) -> bool:
    try:
        return bool(dkimpy.DKIM(message).verify(idx=index, dnsfunc=lambda name, timeout=5: RECORDS[name]))
    except dkimpy.ValidationError:
        return False


def signed(header: bytes, body: bytes) -> bytes:
    """As it arrives: SMTP ends every line, the last one too."""
    return dkim.sign(header, body, KEYS, NOW, 3_600) + header + b"\r\n" + ended(body)


def ended(body: bytes) -> bytes:
    return body if body.endswith(b"\r\n") or not body else body + b"\r\n"


@settings(max_examples=150, deadline=None)
@given(_FIELDS, _BODY)
def test_both_algorithms_verify(fields: bytes, body: bytes) -> None:  # R-REW-10
    assert verify(signed(b"From: a@market.example\r\n" + fields, body)) == [True, True]


@settings(max_examples=60, deadline=None)
@given(_BODY)
def test_the_body_is_as_the_other_implementation_has_it(body: bytes) -> None:
    from dkim.canonicalization import Relaxed  # noqa: PLC0415 - the oracle's inside, for this test alone

    assert dkim.relaxed_body(body) == Relaxed.canonicalize_body(ended(body))


@pytest.mark.parametrize("body", [b"", b"\r\n", b"\r\n\r\n \r\n", b"x", b"x\r\n", b"\r\n x"])
def test_empty_and_unended_bodies_verify(body: bytes) -> None:
    assert verify(signed(b"From: a@market.example\r\n", body)) == [True, True]


HEADER = (
    b"From: Alice <a@market.example>\r\nTo: b@x.example\r\nSubject: a  folded\r\n subject\r\n"
    b"Date: Mon, 23 Nov 2026 01:00:00 +0000\r\nMessage-ID: <1@market.example>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
)


@pytest.mark.parametrize("word", [b"Alice", b"b@x", b"subject", b"2026", b"1@market", b"plain", b"body"])
def test_a_changed_byte_fails(word: bytes) -> None:
    message = signed(HEADER, b"the body\r\n")
    at = message.rindex(word)
    broken = message[:at] + bytes([message[at] ^ 1]) + message[at + 1 :]
    assert verify(message) == [True, True]
    assert verify(broken) == [False, False]


@pytest.mark.parametrize(
    "field",
    [
        b"From",
        b"Sender",
        b"To",
        b"Subject",
        b"Date",
        b"Reply-To",
        b"Cc",
        b"References",
        b"Content-Type",
        b"MIME-Version",
        b"Message-ID",
        b"Content-Transfer-Encoding",
        b"List-Unsubscribe",
        b"List-Unsubscribe-Post",
    ],
)
def test_a_field_added_later_fails(field: bytes) -> None:  # R-REW-10
    signature = dkim.sign(HEADER, b"body", KEYS, NOW, 3_600)
    assert verify(signature + field + b": x@evil.example\r\n" + HEADER + b"\r\nbody") == [False, False]


def test_text_appended_fails() -> None:
    assert verify(signed(HEADER, b"body\r\n") + b"more\r\n") == [False, False]


def test_the_fields_name_their_terms() -> None:
    signature = dkim.sign(HEADER, b"body", [RSA], NOW, 3_600)
    tags = dict(t.strip().split(b"=", 1) for t in signature.partition(b":")[2].replace(b"\r\n ", b"").split(b";"))
    assert int(tags[b"x"]) - int(tags[b"t"]) == 3_600
    assert int(tags[b"t"]) == int(NOW.timestamp())
    assert b"l" not in tags
    names = tags[b"h"].split(b":")
    assert names.count(b"from") == names.count(b"subject") == 2
    assert names.count(b"reply-to") == names.count(b"cc") == 1
    assert all(len(line) <= 78 for line in signature.split(b"\r\n"))
    assert signature.count(b"DKIM-Signature:") == 1


def test_an_expired_signature_fails() -> None:
    signature = dkim.sign(HEADER, b"body", KEYS, NOW - timedelta(days=20), 3_600)
    assert verify(signature + HEADER + b"\r\nbody") == [False, False]


def test_no_key_gives_no_field() -> None:
    assert dkim.sign(HEADER, b"body", [], NOW, 3_600) == b""


@pytest.mark.parametrize("unit", [b" ", b"\t", b" \r\n", b"\r\n", b"x ", b"\t "])
@pytest.mark.timeout(10)
def test_hostile_bodies_cost_no_more_than_their_length(unit: bytes) -> None:
    canonical = dkim.relaxed_body(unit * (5_000_000 // len(unit)))
    assert hashlib.sha256(canonical).digest()
    assert b"  " not in canonical


def der_of(private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.mark.parametrize(
    ("der", "text"),
    [
        (b"", "PKCS#8"),
        (b"-----BEGIN", "PKCS#8"),
        (der_of(ec.generate_private_key(ec.SECP256R1())), "Ed25519"),
        (der_of(rsa.generate_private_key(public_exponent=65_537, key_size=1_024)), "2048 bits"),
    ],
    ids=["empty", "pem", "ec", "short"],
)
def test_a_key_that_does_not_serve_is_a_clear_error(der: bytes, text: str) -> None:
    with pytest.raises(dkim.KeyUnreadableError, match=text):
        dkim.SigningKey.load(der, domain=DOMAIN, selector="s")
