"""Finds uuencoded files in a text (POSIX uuencode), which mail programs show as attachments."""

import binascii
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from relay.core.mail import encodings

_FILE: Final = re.compile(
    r"^(begin(-base64)? [0-7]{3,4} )([^\r\n]*+)(\r?\n)((?>(?:(?!end\r?$|====)[^\r\n]*+\r?\n)*))", re.MULTILINE
)
SIGN: Final = "begin"


class UuFile(NamedTuple):
    """A file in a text, with offsets in it.

    `text[start:end]` is the file without its last line `end`, `text[name_start:name_end]` its name, and
    `text[data_start:end]` its data. `is_base64` says in which of the two forms of uuencode the data is.
    """

    name: str
    start: int
    name_start: int
    data_start: int
    end: int
    is_base64: bool
    octets: bytes

    @property
    def name_end(self) -> int:
        return self.name_start + len(self.name)


def files(text: str) -> Iterator[UuFile]:
    """Yields the files, and each piece of prose that begins like one, in time linear in the length of the text."""
    if SIGN not in text:
        return
    for match in _FILE.finditer(text):
        lines = match[5].encode("ascii", "replace").splitlines()
        octets = encodings.decode_base64(b"".join(lines)) if match[2] else b"".join(map(_line, lines))
        yield UuFile(match[3], match.start(), match.start(3), match.start(5), match.end(5), bool(match[2]), octets)


def is_file(text: str, found: UuFile) -> bool:
    """Whether a mail program would show this as a file: its first line of data is one of uuencode."""
    if found.is_base64:
        return bool(found.octets)
    end = text.find("\n", found.data_start)
    line = text[found.data_start : end].rstrip("\r").encode("ascii", "replace")
    return bool(line) and bool(_line(line)) and len(line) <= _width(line) + 1


def _width(line: bytes) -> int:
    """Returns the length of a line of data, as its first octet says it."""
    return 1 + ((line[0] - 32 & 63) + 2) // 3 * 4


def _line(line: bytes) -> bytes:
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        # Servers remove trailing spaces, and some programs write a wrong length for the last line.
        width = ((line[0] - 32 & 63) * 4 + 5) // 3 if line else 0
        try:
            return binascii.a2b_uu(line[:width]) if line else b""
        except binascii.Error:
            return b""
