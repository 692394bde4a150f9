"""Public keys of DKIM (RFC 6376) and ARC: all are fetched before the verification, and unfit keys are refused.

Anybody can publish a key. Therefore its size and form are checked before any computation with it. Parsing a key takes
as long as verifying with it, so the latest keys are kept.
"""

import asyncio
import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import load_der_public_key

from relay.core import taglist
from relay.ports import ResolveError, Resolver

_FEWEST_BITS: Final = 1_024  # RFC 8301 §3.2
_MOST_BITS: Final = 4_096
_LARGEST_EXPONENT: Final = 2**33
_LONGEST_TEXT: Final = 2_000
_KEPT: Final = 1_000
_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)*\Z"
)

PublicKey = rsa.RSAPublicKey | Ed25519PublicKey
Keys = Mapping[str, bytes | None]
"""Key records by name. The value is b"" if no record is fit for mail, and None if DNS failed."""


def name(tags: Mapping[str, str]) -> str | None:
    """Returns the DNS name under which the key of a signature is published, in lower case (RFC 6376 §3.6.2.1).

    Returns None if the name is invalid.
    """
    where = f"{tags.get('s', '')}._domainkey.{tags.get('d', '')}"
    return where.lower() if _NAME.match(where) else None


async def fetch(resolver: Resolver, names: Iterable[str]) -> Keys:
    """Returns the key records of these names, which are looked up at the same time. Raises nothing."""
    wanted = sorted(set(names))
    if len(wanted) == 1:
        return {wanted[0]: await _fetch(resolver, wanted[0])}
    return dict(zip(wanted, await asyncio.gather(*(_fetch(resolver, one) for one in wanted)), strict=True))


async def _fetch(resolver: Resolver, one: str) -> bytes | None:
    try:
        texts = await resolver.txt(one)
    except ResolveError:
        return None
    return next((text for text in texts if len(text) <= _LONGEST_TEXT and public(text)), b"")


@lru_cache(maxsize=_KEPT)
def public(record: bytes) -> PublicKey | None:
    """Returns the key of a record (RFC 6376 §3.6.1, RFC 8301, RFC 8463).

    Returns None if the key is unfit for mail, or revoked by an empty `p=`.
    """
    try:
        tags = taglist.read(record.decode("utf-8"))
        key = base64.b64decode("".join(tags.get("p", "").split()), validate=True)
    except (taglist.TagListError, UnicodeDecodeError, binascii.Error):
        return None
    if tags.get("v", "DKIM1") != "DKIM1" or not _offers(tags.get("s", "*"), {"*", "email"}):
        return None
    if not _offers(tags.get("h", "sha256"), {"sha256"}):
        return None
    if tags.get("k", "rsa") == "ed25519":
        return Ed25519PublicKey.from_public_bytes(key) if len(key) == 32 else None
    return _rsa(key) if tags.get("k", "rsa") == "rsa" else None


def holds(key: PublicKey, digest: bytes, signature: bytes) -> bool:
    """Returns whether `signature` is a valid signature of this key over the SHA-256 hash `digest`."""
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, digest, padding.PKCS1v15(), Prehashed(hashes.SHA256()))
        else:
            key.verify(signature, digest)  # RFC 8463 §3
    except InvalidSignature:
        return False
    return True


def _offers(listed: str, wanted: set[str]) -> bool:
    return any(one.strip() in wanted for one in listed.split(":"))


def _rsa(der: bytes) -> rsa.RSAPublicKey | None:
    try:
        key = load_der_public_key(der)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    if not isinstance(key, rsa.RSAPublicKey) or not _FEWEST_BITS <= key.key_size <= _MOST_BITS:
        return None
    return key if key.public_numbers().e < _LARGEST_EXPONENT else None


def is_strict(record: bytes) -> bool:
    """Returns whether the key has `t=s`.

    Then the domain of the identity in `i=` must be exactly the signing domain, and not a domain below it (RFC 6376
    §3.6.1).
    """
    return "s" in {flag.strip() for flag in taglist.read(record.decode()).get("t", "").split(":")}
