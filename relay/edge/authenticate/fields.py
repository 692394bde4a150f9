"""A message as signatures see it: the header's fields with their exact octets, and its body hashed.

All of it linear: what is handed to dkimpy is made small and plain before, because its patterns are not.
"""

import asyncio
import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, TypeVar

from relay.core import dkim
from relay.core.mail.mime import body_start

_T = TypeVar("_T")

_FIELD: Final = re.compile(rb"^([!-9;-~]++):[^\r\n]*+\r\n(?>(?:[ \t][^\r\n]*+\r\n)*)", re.MULTILINE)
_MOST_LINES: Final = 5_000
_LONGEST_SIGNATURE: Final = 16_384
_SIGNING: Final = frozenset({b"dkim-signature", b"arc-seal", b"arc-message-signature", b"arc-authentication-results"})
_LIGHT_CONTENT: Final = 65_536
_LIGHT_FIELDS: Final = 64
_LIGHT_SIGNATURES: Final = 6
_LIGHT_SIGNATURE: Final = 1_536
_LONGEST_SPACE: Final = re.compile(rb"\s{65}")


class SignedField(NamedTuple):
    """`name` in lower case; `raw` is the whole field."""

    name: bytes
    raw: bytes

    @property
    def value(self) -> str:
        return self.raw.partition(b":")[2].decode("utf-8", "replace").replace("\r\n", "").strip(" \t")


class Message:
    """One message under verification; used by one thread at a time."""

    def __init__(self, content: bytes) -> None:
        start = body_start(content)
        # A header that ends with the message may lack its last line end, and fields never span the empty line.
        header = content[:start] if content[:start].endswith(b"\r\n") else content[:start] + b"\r\n"
        self.fields = [SignedField(match[1].lower(), match[0]) for match in _FIELD.finditer(header)]
        self._content = content
        self._body = memoryview(content)[start:]
        self._hashes: dict[str, bytes] = {}

    async def apart(self, work: Callable[..., _T], *arguments: Any) -> _T:
        """`work` on this message: in a thread, unless it is over before one has been handed the interpreter."""
        signatures = [field for field in self.fields if field.name in _SIGNING]
        if (
            len(self._content) <= _LIGHT_CONTENT
            and len(self.fields) <= _LIGHT_FIELDS
            and len(signatures) <= _LIGHT_SIGNATURES
            and all(len(field.raw) <= _LIGHT_SIGNATURE for field in signatures)
        ):
            return work(*arguments)
        return await asyncio.to_thread(work, *arguments)

    def named(self, name: bytes) -> list[SignedField]:
        return [field for field in self.fields if field.name == name]

    def header(self, names: Iterable[bytes]) -> bytes | None:
        """The fields of these names in their order and an empty line; None when that is more than mail is made of."""
        wanted = set(names)
        header = b"".join(field.raw for field in self.fields if field.name in wanted)
        return None if header.count(b"\n") > _MOST_LINES else header + b"\r\n"

    def body_hash(self, canonicalization: str) -> bytes:
        """SHA-256 of the body in "simple" or "relaxed" form (RFC 6376 §3.4.3, §3.4.4)."""
        if canonicalization not in self._hashes:
            body = bytes(self._body)
            canonical = dkim.relaxed_body(body) if canonicalization == "relaxed" else body.rstrip(b"\r\n") + b"\r\n"
            self._hashes[canonicalization] = hashlib.sha256(canonical).digest()
        return self._hashes[canonicalization]


def is_plain(signature: SignedField) -> bool:
    """Whether a signature's field is of a size and shape that programs write."""
    return len(signature.raw) <= _LONGEST_SIGNATURE and not _LONGEST_SPACE.search(signature.raw)
