"""Public keys of DKIM and ARC: fetched all at once before a thread verifies, refused unless fit for mail.

A key is anybody's text: its size and form are checked before any arithmetic is done with it.
"""

import asyncio
import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from relay.core import taglist
from relay.ports import ResolveError, Resolver

_FEWEST_BITS: Final = 1_024  # RFC 8301 §3.2
_MOST_BITS: Final = 4_096
_LARGEST_EXPONENT: Final = 2**33
_LONGEST_TEXT: Final = 2_000
_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)*\Z"
)

Keys = Mapping[str, bytes | None]
"""By name: a record, b"" when there is none that fits, None when DNS failed."""


def name(tags: Mapping[str, str]) -> str | None:
    """Where a signature's key is published (RFC 6376 §3.6.2.1), in lower case; None when that is no name."""
    where = f"{tags.get('s', '')}._domainkey.{tags.get('d', '')}"
    return where.lower() if _NAME.match(where) else None


async def fetch(resolver: Resolver, names: Iterable[str]) -> Keys:
    wanted = sorted(set(names))
    return dict(zip(wanted, await asyncio.gather(*(_fetch(resolver, one) for one in wanted)), strict=True))


async def _fetch(resolver: Resolver, one: str) -> bytes | None:
    try:
        texts = await resolver.txt(one)
    except ResolveError:
        return None
    return next((text for text in texts if _fits(text)), b"")


def _fits(text: bytes) -> bool:
    """RFC 6376 §3.6.1, RFC 8301, RFC 8463. A revoked key (empty `p=`) does not fit."""
    if len(text) > _LONGEST_TEXT:
        return False
    try:
        tags = taglist.read(text.decode("utf-8"))
        key = base64.b64decode("".join(tags.get("p", "").split()), validate=True)
    except (taglist.TagListError, UnicodeDecodeError, binascii.Error):
        return False
    if tags.get("v", "DKIM1") != "DKIM1" or not _offers(tags.get("s", "*"), {"*", "email"}):
        return False
    if not _offers(tags.get("h", "sha256"), {"sha256"}):
        return False
    if tags.get("k", "rsa") == "ed25519":
        return len(key) == 32
    return tags.get("k", "rsa") == "rsa" and _is_rsa(key)


def _offers(listed: str, wanted: set[str]) -> bool:
    return any(one.strip() in wanted for one in listed.split(":"))


def _is_rsa(der: bytes) -> bool:
    try:
        key = load_der_public_key(der)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    if not isinstance(key, rsa.RSAPublicKey) or not _FEWEST_BITS <= key.key_size <= _MOST_BITS:
        return False
    return key.public_numbers().e < _LARGEST_EXPONENT


def is_strict(record: bytes) -> bool:
    """`t=s`: the signature's identity must be of the very domain that signs (RFC 6376 §3.6.1)."""
    return "s" in {flag.strip() for flag in taglist.read(record.decode()).get("t", "").split(":")}
