"""Keyed tags and their letters, from which aliases, return paths and opaque ids are made.

The tag is keyed BLAKE2b (RFC 7693 §2.9). As a MAC it is as good here as HMAC-SHA-256 and costs a third; one message
needs a dozen tags. The letters are base32 (RFC 4648) in lower case without padding, made ten bits at a time for speed.
"""

import hashlib
from typing import Final

_STANDARD: Final = "abcdefghijklmnopqrstuvwxyz234567"
_HEX: Final = "0123456789abcdefghijklmnopqrstuv"
_BY_TEN_BITS: Final = {
    alphabet: tuple(first + second for first in alphabet for second in alphabet) for alphabet in (_STANDARD, _HEX)
}


def tag(key: bytes, purpose: str, *parts: str, size: int) -> bytes:
    """Returns `size` bytes that only an owner of `key` (at most 64 bytes) can make.

    `purpose` separates uses of one key.
    """
    text = "\0".join((purpose, *parts)).encode("utf-8", "surrogateescape")
    return hashlib.blake2b(text, key=key, digest_size=size).digest()


def base32(octets: bytes) -> str:
    """Encodes octets by RFC 4648 §6, the form of aliases and tags."""
    return _letters(octets, _STANDARD)


def base32hex(octets: bytes) -> str:
    """Encodes octets by RFC 4648 §7, whose text order is that of the octets; record ids need this order."""
    return _letters(octets, _HEX)


def _letters(octets: bytes, alphabet: str) -> str:
    bits = len(octets) * 8
    steps = -(-bits // 10)
    value = int.from_bytes(octets, "big") << (steps * 10 - bits)
    pairs = _BY_TEN_BITS[alphabet]
    return "".join([pairs[value >> shift & 1023] for shift in range(steps * 10 - 10, -1, -10)])[: -(-bits // 5)]
