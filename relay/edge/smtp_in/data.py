"""The content of a message after DATA: its end, its allowed octets (RFC 5321 §4.5.2, §2.3.8), and its storage.

A small message stays in memory. A bigger message is moved piece by piece into a file, and counts in the budget of
unread mail until its transaction has ended.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from relay.edge.smtp_in.grammar import ProtocolFault
from relay.edge.smtp_in.space import DataClient, DataSpace, UnreadMail
from relay.edge.smtp_in.spool import Spool

LINE_END: Final = b"\r\n"
END_MARK: Final = b"\r\n.\r\n"
"""The only mark that ends the data. A dot between other line ends is content.

SMTP smuggling is possible if two servers do not agree on this mark.
"""
PIECE_BYTES: Final = 131_072
"""The size up to which a received message is kept in memory, and the size of the pieces of a bigger message."""


class IncomingContent:
    """The content of one message while it is received. The caller must call `close` at the end.

    After a fault no more content is kept: the client is read up to the end mark, and `finish` raises the fault. `last`
    is the last piece of the content; if the message is not in a file, this is the whole content.
    """

    def __init__(
        self, space: DataSpace, client: Callable[[], DataClient], limit_bytes: int, *, end: Callable[[], None]
    ) -> None:
        """Prepares an empty content.

        `client()` returns the client for whom the bytes count. It is called only for a big message. `end()` is called
        if the message must give its space to a faster message.
        """
        self._space = space
        self._client = client
        self._end = end
        self._begun_at_s = space.now_s()
        self._unread: UnreadMail | None = None
        self._limit_bytes = limit_bytes
        self._fault: ProtocolFault | None = None
        self._spool: Spool | None = None
        self._writing: asyncio.Future[None] | None = None
        self._is_begun = False
        self.last = b""
        self.size_bytes = 0

    @property
    def is_spooled(self) -> bool:
        """Returns whether the content is in a file."""
        return self._spool is not None

    async def add(self, wire: bytes) -> None:
        """Stores a piece of the content. The piece must end at a position that `cut` has returned."""
        if self._fault is not None:
            return
        if self._unread is None:
            self._unread = self._space.begin(self._client(), self._begun_at_s, self._give_way)
        try:
            piece = self._accepted(wire)
            if not self._space.take(self._unread, len(piece)):
                raise no_space()
            self._writing = asyncio.get_running_loop().run_in_executor(None, self._write, piece)
            await asyncio.shield(self._writing)
        except ProtocolFault as fault:
            self._fault = fault
            self.close()
        except OSError:
            self._fault = ProtocolFault(452, "4.3.1", "no space for the message, try again later", reason="disk")
            self.close()

    def finish(self, wire: bytes) -> None:
        """Stores the last piece, which ends with the line end before the end mark. Raises ProtocolFault."""
        if self._fault is not None:
            raise self._fault
        self.last = self._accepted(wire)
        if self._unread is not None:
            self._space.complete(self._unread)

    async def whole(self) -> bytes:
        """Returns the whole content of a message that is in a file. Raises OSError."""
        assert self._spool is not None
        return await asyncio.to_thread(self._spool.read, self.last)

    def close(self) -> None:
        """Frees the file and the bytes of the budget, after a running write. A second call does nothing."""
        if self._writing is not None and not self._writing.done():
            self._writing.add_done_callback(self._free)
        else:
            self._free()

    def _give_way(self) -> None:
        self._fault = no_space()
        self.close()
        self._end()

    def _free(self, writing: "asyncio.Future[None] | None" = None) -> None:
        if writing is not None and not writing.cancelled():
            writing.exception()  # nobody else reads the result, because the session has ended
        if self._spool is not None:
            self._spool.close()
            self._spool = None
        if self._unread is not None:
            self._space.release(self._unread)

    def _accepted(self, wire: bytes) -> bytes:
        """Returns the content of the next piece, and adds it to the size of the message. Raises ProtocolFault."""
        piece = unstuffed(wire)
        if not self._is_begun:
            self._is_begun = True
            piece = piece[len(LINE_END) :]  # this is the line end before the first line
        self.size_bytes += len(piece)
        if self.size_bytes > self._limit_bytes:
            raise too_big(self._limit_bytes)
        return piece

    def _write(self, piece: bytes) -> None:
        if self._spool is None:
            self._spool = Spool(self._space.directory)
        self._spool.add(piece)


def cut(buffer: bytearray) -> int:
    """Returns the position in `buffer` up to which the bytes may be taken as a piece.

    The piece must not end inside a line end, a stuffed dot or an end mark. Therefore the position is before the last
    line end. If the buffer has no line end, the position is the end of the buffer, or before a CR that stands at the
    end. The position is 0 if the buffer may be only the beginning of an end mark.
    """
    at = buffer.rfind(LINE_END)
    if at > 0 or len(buffer) < len(END_MARK):
        return max(at, 0)
    return len(buffer) - buffer.endswith(b"\r")


def unstuffed(wire: bytes) -> bytes:
    """Returns a piece of the content without dot-stuffing. Raises ProtocolFault.

    The first piece begins with the line end before the first line. Lines of more than 1,000 octets are accepted,
    because real mail has them. A bare CR, a bare LF and a NUL are refused and not repaired (R-IN-04).
    """
    line_ends = wire.count(LINE_END)
    if wire.count(b"\n") != line_ends or wire.count(b"\r") != line_ends:
        raise ProtocolFault(550, "5.6.11", "the message has a bare CR or LF", reason="line_ends")
    if b"\0" in wire:
        raise ProtocolFault(550, "5.6.0", "the message has a NUL", reason="nul")
    return wire.replace(b"\r\n.", LINE_END)


def too_big(limit_bytes: int) -> ProtocolFault:
    """Returns the refusal of a message that exceeds the size limit."""
    return ProtocolFault(
        552, "5.3.4", f"the message is larger than {limit_bytes} bytes", reason="size"
    )  # RFC 1870 §6.1


def no_space() -> ProtocolFault:
    """Returns the temporary refusal of a message for which there is no space now."""
    return ProtocolFault(
        452, "4.3.1", "too much large mail is being received at present, try again later", reason="unread_bytes"
    )
