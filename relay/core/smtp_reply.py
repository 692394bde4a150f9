"""What another mail server said: reading its replies, and making its words harmless.

Everything here was written by a stranger: replies are bounded before they are read, texts lose every address and
control character before they are kept or shown (R-OUT-03). The reason of a refusal is named in `bounce.reasons`.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from relay.core.bounce.reasons import classify

__all__ = ["RemoteReply", "ReplyError", "ReplyReader", "classify", "redact"]

_MOST_REPLY_BYTES: Final = 32_768
_LINE: Final = re.compile(rb"([2-5][0-9][0-9])(?:([ -])([^\r]*))?\Z")
_ENHANCED: Final = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:[ \t]+|\Z)")


class ReplyError(ValueError):
    """The peer does not speak SMTP: not a reply, an endless one, or lines of different codes."""


@dataclass(frozen=True, slots=True)
class RemoteReply:
    """`enhanced` is RFC 3463's code or "", `text` the lines without codes, joined by one space, as the peer wrote."""

    code: int
    enhanced: str
    text: str

    @classmethod
    def of(cls, code: int, lines: Iterable[str]) -> "RemoteReply":
        """Finds the enhanced code, which must agree with the code's class (RFC 2034 §4)."""
        enhanced, texts = "", []
        for line in lines:
            text = line.strip()
            match = _ENHANCED.match(text)
            if match and int(match[1][0]) == code // 100:
                enhanced = enhanced or match[1]
                text = text[match.end() :]
            texts.append(text)
        return cls(code, enhanced, " ".join(texts).strip())


class ReplyReader:
    """Bytes in, replies out; never holds more than one reply's worth of bytes (RFC 5321 §4.2)."""

    def __init__(self) -> None:
        self._rest = b""
        self._code = 0
        self._lines: list[str] = []
        self._bytes = 0

    def feed(self, data: bytes) -> Iterator[RemoteReply]:
        """The replies that `data` completes. Raises ReplyError after the last good one; the peer is not to be
        listened to any more."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._bytes += len(line)
            if self._take(line.rstrip(b"\r")):
                yield RemoteReply.of(self._code, self._lines)
                self._lines, self._bytes = [], 0
        if self._bytes + len(self._rest) > _MOST_REPLY_BYTES:
            raise ReplyError("the reply does not end")

    def _take(self, line: bytes) -> bool:
        match = _LINE.match(line)
        if match is None or (self._lines and int(match[1]) != self._code):
            raise ReplyError("the answer is not an SMTP reply")
        if self._bytes > _MOST_REPLY_BYTES:
            raise ReplyError("the reply does not end")
        self._code = int(match[1])
        self._lines.append((match[3] or b"").decode("utf-8", "replace"))
        return match[2] != b"-"


# ---------------------------------------------------------------- making it harmless

_HIDDEN: Final = "[address]"
_MOST_TEXT: Final = 2_000
_QUOTED: Final = re.compile(r'"[^"]*"@')
_AT_SIGNS: Final = ("@", "%40", "=40", "+40", "&#64;")
_FULL_WIDTH: Final = str.maketrans({"\uff20": "@", "\ufe6b": "@"})


def redact(text: str, addresses: Iterable[str] = (), *, limit: int = 500) -> str:
    """One line of printable ASCII of at most `limit` characters, without anything that looks like an address and
    without the given ones: whole, their local parts and their domains as words of their own.
    """
    if len(text) > _MOST_TEXT:
        text = text[:_MOST_TEXT].rpartition(" ")[0]  # half an address would not be known for one
    text = text.translate(_FULL_WIDTH)
    text = "".join(char if " " <= char <= "~" else " " if char.isspace() else "?" for char in text)
    for word in sorted(_words(addresses), key=len, reverse=True):
        text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", _HIDDEN, text, flags=re.IGNORECASE)
    text = _QUOTED.sub("x@", text)
    words = (_HIDDEN if any(at in word for at in _AT_SIGNS) else word for word in text.split())
    return " ".join(words)[:limit]


def _words(addresses: Iterable[str]) -> set[str]:
    words: set[str] = set()
    for address in addresses:
        local, _, domain = address.rpartition("@")
        words |= {address, local, local.strip('"'), domain}
    return {ascii_word for word in words if len(ascii_word := word.strip()) > 1}
