"""One connection as a stream of lines and replies: reading, writing, time limits, TLS, and the end of the connection.

Replies are collected and sent in one write when there is no more input, so that a pipelining client gets its answers in
one packet. Input is read in large pieces into one buffer, from which lines and messages are cut. `_limited` limits
every wait for the client. The end of a session interrupts these waits, the delay of an answer and the check of a login,
and no other work. If the client leaves about twice `_CHUNK` bytes of replies unread, the session stops until the client
reads. A session that has ended closes its socket within `_LINGER_S + _FLUSH_S` seconds, whether the client reads or
not. Until then the guard counts the client.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar, cast

import structlog
from aiosmtpd.smtp import SMTP, Envelope

from relay import config, ports
from relay.core.model.reply import Reply
from relay.core.networks import Address
from relay.edge.clients import limit_silence, peer_address
from relay.edge.smtp_in import data
from relay.edge.smtp_in.grammar import ProtocolFault
from relay.edge.smtp_in.guard import Admission, Guard
from relay.edge.smtp_in.space import DataSpace

T = TypeVar("T")

_CHUNK: Final = 65_536
_LINE_BYTES: Final = 2_048
AUTH_LINE_BYTES: Final = 12_288
"""The longest AUTH command, and the longest answer to its challenges (RFC 4954 §4).

All other lines have at most `_LINE_BYTES`.
"""
_LINGER_S: Final = 1
_FLUSH_S: Final = 2  # the time for a full send buffer, and for the client's part of closing TLS
_PROGRESS_BYTES: Final = 16_384  # the bytes of a message that count as progress within `limits.scarce_idle_s`
_SWEEP_S: Final = 1  # the time between two searches for sessions without progress

_log = structlog.get_logger(__name__)


@dataclass(kw_only=True)
class ListenerContext:
    """The values that all sessions of one listener share. `tls` may be replaced while the listener is open."""

    listener: config.Listener
    limits: config.SmtpLimits
    plain_auth: bool
    hostname: str
    tls: ssl.SSLContext | None
    intake: ports.Intake
    clock: ports.Clock
    observer: ports.Observer
    guard: Guard
    space: DataSpace
    sessions: "set[Connection]" = field(default_factory=set)
    commits: "set[asyncio.Task[list[Reply]]]" = field(default_factory=set)
    name: str = field(init=False)
    _swept_at_s: float = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.name = self.guard.add_listener(self.end_sessions_without_progress)

    def end_sessions_without_progress(self) -> None:
        """Ends the sessions that wait for their client and made no progress for `limits.scarce_idle_s`.

        Does nothing if it was called within the last second. Sessions of trusted networks continue.
        """
        now_s = self.clock.monotonic_s()
        if now_s - self._swept_at_s >= _SWEEP_S:
            self._swept_at_s = now_s
            for session in tuple(self.sessions):
                session.end_without_progress(now_s)

    def count_refusal(self, reason: str) -> None:
        """Counts a refusal in the metrics, with its reason."""
        self.observer.count("smtp_in_refused", port=self.listener.kind, reason=reason)


class Hangup(Exception):  # noqa: N818 (it ends a session and is not an error)
    """Raised to end the session.

    `reason` is the label in the metrics and the log. `reply` is the last reply to the client, "" if no reply can be
    sent.
    """

    def __init__(self, reason: str, reply: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.reply = reply


class _NoHooks:
    """An object without members, which takes the place of aiosmtpd's handler.

    For each connection aiosmtpd's class searches all members of the server and the handler for hooks, which takes 0.13
    ms. The relay has its commands in a table instead, so that a wrong name is an error at import.
    """

    def __dir__(self) -> Iterable[str]:
        return ()


_NO_HOOKS: Final = _NoHooks()


class Connection(SMTP):
    """The base class of a session. Subclasses implement `_converse`."""

    envelope: Envelope
    transport: asyncio.Transport
    line_length_limit = _CHUNK  # aiosmtpd passes this to the stream, which stops reading at twice the size

    def __init__(self, context: ListenerContext, client: Address | None = None) -> None:
        """Prepares a connection of the listener.

        `client` is the client that a PROXY header has named. It replaces the address of the connection.
        """
        super().__init__(
            _NO_HOOKS,
            hostname=context.hostname,
            timeout=context.limits.session_s,
            loop=asyncio.get_running_loop(),
            ident="relay",
        )
        self._context = context
        self._limits = context.limits
        self._buffer = bytearray()
        self._replies: list[str] = []
        self._replies_bytes = 0
        self._wait: asyncio.Timeout | None = None
        self._hangup: Hangup | None = None
        self._at_once = False
        self._tls = context.listener.tls == "implicit"
        self._named_client = client
        self._client: Address
        self._admission: Admission | None = None
        self._progress_at_s = 0.0
        self._progress_bytes = 0

    def __dir__(self) -> Iterable[str]:
        """Returns nothing, so that aiosmtpd does not search the members (see `_NoHooks`)."""
        return ()

    # ------------------------------------------------------------ life

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._client = self._named_client or peer_address(transport)
        self.note_progress()
        # The default limit of a TLS connection is eight times as much.
        cast("asyncio.Transport", transport).set_write_buffer_limits(high=_CHUNK)
        # This time is longer than the session's own limits, which end the session with a reply and a reason.
        limit_silence(transport, self._limits.command_idle_s + _LINGER_S + _FLUSH_S)
        self._context.sessions.add(self)
        assert self._handler_coroutine is not None
        self._handler_coroutine.add_done_callback(self._forget_connection)

    def _forget_connection(self, _task: "asyncio.Task[None]") -> None:
        """Removes the connection from the listener, when the task of the session has ended.

        The task ends after the socket is closed, also if the task never ran.
        """
        assert self._timeout_handle is not None
        self._timeout_handle.cancel()  # connection_lost also does this, but is not called after a failed handshake
        self._context.sessions.discard(self)
        self.release()

    def eof_received(self) -> bool:
        """Returns whether the connection stays open for answers after the client has closed its side.

        This is True without TLS and False under TLS, which has no half-closed state. Unlike in aiosmtpd, a running
        commit is not cancelled.
        """
        self._reader.feed_eof()
        return not self._tls

    def _timeout_cb(self) -> None:
        """Ends the session when its total time is over.

        aiosmtpd calls it by a timer, which no command restarts here.
        """
        self.end(Hangup("session", "421 4.4.2 the session took too long, closing"), at_once=True)

    def end(self, hangup: Hangup, *, at_once: bool = False) -> None:
        """Ends the session at its next wait for the client.

        Without `at_once`, a transaction that has begun is finished first.
        """
        self._hangup, self._at_once = hangup, self._at_once or at_once
        if self._wait is not None and not self._wait.expired() and self._due_hangup():
            self._wait.reschedule(self.loop.time())

    def note_progress(self) -> None:
        """Records that the session has made progress now."""
        self._progress_at_s, self._progress_bytes = self._context.clock.monotonic_s(), 0

    def end_without_progress(self, now_s: float) -> None:
        """Ends the session if it waits for its client and has made no progress for `limits.scarce_idle_s`."""
        if (
            self._wait is not None
            and now_s - self._progress_at_s >= self._limits.scarce_idle_s
            and not self._context.guard.clients.is_free(self._client)
        ):
            self.end(Hangup("scarce", "421 4.3.2 too many connections, closing the idle ones"), at_once=True)

    @property
    def task(self) -> "asyncio.Task[None] | None":
        """Returns the task that runs the session; None before the connection is made."""
        return self._handler_coroutine

    def cut(self) -> None:
        """Closes the connection without a reply. A running commit continues."""
        self._writer.transport.abort()
        assert self._handler_coroutine is not None
        self._handler_coroutine.cancel()

    def _due_hangup(self) -> Hangup | None:
        return self._hangup if self._at_once or self.envelope.mail_from is None else None

    async def _handle_client(self) -> None:
        """Runs the session until `connection_lost` cancels it. Aborts a connection that does not close in time."""
        try:
            self._context.observer.count("smtp_in_connections", port=self._context.listener.kind)
            if self._admission is None:
                self.admit(self._client)
            await self._converse()
        except Hangup as hangup:
            await self._send_last_reply(hangup)
            await self._close()
        except OSError:
            self._context.count_refusal("connection_lost")
        finally:
            self._writer.transport.abort()

    async def _close(self) -> None:
        """Closes the connection and waits for its end, which cancels this task.

        Returns if the connection does not end in time.
        """
        if self._writer.transport.is_closing():  # `connection_lost` is never called after a failed handshake
            return
        self._writer.close()
        await asyncio.sleep(_FLUSH_S)

    async def _converse(self) -> None:
        """Answers the client's commands until the session ends. Raises Hangup."""
        raise NotImplementedError

    def admit(self, client: Address) -> None:
        """Counts the connection for `client` until `release`. Raises Hangup if there are too many."""
        self.release()
        self._client = client
        self._admission = self._context.guard.admit(client, self._context.name)
        if reason := self._admission.refusal:
            reply = "421 4.7.0 too many connections or unknown recipients, try again later"
            raise Hangup(reason, reply if self._admission.is_answered else "")

    def release(self) -> None:
        """Ends the count that `admit` has begun. Does nothing if the connection is not counted."""
        if self._admission is not None:
            self._admission.release()
            self._admission = None

    async def _send_last_reply(self, hangup: Hangup) -> None:
        """Logs the end of the session and sends its last reply.

        Input is read for a moment longer, because closing a socket with unread input would reset the connection, and
        the reply would be lost.
        """
        if hangup.reason != "quit":
            self._context.count_refusal(hangup.reason)
            log = _log.info if hangup.reply else _log.debug
            log("smtp_session_ended", port=self._context.listener.kind, client=str(self._client), reason=hangup.reason)
        if hangup.reply:
            self._replies.append(hangup.reply)
        self._write()
        if hangup.reason == "quit" or not hangup.reply:
            return
        if self._writer.can_write_eof():
            self._writer.write_eof()
        try:
            async with asyncio.timeout(_LINGER_S):
                while await self._reader.read(_CHUNK):
                    pass
        except OSError:  # TimeoutError is a subclass
            return

    def _set_rset_state(self) -> None:
        self.envelope = Envelope()

    # ------------------------------------------------------------ TLS

    async def _start_tls(self) -> None:
        """Starts TLS by the public functions of both event loops, because aiosmtpd uses private ones. Raises Hangup.

        Reading is paused before the reply "go ahead" and continues under TLS. Therefore no byte that was sent without
        TLS can count as a byte under TLS.
        """
        assert self._context.tls is not None
        await self._flush(self._limits.command_idle_s)
        try:
            await self._writer.start_tls(self._context.tls, ssl_handshake_timeout=self._limits.handshake_s)
        except OSError:
            raise Hangup("tls") from None
        self.transport = cast("asyncio.Transport", self._writer.transport)
        self.transport.set_write_buffer_limits(high=_CHUNK)
        self._reader._transport = self.transport  # type: ignore[attr-defined]  # noqa: SLF001 (as in aiosmtpd, because Python 3.11 omits it)
        self._tls = True

    def _pause_for_tls(self) -> bool:
        """Pauses reading and returns True. Returns False, without a pause, if there is input after the last command."""
        self.transport.pause_reading()
        if self._buffer or self._reader._buffer:  # type: ignore[attr-defined]  # noqa: SLF001 (as aiosmtpd)
            self.transport.resume_reading()
            return False
        return True

    # ------------------------------------------------------------ replies

    def say(self, reply: Reply | str) -> None:
        """Adds a reply to the replies that the next write sends."""
        text = str(reply)
        self._replies.append(text)
        self._replies_bytes += len(text)

    def _write(self) -> None:
        if self._replies:
            self._replies.append("")
            self._writer.write("\r\n".join(self._replies).encode("ascii", "replace"))
            self._replies.clear()
            self._replies_bytes = 0

    async def _flush(self, idle_s: float) -> None:
        """Sends the replies, and waits while the client leaves too many of them unread.

        Raises Hangup if the client has disconnected or is too slow, or the session must end.
        """
        self._write()
        await self._limited(idle_s, self._writer.drain)

    async def _limited(self, idle_s: float, wait: Callable[[], Awaitable[T]]) -> T:
        """Returns the result of a wait for the client, limited to `idle_s` seconds.

        Raises Hangup if the client has disconnected or is too slow, or the session must end.
        """
        try:
            return await self._interruptible(idle_s, wait)
        except TimeoutError:
            raise Hangup("idle", "421 4.4.2 idle for too long, closing") from None
        except OSError:
            raise Hangup("connection_lost") from None

    async def _delay(self, delay_s: float) -> None:
        """Delays the next answer by `delay_s` seconds. Raises Hangup if the session must end."""
        if delay_s:
            with contextlib.suppress(TimeoutError):
                await self._interruptible(delay_s, self.loop.create_future)

    async def _interruptible(self, limit_s: float | None, work: Callable[[], Awaitable[T]]) -> T:
        """Returns the result of `work`, a wait that the method `end` may interrupt.

        Raises Hangup if the session must end, and TimeoutError after `limit_s` seconds. This is not a context manager,
        because a context manager that is made from a generator takes longer than the whole rest of a short wait.
        """
        if hangup := self._due_hangup():
            raise hangup
        try:
            async with asyncio.timeout(limit_s) as self._wait:
                return await work()
        except TimeoutError:
            if hangup := self._due_hangup():
                raise hangup from None
            raise
        finally:
            self._wait = None

    # ------------------------------------------------------------ reading

    async def _fill(self, idle_s: float) -> None:
        """Sends all replies and waits for more input.

        Raises Hangup if the client has disconnected or is too slow, or the session must end.
        """
        self._write()
        if self._writer.transport.get_write_buffer_size():
            await self._limited(idle_s, self._writer.drain)
        piece = await self._limited(idle_s, partial(self._reader.read, _CHUNK))
        if not piece:
            raise Hangup("connection_lost")
        self._buffer += piece
        if self.envelope.rcpt_tos:
            self._progress_bytes += len(piece)
            if self._progress_bytes >= _PROGRESS_BYTES:
                self.note_progress()

    async def _read_line(self, most: int = _LINE_BYTES) -> str:
        """Returns the next line of at most `most` bytes without its line end.

        The line must be complete within `limits.command_idle_s`. An AUTH command may be longer if logins are offered.
        Raises ProtocolFault if it is not a line of text (R-IN-04), and Hangup.
        """
        if self._replies_bytes > _CHUNK:
            await self._flush(self._limits.command_idle_s)
        buffer, too_long = self._buffer, False
        left_s, now_s = self._limits.command_idle_s, self._context.clock.monotonic_s
        while (end := buffer.find(b"\n")) < 0:
            most = max(most, self._longest_command(buffer))
            if len(buffer) > most:
                too_long = True
                buffer.clear()
            since_s = now_s()
            await self._fill(left_s)
            left_s += since_s - now_s()
        line = bytes(buffer[: end + 1])
        del buffer[: end + 1]
        if too_long or (len(line) > most and len(line) > self._longest_command(line)):
            raise ProtocolFault(500, "5.5.2", "the line is too long")
        if not line.endswith(data.LINE_END):
            raise ProtocolFault(500, "5.5.2", "a line must end in CR LF", reason="line_ends")
        try:
            text = line[:-2].decode()
        except UnicodeDecodeError:
            raise ProtocolFault(500, "5.5.2", "the line is not UTF-8") from None
        if not text.isprintable():
            raise ProtocolFault(500, "5.5.2", "the line has a control character")
        return text

    def _longest_command(self, line: bytes | bytearray) -> int:
        """Returns the longest allowed length in bytes of a command line with this beginning."""
        is_login = self._context.listener.kind == "submission" and line[:5].upper() == b"AUTH "
        return AUTH_LINE_BYTES if is_login else _LINE_BYTES
