"""One connection as a stream of lines and replies: reading, writing, time limits, TLS, and how it ends.

Replies are gathered and leave in one write, when there is nothing more to read: a pipelining client gets its answers
in one packet. Reading is in big pieces from the stream into one buffer, out of which lines and messages are cut.
Every wait for the client is limited by `_limited`; a session's work is never cut short by time. Replies that the client
does not read stop the session at about twice `_CHUNK` bytes, and a session that is over closes its socket within
`_LINGER_S + _FLUSH_S` seconds, whether the client reads or not. Until then the guard counts the client.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Final, cast

import structlog
from aiosmtpd.smtp import SMTP, Envelope

from relay import config, ports
from relay.core.model.reply import Reply
from relay.edge.smtp_in import data
from relay.edge.smtp_in.grammar import Refused
from relay.edge.smtp_in.guard import Address, Guard, client_address

_CHUNK: Final = 65_536
_LINE_BYTES: Final = 2_048
_AUTH_LINE_BYTES: Final = 12_288  # RFC 4954 §4
HANDSHAKE_S: Final = 30
_LINGER_S: Final = 1
_FLUSH_S: Final = 2  # for a full send buffer, and for the client's part of closing TLS

_log = structlog.get_logger(__name__)


@dataclass(kw_only=True)
class ListenerContext:
    """What the sessions of one listener share. `tls` may be exchanged while it is open."""

    listener: config.Listener
    limits: config.SmtpLimits
    plain_auth: bool
    hostname: str
    tls: ssl.SSLContext | None
    intake: ports.Intake
    clock: ports.Clock
    observer: ports.Observer
    guard: Guard
    sessions: "set[Connection]" = field(default_factory=set)
    commits: "set[asyncio.Task[list[Reply]]]" = field(default_factory=set)

    def count_refusal(self, reason: str) -> None:
        self.observer.count("smtp_in_refused", port=self.listener.kind, reason=reason)


class Hangup(Exception):  # noqa: N818 (a way to end, not an error)
    """The session is over, with last words for the client or, when it is gone, none."""

    def __init__(self, reason: str, words: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.words = words


class _NoHooks:
    """The base class looks through all members of server and handler for hooks, in each new connection (0.13 ms).
    Commands are in a table of ours, so that a misspelt one is an error at import, and there are no hooks."""

    def __dir__(self) -> Iterable[str]:
        return ()


_NO_HOOKS: Final = _NoHooks()


def _limit_silence(transport: asyncio.BaseTransport, silence_s: float) -> None:
    """Lets the kernel end a connection whose peer does not acknowledge for so long, where the platform can."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        option_ms = min(max(1, int(silence_s * 1_000)), 2**31 - 1)
        with contextlib.suppress(OSError):  # the connection may be gone already
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, option_ms)


class Connection(SMTP):
    envelope: Envelope
    transport: asyncio.Transport
    line_length_limit = _CHUNK  # aiosmtpd gives it to the stream, which stops reading ahead at twice as much

    def __init__(self, door: ListenerContext, client: Address | None = None) -> None:
        """`client` overrides the address of the connection, for a client that a PROXY header named."""
        super().__init__(
            _NO_HOOKS,
            hostname=door.hostname,
            timeout=door.limits.session_s,
            loop=asyncio.get_running_loop(),
            ident="relay",
        )
        self._door = door
        self._limits = door.limits
        self._buffer = bytearray()
        self._replies: list[str] = []
        self._replies_bytes = 0
        self._wait: asyncio.Timeout | None = None
        self._farewell: Hangup | None = None
        self._at_once = False
        self._tls = door.listener.tls == "implicit"
        self._named_client = client
        self._client: Address
        self._is_counted = False

    def __dir__(self) -> Iterable[str]:
        """The two ways to log in are all that is to be found (see `_NoHooks`)."""
        return ("auth_LOGIN", "auth_PLAIN")

    # ------------------------------------------------------------ life

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        peer = transport.get_extra_info("peername") or ("::",)  # nobody, when the client is gone already
        self._client = self._named_client or client_address(peer[0])
        cast("asyncio.Transport", transport).set_write_buffer_limits(high=_CHUNK)  # TLS has eight times as much
        # Longer than a session's own limits, which end it with a reply and a reason.
        _limit_silence(transport, self._limits.command_idle_s + _LINGER_S + _FLUSH_S)
        self._door.sessions.add(self)
        assert self._handler_coroutine is not None
        self._handler_coroutine.add_done_callback(self._gone)

    def _gone(self, _task: "asyncio.Task[None]") -> None:
        """Forgets the connection. The task ends after the socket, even if it never ran."""
        assert self._timeout_handle is not None
        self._timeout_handle.cancel()  # connection_lost, which does it too, is not called in a failed handshake
        self._door.sessions.discard(self)
        self.release()

    def eof_received(self) -> bool:
        """A client that closed its side still gets its answers, and a commit under way is not cancelled: unlike in
        aiosmtpd. TLS has no half-closed state."""
        self._reader.feed_eof()
        return not self._tls

    def _timeout_cb(self) -> None:
        """The library's own timer, never restarted by commands here: the limit of the whole session."""
        self.end(Hangup("session", "421 4.4.2 the session took too long, closing"), at_once=True)

    def end(self, farewell: Hangup, *, at_once: bool = False) -> None:
        """Ends the session at its next wait for the client; unless `at_once`, not before its transaction is over."""
        self._farewell, self._at_once = farewell, self._at_once or at_once
        if self._wait is not None and not self._wait.expired() and self._due_farewell():
            self._wait.reschedule(self.loop.time())

    @property
    def task(self) -> "asyncio.Task[None] | None":
        return self._handler_coroutine

    def cut(self) -> None:
        """Ends the connection without another word; what is being committed goes on."""
        self._writer.transport.abort()
        assert self._handler_coroutine is not None
        self._handler_coroutine.cancel()

    def _due_farewell(self) -> Hangup | None:
        return self._farewell if self._at_once or self.envelope.mail_from is None else None

    async def _handle_client(self) -> None:
        """Lasts until `connection_lost` cancels it, or until it aborts a connection that does not close in time."""
        try:
            self._door.observer.count("smtp_in_connections", port=self._door.listener.kind)
            if not self._is_counted:
                self.admit(self._client)
            await self._converse()
        except Hangup as hangup:
            await self._part(hangup)
            await self._close()
        except OSError:
            self._door.count_refusal("connection_lost")
        finally:
            self._writer.transport.abort()

    async def _close(self) -> None:
        """Closes the connection and waits for its end, which cancels the task. Returns if it does not end in time."""
        if self._writer.transport.is_closing():  # as after a failed handshake, where `connection_lost` never comes
            return
        self._writer.close()
        await asyncio.sleep(_FLUSH_S)

    async def _converse(self) -> None:
        raise NotImplementedError

    def admit(self, client: Address) -> None:
        """Counts the connection for `client` until `release`. Raises Hangup when there are too many."""
        self.release()
        self._client, self._is_counted = client, True
        if reason := self._door.guard.admit(client):
            raise Hangup(reason, "421 4.7.0 too many connections or unknown recipients, try again later")

    def release(self) -> None:
        """Ends the count of `admit`; does nothing when the connection is not counted."""
        if self._is_counted:
            self._door.guard.release(self._client)
            self._is_counted = False

    async def _part(self, hangup: Hangup) -> None:
        """The last words must arrive: closing with unread input would reset the connection and lose them."""
        if hangup.reason != "quit":
            self._door.count_refusal(hangup.reason)
            log = _log.info if hangup.words else _log.debug
            log("smtp session ended", port=self._door.listener.kind, client=str(self._client), why=hangup.reason)
        if hangup.words:
            self._replies.append(hangup.words)
        self._write()
        if hangup.reason == "quit" or not hangup.words:
            return
        if self._writer.can_write_eof():
            self._writer.write_eof()
        try:
            async with asyncio.timeout(_LINGER_S):
                while await self._reader.read(_CHUNK):
                    pass
        except OSError:  # TimeoutError is one
            return

    def _set_rset_state(self) -> None:
        self.envelope = Envelope()

    # ------------------------------------------------------------ TLS

    async def _start_tls(self) -> None:
        """Public API of both loops instead of aiosmtpd's use of private parts. Reading is paused from before the "go"
        until TLS reads, so no byte sent in clear is ever taken for one sent under TLS."""
        assert self._door.tls is not None
        await self._flush(self._limits.command_idle_s)
        try:
            await self._writer.start_tls(self._door.tls, ssl_handshake_timeout=HANDSHAKE_S)
        except OSError:
            raise Hangup("tls") from None
        self.transport = cast("asyncio.Transport", self._writer.transport)
        self.transport.set_write_buffer_limits(high=_CHUNK)
        self._reader._transport = self.transport  # type: ignore[attr-defined]  # noqa: SLF001 (as aiosmtpd; 3.11 forgets it)
        self._tls = True

    def _pause_for_tls(self) -> bool:
        """Whether nothing came in behind the last command. Only then reading stays paused."""
        self.transport.pause_reading()
        if self._buffer or self._reader._buffer:  # type: ignore[attr-defined]  # noqa: SLF001 (as aiosmtpd)
            self.transport.resume_reading()
            return False
        return True

    # ------------------------------------------------------------ replies

    def say(self, reply: Reply | str) -> None:
        text = str(reply)
        self._replies.append(text)
        self._replies_bytes += len(text)

    async def push(self, status: str | bytes) -> None:
        """What aiosmtpd's ways to log in say: a challenge or a complaint."""
        self.say(status if isinstance(status, str) else status.decode("ascii"))

    def _write(self) -> None:
        if self._replies:
            self._replies.append("")
            self._writer.write("\r\n".join(self._replies).encode("ascii", "replace"))
            self._replies.clear()
            self._replies_bytes = 0

    async def _flush(self, idle_s: float) -> None:
        """Sends the replies and waits while the client leaves too many of them unread. Raises Hangup as `_limited`."""
        self._write()
        async with self._limited(idle_s):
            await self._writer.drain()

    @contextlib.asynccontextmanager
    async def _limited(self, idle_s: float) -> AsyncIterator[None]:
        """Limits a wait for the client. Raises Hangup when the client is gone or too slow, or the session must end."""
        if farewell := self._due_farewell():
            raise farewell
        try:
            async with asyncio.timeout(idle_s) as self._wait:
                yield
        except TimeoutError:
            raise self._due_farewell() or Hangup("idle", "421 4.4.2 idle for too long, closing") from None
        except OSError:
            raise Hangup("connection_lost") from None
        finally:
            self._wait = None

    # ------------------------------------------------------------ reading

    async def _fill(self, idle_s: float) -> None:
        """Waits for the client, after all replies went out. Raises Hangup as `_limited`, and when the client closed."""
        self._write()
        async with self._limited(idle_s):
            await self._writer.drain()
            piece = await self._reader.read(_CHUNK)
        if not piece:
            raise Hangup("connection_lost")
        self._buffer += piece

    async def _read_line(self) -> str:
        """The next command line without its end. Raises Refused for one that is no line of text (R-IN-04)."""
        if self._replies_bytes > _CHUNK:
            await self._flush(self._limits.command_idle_s)
        buffer, most = self._buffer, self._longest_line()
        too_long = False
        while (end := buffer.find(b"\n")) < 0:
            if len(buffer) > most:
                too_long = True
                buffer.clear()
            await self._fill(self._limits.command_idle_s)
        line = bytes(buffer[: end + 1])
        del buffer[: end + 1]
        if too_long or len(line) > most:
            raise Refused(500, "5.5.2", "the line is too long")
        if not line.endswith(data.LINE_END):
            raise Refused(500, "5.5.2", "a line ends in CR LF", reason="line_ends")
        try:
            text = line[:-2].decode()
        except UnicodeDecodeError:
            raise Refused(500, "5.5.2", "the line is not UTF-8") from None
        if not text.isprintable():
            raise Refused(500, "5.5.2", "a control character in the line")
        return text

    def _longest_line(self) -> int:
        return _AUTH_LINE_BYTES if self._door.listener.kind == "submission" else _LINE_BYTES

    async def _read_data(self) -> bytes:
        """A message up to its end mark. Raises Refused after the mark; too big a one is read, but not kept."""
        buffer, limit_bytes = self._buffer, self._limits.message_bytes
        buffer[:0] = data.LINE_END  # the end of the DATA line: a dot right behind it ends an empty message
        searched, drained = 0, False
        while (end := buffer.find(data.END_MARK, searched)) < 0:
            drained = drained or len(buffer) > data.largest_wire_form(limit_bytes)
            if drained:
                del buffer[: 1 - len(data.END_MARK)]
            searched = max(0, len(buffer) - len(data.END_MARK) + 1)
            await self._fill(self._limits.data_idle_s)
        with memoryview(buffer) as view:
            wire = bytes(view[: end + len(data.LINE_END)])
        del buffer[: end + len(data.END_MARK)]
        if drained:
            raise data.too_big(limit_bytes)
        return data.content(wire, limit_bytes)
