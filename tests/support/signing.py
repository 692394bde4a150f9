"""Signs and seals mail with dkimpy, and makes the DNS records of the keys."""

import base64
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

MAIL = (
    b"From: Shop <me@shop.example>\r\nTo: you@relay.example\r\nSubject:  About  the table\r\n"
    b"Date: Mon, 23 Nov 2026 10:00:00 +0900\r\nMessage-ID: <1@shop.example>\r\n\r\nGood  day \r\n\r\nBye\t\r\n\r\n\r\n"
)


@cache
def rsa_key(bits: int = 1_024) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=bits)


@cache
def edwards_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def record(key: Any, **tags: str) -> bytes:
    public = key.public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        octets, tags = public.public_bytes_raw(), {"k": "ed25519"} | tags
    else:
        octets = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    tags = {"v": "DKIM1"} | tags | {"p": tags.get("p", base64.b64encode(octets).decode())}
    return "; ".join(f"{tag}={value}" for tag, value in tags.items()).encode()


def published(*keys: tuple[str, str, bytes]) -> dict[str, Mapping[str, Sequence[bytes]]]:
    """Returns the resolver's table for (selector, domain, record) triples."""
    return {f"{selector}._domainkey.{domain}": {"TXT": [text]} for selector, domain, text in keys}


def signed(mail: bytes = MAIL, *, domain: str = "shop.example", key: Any = None, **options: Any) -> bytes:
    """Returns the mail with a signature by selector `s`.

    `options` are passed to dkimpy, but for `expires`, the seconds since 1970 at which the signature ends.
    """
    key = key or rsa_key()
    given = {"algorithm": "rsa-sha256", "canonicalize": (b"relaxed", b"relaxed")} | options
    algorithm, expires = given.pop("algorithm"), given.pop("expires", None)
    signer = _Signer(mail, expires)
    field = signer.sign(b"s", domain.encode(), _private(key), signature_algorithm=algorithm.encode(), **given)
    return bytes(field) + mail


class _Signer(dkim.DKIM):  # type: ignore[misc]
    """A signer that can write `x=`, which dkimpy only reads; the signature is then an hour old at its end."""

    def __init__(self, mail: bytes, expires: int | None) -> None:
        super().__init__(mail)
        self._expires = expires

    def gen_header(self, fields: list[tuple[bytes, bytes]], *args: Any, **options: Any) -> bytes:
        if self._expires is not None:
            times = {b"t": self._expires - 3_600, b"x": self._expires}
            rest = [one for one in fields if one[0] not in times]
            fields[:] = [*((name, str(at).encode()) for name, at in times.items()), *rest]
        return bytes(super().gen_header(fields, *args, **options))


def sealed(mail: bytes, *, domain: str, results: str) -> bytes:
    """Returns the mail with one more ARC set, in which `domain` states `results` and that the chain so far is valid."""
    server = f"mx.{domain}"
    chain = b"arc=pass" if b"ARC-Seal:" in mail else b"arc=none"
    stated = b"Authentication-Results: " + server.encode() + b"; " + results.encode() + b"; " + chain + b"\r\n"
    fields = dkim.arc_sign(stated + mail, b"s", domain.encode(), _private(rsa_key()), server.encode())
    assert fields
    return b"".join(fields) + mail


def _private(key: Any) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return base64.b64encode(key.private_bytes_raw())
    return bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
