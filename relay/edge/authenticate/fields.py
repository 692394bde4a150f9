"""A message in the form that signatures need: the header fields with their exact octets, and the hash of the body.

All functions take linear time. They make the input of dkimpy small and regular, because its patterns take more than
linear time.
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
    """One header field. `name` is in lower case, and `raw` is the whole field with its line ends."""

    name: bytes
    raw: bytes

    @property
    def value(self) -> str:
        """Returns the value of the field as unfolded text."""
        return self.raw.partition(b":")[2].decode("utf-8", "replace").replace("\r\n", "").strip(" \t")


class Message:
    """One message that is being verified. Only one thread may use it at a time."""

    def __init__(self, content: bytes) -> None:
        start = body_start(content)
        # A header without a body may lack its last line end. No field continues after the empty line.
        header = content[:start] if content[:start].endswith(b"\r\n") else content[:start] + b"\r\n"
        self.fields = [SignedField(match[1].lower(), match[0]) for match in _FIELD.finditer(header)]
        self._content = content
        self._body = memoryview(content)[start:]
        self._hashes: dict[str, bytes] = {}

    async def apart(self, work: Callable[..., _T], *arguments: Any) -> _T:
        """Returns `work(*arguments)`, run in a thread, or at once if it takes less time than to start a thread."""
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
        """Returns the fields with this name, which is in lower case, from the top of the header down."""
        return [field for field in self.fields if field.name == name]

    def header(self, names: Iterable[bytes]) -> bytes | None:
        """Returns the fields with these names in their order, and an empty line after them.

        Returns None if they have more lines than a real mail has.
        """
        wanted = set(names)
        header = b"".join(field.raw for field in self.fields if field.name in wanted)
        return None if header.count(b"\n") > _MOST_LINES else header + b"\r\n"

    def body_hash(self, canonicalization: str) -> bytes:
        """Returns the SHA-256 hash of the body in "simple" or "relaxed" form (RFC 6376 §3.4.3, §3.4.4)."""
        if canonicalization not in self._hashes:
            body = bytes(self._body)
            if canonicalization == "relaxed":
                self._hashes[canonicalization] = dkim.relaxed_digest(body)
            else:
                self._hashes[canonicalization] = hashlib.sha256(body.rstrip(b"\r\n") + b"\r\n").digest()
        return self._hashes[canonicalization]


def is_plain(signature: SignedField) -> bool:
    """Returns whether the field of a signature has a size and a form that real programs write."""
    return len(signature.raw) <= _LONGEST_SIGNATURE and not _LONGEST_SPACE.search(signature.raw)
