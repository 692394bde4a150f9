"""DKIM signatures (RFC 6376) with RSA-SHA256 and Ed25519 (RFC 8463), relaxed/relaxed.

Bytes in, fields out. No `l=`, so that nothing can be appended; the fields that a reader sees are signed once more than
they stand (RFC 6376 §8.15), so that none can be added; an expiry limits replay. All but the RSA operation is linear
and takes microseconds; RSA releases the GIL and belongs in a thread. `generate` is the one place that draws from the
system's random source.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

Algorithm = Literal["rsa-sha256", "ed25519-sha256"]

_RSA_BITS: Final = 2_048
_OVERSIGNED: Final = (
    b"from",
    b"sender",  # programs show "on behalf of"
    b"to",
    b"subject",
    b"date",
    b"message-id",
    b"reply-to",
    b"cc",
    b"in-reply-to",
    b"references",
    b"mime-version",
    b"content-type",
    b"content-transfer-encoding",
    b"list-unsubscribe",  # RFC 8058 §4: one click acts on what these say
    b"list-unsubscribe-post",
)
_SIGNED: Final = frozenset(
    {
        b"content-disposition",
        b"auto-submitted",
        b"x-relay-loop",
    }
)
_B_LINE: Final = 72


class KeyState(StrEnum):
    """A key's life, in this order. Whoever verifies may meet a signature of a replaced key until it has expired, so
    its record stays published as long; of a retired key nothing is left but its selector, which no other takes."""

    PREPARED = "prepared"
    """To be published; does not sign."""
    ACTIVE = "active"
    REPLACED = "replaced"
    """Published still; does not sign any more."""
    RETIRED = "retired"

    @property
    def published(self) -> bool:
        return self is not KeyState.RETIRED


class KeyUnreadableError(ValueError):
    """The octets are not a private key that we sign with; the message says what is wrong and nothing of the key."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A loaded key; loading costs far more than signing, so keep it."""

    domain: str
    selector: str
    algorithm: Algorithm
    private: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

    @classmethod
    def load(cls, der: bytes, *, domain: str, selector: str) -> "SigningKey":
        """From PKCS#8 DER; the key says which algorithm it is for. Raises KeyUnreadableError."""
        try:
            private = serialization.load_der_private_key(der, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise KeyUnreadableError("the DKIM key is not an unencrypted PKCS#8 private key") from error
        if isinstance(private, ed25519.Ed25519PrivateKey):
            return cls(domain, selector, "ed25519-sha256", private)
        if not isinstance(private, rsa.RSAPrivateKey):
            raise KeyUnreadableError("a DKIM key is RSA or Ed25519 (RFC 6376 §3.3, RFC 8463)")
        if private.key_size < _RSA_BITS:
            raise KeyUnreadableError(f"the DKIM key has less than {_RSA_BITS} bits")
        return cls(domain, selector, "rsa-sha256", private)


def generate(algorithm: Algorithm) -> bytes:
    """A new private key, PKCS#8 DER."""
    private = (
        rsa.generate_private_key(public_exponent=65_537, key_size=_RSA_BITS)
        if algorithm == "rsa-sha256"
        else ed25519.Ed25519PrivateKey.generate()
    )
    return private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_record(key: SigningKey) -> str:
    """The TXT value to publish at `<selector>._domainkey.<domain>` (RFC 6376 §3.6.1, RFC 8463 §4)."""
    public = key.private.public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        return "v=DKIM1; k=ed25519; p=" + base64.b64encode(public.public_bytes_raw()).decode("ascii")
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return "v=DKIM1; k=rsa; p=" + base64.b64encode(der).decode("ascii")


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A DKIM-Signature field but for its signature: what stands before it, and what it is made over."""

    key: SigningKey
    field: bytes
    digest: bytes

    def signed(self) -> bytes:
        """The whole field. The key's operation is nearly all of the cost, and leaves the interpreter to others."""
        return self.field + _folded(_signature(self.key, self.digest)) + b"\r\n"


def sign(header: bytes, body: bytes, keys: Sequence[SigningKey], now: datetime, expire_s: int) -> bytes:
    """One DKIM-Signature field per key, to stand in front of `header` (the header block without its empty line)."""
    return b"".join(one.signed() for one in prepare(header, body, keys, now, expire_s))


def prepare(header: bytes, body: bytes, keys: Sequence[SigningKey], now: datetime, expire_s: int) -> Sequence[Unsigned]:
    """All of `sign` but the keys' operations."""
    body_hash = base64.b64encode(hashlib.sha256(relaxed_body(body)).digest())
    names, fields = _signed_fields(header)
    signed_at = int(now.timestamp())
    prepared = []
    for key in keys:
        tags = b"".join(
            (
                f" v=1; a={key.algorithm}; c=relaxed/relaxed; d={key.domain};\r\n"
                f" s={key.selector}; t={signed_at}; x={signed_at + expire_s};\r\n".encode("ascii"),
                b" h=",
                b":\r\n ".join(b":".join(names[i : i + 3]) for i in range(0, len(names), 3)),
                b";\r\n bh=",
                body_hash,
                b";\r\n b=",
            )
        )
        own = b"dkim-signature:" + _relaxed_value(tags)
        digest = hashlib.sha256(fields + own).digest()
        prepared.append(Unsigned(key, b"DKIM-Signature:" + tags, digest))
    return prepared


def _signature(key: SigningKey, digest: bytes) -> bytes:
    if isinstance(key.private, rsa.RSAPrivateKey):
        return key.private.sign(digest, padding.PKCS1v15(), Prehashed(hashes.SHA256()))
    return key.private.sign(digest)  # RFC 8463 §3


def _folded(signature: bytes) -> bytes:
    text = base64.b64encode(signature)
    return b"\r\n ".join(text[i : i + _B_LINE] for i in range(0, len(text), _B_LINE))


def _signed_fields(header: bytes) -> tuple[list[bytes], bytes]:
    """The names for `h=`, and the canonical fields in that order: of one name the last first (RFC 6376 §5.4.2)."""
    found: dict[bytes, list[bytes]] = {}
    for line in header.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ").split(b"\r\n"):
        name, colon, value = line.partition(b":")
        name = name.rstrip(b" \t").lower()
        if colon and (name in _SIGNED or name in _OVERSIGNED):
            found.setdefault(name, []).append(name + b":" + _relaxed_value(value) + b"\r\n")
    names: list[bytes] = []
    fields: list[bytes] = []
    for name in dict.fromkeys((*_OVERSIGNED, *found)):
        present = found.get(name, [])
        names += [name] * (len(present) + (name in _OVERSIGNED))
        fields += reversed(present)
    return names, b"".join(fields)


def _relaxed_value(raw: bytes) -> bytes:
    """RFC 6376 §3.4.2, after the name."""
    return _single_spaced(raw.replace(b"\r\n", b"")).strip(b" ")


def relaxed_body(body: bytes) -> bytes:
    """RFC 6376 §3.4.4 for a body of CRLF lines."""
    text = _single_spaced(body).replace(b" \r\n", b"\r\n").rstrip(b" ").rstrip(b"\r\n")
    return text + b"\r\n" if text else b""


def _single_spaced(text: bytes) -> bytes:
    """Each pass halves the longest run, so a body of nothing but spaces costs two passes' worth."""
    if b"\t" in text:
        text = text.replace(b"\t", b" ")
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    return text
