"""One connection to another mail server, from after the greeting to QUIT, which only runs transactions.

It takes over the transport that `smtp_dial` has prepared. If the server offers PIPELINING (RFC 2920), the commands of a
transaction are sent in one write. The content is sent in pieces, so that a long message never blocks the event loop.
All callers depend on one rule: `LostError.phase` is "end_of_data" from the moment when the final dot was handed to the
transport, and never earlier.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final, Literal

from relay.core.smtp_reply import RemoteReply, ReplyError, ReplyReader
from relay.ports import Attempt

Phase = Literal["connect", "tls", "mail", "rcpt", "data", "end_of_data", "dns"]

_PIECE_BYTES: Final = 65_536
_MOST_UNREAD_REPLIES: Final = 16
_QUIT_S: Final = 5


class LostError(Exception):
    """Raised if the connection has ended, timed out, or carried data that is not SMTP. The connection is closed then.

    `phase` is the step of the transaction, `text` the cause, and `timed_out` is True if the server did not answer in
    time.
    """

    def __init__(self, phase: Phase, text: str, *, timed_out: bool = False) -> None:
        super().__init__(text)
        self.phase = phase
        self.text = text
        self.timed_out = timed_out


@dataclass(frozen=True, slots=True)
class Answer:
    """The server's last reply in a transaction, and the phase to which it belongs."""

    phase: Phase
    reply: RemoteReply

    @property
    def accepted(self) -> bool:
        """Returns whether the server accepted the message, which means a 2xx reply after the final dot."""
        return self.phase == "end_of_data" and self.reply.code < 300

    @property
    def closing(self) -> bool:
        """Returns whether the reply is 421, after which the server closes the connection (RFC 5321 §3.8)."""
        return self.reply.code == 421


def _expect(least: int, reply: RemoteReply, phase: Phase) -> None:
    """Raises LostError unless the reply begins with the digit `least`; if `least` is 4, also 5 is accepted."""
    kind = min(reply.code // 100, 4)
    if kind != least:
        raise LostError(phase, "the reply does not fit the command")


class ClientSession(asyncio.Protocol):
    """An open session with a server.

    `host` is the server's name and `address` its IP address. `offers` has the EHLO keywords in lower case with their
    parameters. `sent` is the number of transactions. The future `ended` is done when the connection is closed.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        *,
        host: str,
        address: str,
        offers: dict[str, str],
        tls: str,
        lmtp: bool,
        timeout_s: float,
        final_reply_timeout_s: float,
    ) -> None:
        self.host = host
        self.address = address
        self.offers = offers
        self.tls = tls
        self.sent = 0
        self._lmtp = lmtp
        self._timeout_s = timeout_s
        self._final_reply_timeout_s = final_reply_timeout_s
        self._loop = asyncio.get_running_loop()
        self._reader = ReplyReader()
        self._replies: deque[RemoteReply] = deque()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._waiter: asyncio.Future[None] | None = None
        self._paused = False
        self._lost = ""
        self._timed_out = False
        self._quitting = False
        self._unfinished = False
        self._transport = transport
        transport.set_protocol(self)

    @property
    def usable(self) -> bool:
        """Returns whether another transaction may be tried.

        The connection must be open, and no unexpected reply may have been received.
        """
        return not self._lost and not self._quitting and not self._replies and not self._transport.is_closing()

    async def transact(self, mail: bytes, rcpt: bytes, content: bytes, attempt: Attempt) -> Answer:
        """Runs one transaction with one recipient, and returns the server's last reply. Raises LostError.

        `mail` and `rcpt` are whole commands without their line end. `attempt.may_finish` is called before the final dot
        is sent. Any exception, also a cancellation, aborts the connection.
        """
        self.sent += 1
        try:
            answer = await self._refusal(mail, rcpt) or await self._send(content, attempt)
        except BaseException:
            self.abort()
            raise
        self._unfinished = answer.phase != "end_of_data"
        if answer.closing:
            self.quit()
        return answer

    def quit(self) -> None:
        """Sends QUIT (RFC 5321 §4.1.1.10).

        The connection is closed in the background, after the answer or after a few seconds.
        """
        if self._quitting or self._lost:
            return
        self._quitting = True
        self._transport.write(b"QUIT\r\n")
        self._loop.call_later(_QUIT_S, self.abort)

    def abort(self) -> None:
        """Closes the connection at once."""
        self._lost = self._lost or "the connection was aborted"
        self._transport.abort()

    # ---------------------------------------------------------------- the transaction

    async def _refusal(self, mail: bytes, rcpt: bytes) -> Answer | None:
        """Sends the commands from MAIL to DATA.

        Returns the first refusal, or None if the server waits for the content.
        """
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
        """Sends an empty message after a 354 that the server gave although it refused the recipient (RFC 2920 §3.1).

        An LMTP server gives one answer for each accepted recipient, so it would give none here, and the end of the data
        could not be recognized (RFC 2033 §4.2). Therefore the connection to an LMTP server is aborted.
        """
        if self._lmtp:
            self.abort()
            return
        self._write("data", b".\r\n")
        await self._reply("data")

    async def _send(self, content: bytes, attempt: Attempt) -> Answer:
        """Sends the content with dot-stuffing, and returns the server's answer (RFC 5321 §4.5.2). Raises LostError.

        A dot after a bare LF is stuffed too, so that no later server can mistake it for the end of the data.
        """
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
                attempt.taken(len(stuffed))
                await asyncio.sleep(0)
        # The last piece is sent together with the final dot, so that nothing can fail between the two.
        end = b".\r\n" if not content or content.endswith(b"\r\n") else b"\r\n.\r\n"
        if not attempt.may_finish():
            await asyncio.sleep(0)  # here the cancellation arrives
            raise LostError("data", "the delivery was cut off")
        return await self._finish(stuffed + end)

    def _cut_short(self) -> Answer:
        """Returns a refusal that came before the end of the data, and aborts the connection.

        The final dot was not sent, so the server has accepted nothing.
        """
        reply = self._replies.popleft()
        self.abort()
        _expect(4, reply, "data")
        return Answer("data", reply)

    async def _finish(self, last_piece: bytes) -> Answer:
        """Sends the last piece, which contains the final dot, and returns the answer. Raises LostError."""
        self._write("data", last_piece)
        reply = await self._reply("end_of_data", self._final_reply_timeout_s)
        if reply.code < 400:
            _expect(2, reply, "end_of_data")
        return Answer("end_of_data", reply)

    # ---------------------------------------------------------------- bytes

    def _write(self, phase: Phase, data: bytes) -> None:
        if self._lost or self._transport.is_closing():
            raise LostError(phase, self._lost or "the connection was closed", timed_out=self._timed_out)
        self._transport.write(data)

    async def _reply(self, phase: Phase, timeout_s: float | None = None) -> RemoteReply:
        """Returns the next reply, also one that was received just before the connection ended. Raises LostError."""
        while not self._replies:
            await self._wait(phase, timeout_s or self._timeout_s)
        return self._replies.popleft()

    async def _wait(self, phase: Phase, timeout_s: float) -> None:
        """Waits for a reply, for room to write, or for the end of the connection.

        Raises LostError if the connection had ended before the call. It does not raise if the connection ends during
        the wait, because a reply may have been received just before.
        """
        if self._lost:
            raise LostError(phase, self._lost, timed_out=self._timed_out)
        self._waiter = self._loop.create_future()
        timer = self._loop.call_later(timeout_s, self._expire)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _expire(self) -> None:
        self._timed_out = True
        self._end("the server did not answer in time")

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
            self._end("the server sent more replies than it got commands")
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
