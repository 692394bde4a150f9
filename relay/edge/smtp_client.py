"""One connection to another mail server, from after its greeting to QUIT: transactions and nothing else.

Takes over the transport that `smtp_dial` has made ready. Commands of a transaction leave in one write where the server
offers PIPELINING (RFC 2920), content in pieces that never hold the loop. The one promise that all above relies on:
`LostError.phase` is "end_of_data" as soon as the final dot has been handed to the transport, and never before.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final, Literal

from relay.core.smtp_reply import RemoteReply, ReplyError, ReplyReader

Phase = Literal["connect", "tls", "mail", "rcpt", "data", "end_of_data", "dns"]

_PIECE_BYTES: Final = 65_536
_MOST_UNREAD_REPLIES: Final = 16
_QUIT_S: Final = 5


class LostError(Exception):
    """The connection ended, fell silent, or what came over it was not SMTP. It is closed by then."""

    def __init__(self, phase: Phase, text: str) -> None:
        super().__init__(text)
        self.phase = phase
        self.text = text


@dataclass(frozen=True, slots=True)
class Answer:
    """The server's last word on a transaction: accepted when it is 2xx at "end_of_data"."""

    phase: Phase
    reply: RemoteReply

    @property
    def accepted(self) -> bool:
        return self.phase == "end_of_data" and self.reply.code < 300

    @property
    def closing(self) -> bool:
        """421: the server goes away (RFC 5321 §3.8)."""
        return self.reply.code == 421


def _expect(least: int, reply: RemoteReply, phase: Phase) -> None:
    """That the reply is of the class, or above it where the class is a refusal. Raises LostError."""
    kind = min(reply.code // 100, 4)
    if kind != least:
        raise LostError(phase, "the reply does not fit the command")


class ClientSession(asyncio.Protocol):
    """`offers` are the EHLO keywords, lower case, with their parameters; `sent` counts transactions; `ended` is done
    when the connection is gone."""

    def __init__(
        self,
        transport: asyncio.Transport,
        *,
        host: str,
        offers: dict[str, str],
        tls: str,
        lmtp: bool,
        timeout_s: float,
    ) -> None:
        self.host = host
        self.offers = offers
        self.tls = tls
        self.sent = 0
        self._lmtp = lmtp
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._reader = ReplyReader()
        self._replies: deque[RemoteReply] = deque()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._waiter: asyncio.Future[None] | None = None
        self._paused = False
        self._lost = ""
        self._quitting = False
        self._unfinished = False
        self._transport = transport
        transport.set_protocol(self)

    @property
    def usable(self) -> bool:
        """Whether another transaction may be tried: alive, in step, nothing unasked for."""
        return not self._lost and not self._quitting and not self._replies and not self._transport.is_closing()

    async def transact(self, mail: bytes, rcpt: bytes, content: bytes) -> Answer:
        """One transaction with one recipient; `mail` and `rcpt` are whole commands without line end. Raises LostError,
        and aborts the connection when it is cancelled or raises anything."""
        self.sent += 1
        try:
            answer = await self._refusal(mail, rcpt) or await self._send(content)
        except BaseException:
            self.abort()
            raise
        self._unfinished = answer.phase != "end_of_data"
        if answer.closing:
            self.quit()
        return answer

    def quit(self) -> None:
        """Says QUIT and waits a moment for the answer in the background (RFC 5321 §4.1.1.10)."""
        if self._quitting or self._lost:
            return
        self._quitting = True
        self._transport.write(b"QUIT\r\n")
        self._loop.call_later(_QUIT_S, self.abort)

    def abort(self) -> None:
        self._lost = self._lost or "the connection was given up"
        self._transport.abort()

    # ---------------------------------------------------------------- the transaction

    async def _refusal(self, mail: bytes, rcpt: bytes) -> Answer | None:
        """Sends the envelope up to DATA; the first refusal, or None when the server waits for the content."""
        commands: list[tuple[Phase, bytes]] = [("mail", mail), ("rcpt", rcpt), ("data", b"DATA")]
        if self._unfinished:
            commands.insert(0, ("mail", b"RSET"))
        pipelining = "pipelining" in self.offers
        if pipelining:
            self._write("mail", b"\r\n".join(command for _, command in commands) + b"\r\n")
        refusal = None
        try:
            for phase, command in commands:
                if not pipelining:
                    self._write(phase, command + b"\r\n")
                reply = await self._reply(phase)
                if command == b"RSET" or reply.code < 400:
                    _expect(3 if command == b"DATA" else 2, reply, phase)
                    continue
                refusal = refusal or Answer(phase, reply)
                if not pipelining or refusal.closing:
                    break
            if refusal and reply.code < 400:
                await self._send_nothing()
        except LostError:
            if refusal is None:
                raise
            self.abort()
        return refusal

    async def _send_nothing(self) -> None:
        """DATA got 354 although the recipient was refused: an empty message ends it (RFC 2920 §3.1). LMTP would answer
        for each of no recipients, which leaves the end open (RFC 2033 §4.2)."""
        if self._lmtp:
            self.abort()
            return
        self._write("data", b".\r\n")
        await self._reply("data")

    async def _send(self, content: bytes) -> Answer:
        """Dot-stuffed (RFC 5321 §4.5.2), also after a bare LF, so that no next hop can see an end of data in there."""
        view, at_line_start, stuffed = memoryview(content), True, b""
        for start in range(0, len(content) or 1, _PIECE_BYTES):
            while self._paused and not self._replies:
                await self._wait("data", self._timeout_s)
            if self._replies:
                return self._cut_short()
            piece = bytes(view[start : start + _PIECE_BYTES])
            stuffed = piece.replace(b"\n.", b"\n..")
            if at_line_start and piece.startswith(b"."):
                stuffed = b"." + stuffed
            at_line_start = piece.endswith(b"\n")
            if start + _PIECE_BYTES < len(content):
                self._write("data", stuffed)
                await asyncio.sleep(0)
        # The last piece leaves with the dot: nothing can fail between the two.
        end = b".\r\n" if not content or content.endswith(b"\r\n") else b"\r\n.\r\n"
        return await self._finish(stuffed + end)

    def _cut_short(self) -> Answer:
        """An answer before the end of the data: without a final dot, nothing was accepted."""
        reply = self._replies.popleft()
        self.abort()
        _expect(4, reply, "data")
        return Answer("data", reply)

    async def _finish(self, last_piece: bytes) -> Answer:
        self._write("data", last_piece)
        # RFC 5321 §4.5.3.2.6: ten minutes where the other limits are five.
        reply = await self._reply("end_of_data", self._timeout_s * 2)
        if reply.code < 400:
            _expect(2, reply, "end_of_data")
        return Answer("end_of_data", reply)

    # ---------------------------------------------------------------- bytes

    def _write(self, phase: Phase, data: bytes) -> None:
        if self._lost or self._transport.is_closing():
            raise LostError(phase, self._lost or "the connection was closed")
        self._transport.write(data)

    async def _reply(self, phase: Phase, timeout_s: float | None = None) -> RemoteReply:
        """The next reply; one that came before the connection ended still counts."""
        while not self._replies:
            await self._wait(phase, timeout_s or self._timeout_s)
        return self._replies.popleft()

    async def _wait(self, phase: Phase, timeout_s: float) -> None:
        """Until something happens: a reply, room to write, the end. Once that has come, what was said still counts."""
        if self._lost:
            raise LostError(phase, self._lost)
        self._waiter = self._loop.create_future()
        timer = self._loop.call_later(timeout_s, self._expire)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _expire(self) -> None:
        self._end("no answer in time")

    def _end(self, why: str) -> None:
        self._lost = self._lost or why
        self._transport.abort()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # ---------------------------------------------------------------- asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        if self._quitting:
            self._transport.close()
            return
        try:
            for reply in self._reader.feed(data):
                self._replies.append(reply)
        except ReplyError as error:
            self._end(str(error))
            return
        if len(self._replies) > _MOST_UNREAD_REPLIES:
            self._end("more replies than commands")
        elif self._replies:
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        self._lost = self._lost or "the connection was closed"
        self.ended.set_result(None)
        self._wake()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._wake()
