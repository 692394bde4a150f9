"""Replies of another mail server, with a size limit, because a stranger writes them.

The texts are as the server wrote them; they go through `redact` before they are kept or shown (R-OUT-03).
`bounce.reasons` finds the reason of a refusal.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

_MOST_REPLY_BYTES: Final = 32_768
_LINE: Final = re.compile(rb"([2-5][0-9][0-9])(?:([ -])([^\r]*))?\Z")
_ENHANCED: Final = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:[ \t]+|\Z)")


class ReplyError(ValueError):
    """The peer does not speak SMTP: its data is not a reply, does not end, or mixes codes."""


@dataclass(frozen=True, slots=True)
class RemoteReply:
    """A reply: `enhanced` is a code of RFC 3463 or "", `text` the lines without codes, joined by spaces."""

    code: int
    enhanced: str
    text: str

    @classmethod
    def of(cls, code: int, lines: Iterable[str]) -> "RemoteReply":
        """Makes a reply from its lines.

        An enhanced code counts only if it agrees with the code's class (RFC 2034 §4).
        """
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
    """Converts bytes to replies; it keeps the bytes of at most one reply (RFC 5321 §4.2)."""

    def __init__(self) -> None:
        self._rest = b""
        self._code = 0
        self._lines: list[str] = []
        self._bytes = 0

    def feed(self, data: bytes) -> Iterator[RemoteReply]:
        """Yields the replies that `data` completes.

        Raises ReplyError after the last valid reply; the caller must then stop reading from the peer.
        """
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
