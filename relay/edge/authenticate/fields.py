"""A message as signatures see it: the header's fields with their exact octets, and its body hashed.

All of it linear: what is handed to dkimpy is made small and plain before, because its patterns are not.
"""

import hashlib
import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from relay.core import dkim
from relay.core.rewrite.mime import body_start

_FIELD: Final = re.compile(rb"^([!-9;-~]++):[^\r\n]*+\r\n(?:[ \t][^\r\n]*+\r\n)*+", re.MULTILINE)
_MOST_LINES: Final = 5_000
_LONGEST_SIGNATURE: Final = 16_384
_LONGEST_SPACE: Final = re.compile(rb"\s{65}")


class Field(NamedTuple):
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
        self.fields = [Field(match[1].lower(), match[0]) for match in _FIELD.finditer(header)]
        self._body = memoryview(content)[start:]
        self._hashes: dict[str, bytes] = {}

    def named(self, name: bytes) -> list[Field]:
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


def is_plain(signature: Field) -> bool:
    """Whether a signature's field is of a size and shape that programs write."""
    return len(signature.raw) <= _LONGEST_SIGNATURE and not _LONGEST_SPACE.search(signature.raw)
