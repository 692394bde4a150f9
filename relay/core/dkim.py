"""Makes DKIM signatures (RFC 6376) with RSA-SHA256 or Ed25519 (RFC 8463) and the canonicalization relaxed/relaxed.

A signature has no `l=` tag, so nobody can append text to a signed body. The fields that a reader sees are signed once
more often than they occur (RFC 6376 §8.15), so nobody can add another field of the same name. Each signature has an
expiry (`x=`), which limits replay. The RSA operation is slow and releases the GIL, so it belongs in a thread; all other
work takes microseconds and grows linearly with the message. `generate` is the only function that uses the system's
random source.
"""

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
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
    b"sender",  # mail programs show it as "on behalf of"
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
    b"list-unsubscribe",  # RFC 8058 §4: one click acts on these fields
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
_PIECE_BYTES: Final = 262_144
_WITHIN_WORD: Final = re.compile(rb"(?<=[^ \t\r\n])[^ \t\r\n]")


class KeyState(StrEnum):
    """The states of a key, in the order in which a key passes through them.

    A replaced key no longer signs, but mail that it has signed may still arrive at a verifier. So its DNS record stays
    published until its last signature has expired. A retired key is deleted except for its selector, which is kept so
    that no new key gets the same selector.
    """

    PREPARED = "prepared"
    """The key's record must be published in DNS; the key does not sign yet."""
    ACTIVE = "active"
    REPLACED = "replaced"
    """The key's record is still published, but the key no longer signs."""
    RETIRED = "retired"

    @property
    def published(self) -> bool:
        """Whether the key's record must be published in DNS."""
        return self is not KeyState.RETIRED


class KeyUnreadableError(ValueError):
    """The octets are not a usable private key; the message names the fault and contains no part of the key."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, ready to sign for `selector` and `domain`.

    Loading a key takes far longer than signing, so callers keep the loaded key.
    """

    domain: str
    selector: str
    algorithm: Algorithm
    private: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

    @classmethod
    def load(cls, der: bytes, *, domain: str, selector: str) -> "SigningKey":
        """Returns the key that `der` (unencrypted PKCS#8 in DER) contains; the kind of key determines the algorithm.

        Raises KeyUnreadableError if `der` is not an Ed25519 key or an RSA key of at least 2048 bits.
        """
        try:
            private = serialization.load_der_private_key(der, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise KeyUnreadableError("the DKIM key is not an unencrypted PKCS#8 private key") from error
        if isinstance(private, ed25519.Ed25519PrivateKey):
            return cls(domain, selector, "ed25519-sha256", private)
        if not isinstance(private, rsa.RSAPrivateKey):
            raise KeyUnreadableError("the DKIM key is neither RSA nor Ed25519 (RFC 6376 §3.3, RFC 8463)")
        if private.key_size < _RSA_BITS:
            raise KeyUnreadableError(f"the DKIM key has less than {_RSA_BITS} bits")
        return cls(domain, selector, "rsa-sha256", private)


def generate(algorithm: Algorithm) -> bytes:
    """Returns a new private key as unencrypted PKCS#8 in DER; an RSA key has 2048 bits."""
    private = (
        rsa.generate_private_key(public_exponent=65_537, key_size=_RSA_BITS)
        if algorithm == "rsa-sha256"
        else ed25519.Ed25519PrivateKey.generate()
    )
    return private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_record(key: SigningKey) -> str:
    """Returns the value of the TXT record at `<selector>._domainkey.<domain>` (RFC 6376 §3.6.1, RFC 8463 §4)."""
    public = key.private.public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        return "v=DKIM1; k=ed25519; p=" + base64.b64encode(public.public_bytes_raw()).decode("ascii")
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return "v=DKIM1; k=rsa; p=" + base64.b64encode(der).decode("ascii")


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A DKIM-Signature field that is not signed yet.

    `field` is the field's text up to the value of `b=`, which is still missing. `digest` is the SHA-256 digest that
    `key` must sign.
    """

    key: SigningKey
    field: bytes
    digest: bytes

    def signed(self) -> bytes:
        """Signs the digest and returns the whole field, with the CRLF at its end.

        Signing takes nearly all of the time and releases the GIL.
        """
        return self.field + _folded(_signature(self.key, self.digest)) + b"\r\n"


def sign(header: bytes, body: bytes, keys: Sequence[SigningKey], now: datetime, expire_s: int) -> bytes:
    """Returns one DKIM-Signature field per key; the caller puts them before `header`.

    `header` is the header block without the empty line after it. The signatures expire `expire_s` seconds after `now`.
    Only tests and the benchmark call this function. The relay signs several messages at once: `relay.edge.signing`
    calls `prepare` and then, in a thread, `Unsigned.signed`.
    """
    return b"".join(one.signed() for one in prepare(header, body, keys, now, expire_s))


def prepare(header: bytes, body: bytes, keys: Sequence[SigningKey], now: datetime, expire_s: int) -> Sequence[Unsigned]:
    """Returns one DKIM-Signature field per key that is complete except for its signature.

    The arguments are those of `sign`.
    """
    body_hash = base64.b64encode(relaxed_digest(body))
    names, fields = _signed_fields(header)
    signed_at = int(now.timestamp())
    prepared = []
    for key in keys:
        tags = b"".join(
            (
                f" v=1; a={key.algorithm}; c=relaxed/relaxed; d={key.domain};\r\n"
                f" s={key.selector}; t={signed_at}; x={signed_at + expire_s};\r\n".encode("ascii"),
                b" h=",
                b":\r\n ".join([b":".join(names[i : i + 3]) for i in range(0, len(names), 3)]),
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
    """Returns the names for the `h=` tag, and the canonical fields, joined in the order of these names.

    If a name occurs in several fields, the lowest field comes first (RFC 6376 §5.4.2).
    """
    found: dict[bytes, list[bytes]] = {}
    unfolded = header.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
    for line in _single_spaced(unfolded).split(b"\r\n"):
        name, colon, value = line.partition(b":")
        name = name.rstrip(b" ").lower()
        if colon and (name in _SIGNED or name in _OVERSIGNED):
            found.setdefault(name, []).append(b"%b:%b\r\n" % (name, value.strip(b" ")))
    names: list[bytes] = []
    fields: list[bytes] = []
    for name in dict.fromkeys((*_OVERSIGNED, *found)):
        present = found.get(name, [])
        names += [name] * (len(present) + (name in _OVERSIGNED))
        fields += reversed(present)
    return names, b"".join(fields)


def _relaxed_value(raw: bytes) -> bytes:
    """Returns the relaxed form of a field's value (RFC 6376 §3.4.2)."""
    return _single_spaced(raw.replace(b"\r\n", b"")).strip(b" ")


def relaxed_body(body: bytes) -> bytes:
    """Returns the relaxed form of a body with CRLF lines (RFC 6376 §3.4.4)."""
    return b"".join(_relaxed_pieces(body))


def relaxed_digest(body: bytes) -> bytes:
    """Returns the SHA-256 digest of the relaxed form of a body.

    The body is hashed in pieces. If this function runs in a thread, other threads can run after each piece.
    """
    digest = hashlib.sha256()
    for piece in _relaxed_pieces(body):
        digest.update(piece)
    return digest.digest()


def _relaxed_pieces(body: bytes) -> Iterator[bytes]:
    """Yields the relaxed form of a body in pieces; empty lines at the end of the body are left out.

    A piece ends within a word, so that no run of blanks is divided between two pieces.
    """
    start, line_ends, is_empty = 0, b"", True
    while start < len(body):
        cut = _WITHIN_WORD.search(body, start + _PIECE_BYTES)
        end = cut.start() if cut else len(body)
        text = _single_spaced(body[start:end]).replace(b" \r\n", b"\r\n")
        kept = (text if cut else text.rstrip(b" ")).rstrip(b"\r\n")
        if kept:
            yield line_ends + kept
            is_empty = False
        line_ends = text[len(kept) :] if kept else line_ends + text
        start = end
    if not is_empty:
        yield b"\r\n"


def _single_spaced(text: bytes) -> bytes:
    """Returns the text with each run of spaces and tabs replaced by one space.

    Each pass of the loop halves the longest run, so the total cost stays linear.
    """
    if b"\t" in text:
        text = text.replace(b"\t", b" ")
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    return text
