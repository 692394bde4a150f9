"""Reads the SMTP replies of another mail server, up to a limit of size, because any stranger may run that server.

The texts of the replies are those of the server; callers pass them through `redact` before they store or show them
(R-OUT-03). `bounce.reasons` finds the reason of a refusal.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

_MOST_REPLY_BYTES: Final = 32_768
_LINE: Final = re.compile(rb"([2-5][0-9][0-9])(?:([ -])([^\r]*))?\Z")
_ENHANCED: Final = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:[ \t]+|\Z)")


class ReplyError(ValueError):
    """The data of the peer is not an SMTP reply, is too long, or mixes different codes in one reply."""


@dataclass(frozen=True, slots=True)
class RemoteReply:
    """An SMTP reply.

    `enhanced` is the enhanced status code (RFC 3463) such as "5.1.1", "" if the reply has none. `text` has the lines
    without their codes, joined by spaces.
    """

    code: int
    enhanced: str
    text: str

    @classmethod
    def of(cls, code: int, lines: Iterable[str]) -> "RemoteReply":
        """Returns the reply that consists of these lines, which are without the code of three digits.

        An enhanced status code counts only if it has the same class (first digit) as `code` (RFC 2034 §4).
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
    """Converts received bytes to replies (RFC 5321 §4.2); it keeps the bytes of one unfinished reply at most."""

    def __init__(self) -> None:
        self._rest = b""
        self._code = 0
        self._lines: list[str] = []
        self._bytes = 0

    def feed(self, data: bytes) -> Iterator[RemoteReply]:
        """Yields the replies that are complete after `data`, the next bytes of the peer.

        Raises ReplyError, after it has yielded the valid replies before the fault. The caller must then stop reading
        from the peer.
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
