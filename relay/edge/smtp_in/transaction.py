"""The commands MAIL, RCPT and DATA: one transaction, up to the answer for each recipient (RFC 5321 §3.3, RFC 2033).

After the data, `intake.data` runs in a task of its own, which only the stop of the listener cancels. Therefore the
message of a client that disconnects after its final dot is not lost (R-IN-03).
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import structlog

from relay import ports
from relay.core.model.message import Incoming, Peer, Port
from relay.core.model.reply import Reply
from relay.core.networks import Address
from relay.edge.smtp_in import data, grammar
from relay.edge.smtp_in.connection import Connection, Hangup, ListenerContext
from relay.edge.smtp_in.data import IncomingContent
from relay.edge.smtp_in.grammar import ProtocolFault
from relay.edge.smtp_in.space import DataClient

_TEMPORARY: Final = Reply(451, "4.3.0", "temporary failure, try again later")
_STOPPING: Final = Reply(451, "4.3.2", "shutting down, try again later")
_LONGEST_WAIT_S: Final = 300
"""The time in seconds for which a message may wait for memory.

Clients wait ten minutes for the answer (RFC 5321 §4.5.3.2.6).
"""

_log = structlog.get_logger(__name__)


def fold(replies: Sequence[Reply]) -> Reply:
    """Returns the one SMTP answer for several recipients.

    The answer is positive if the answer for any recipient is positive, because the writer has seen the other answers
    already or gets a notice. If all refusals are equal, the answer is that refusal. Otherwise the answer is a temporary
    refusal if there is one, so that a retry may still succeed.
    """
    for reply in replies:
        if reply.is_positive:
            return reply
    if len(set(replies)) > 1:
        return next((reply for reply in replies if reply.code < 500), replies[0])
    return replies[0]


class Transaction(Connection):
    """A connection with the commands of a transaction."""

    def __init__(self, context: ListenerContext, client: Address | None = None) -> None:
        super().__init__(context, client)
        self._peer: Peer | None = None
        self._declared_bytes = 0
        self._named_helo = ""  # the name that XCLIENT gives
        self._forget()

    def _forget(self) -> None:
        """Resets the session to its state after the banner (RFC 3207 §4.2)."""
        self._set_rset_state()
        self._helo = ""
        self._extended = False
        self._login_party_id: str | None = None

    # ------------------------------------------------------------ commands

    async def mail(self, argument: str) -> None:
        if not self._helo:
            raise ProtocolFault(503, "5.5.1", "say hello first", reason="sequence")
        if self.envelope.mail_from is not None:
            raise ProtocolFault(503, "5.5.1", "a transaction has already begun", reason="sequence")
        if self._context.listener.kind == "submission" and self._login_party_id is None:
            raise ProtocolFault(530, "5.7.0", "authentication required", reason="login_needed")
        given = grammar.mail_from(argument, extended=self._extended, logged_in=self._login_party_id is not None)
        if given.size > self._limits.message_bytes:
            raise ProtocolFault(
                552, "5.3.4", f"the message is larger than {self._limits.message_bytes} bytes", reason="size"
            )
        self._peer = self._make_peer()
        reply = await self._context.intake.mail_from(self._peer, given.address)
        if reply.is_positive:
            self.envelope.mail_from = given.address
            self.envelope.smtp_utf8 = given.smtputf8
            self._declared_bytes = given.size
        self.say(reply)

    def _make_peer(self) -> Peer:
        clients = self._context.guard.clients
        return Peer(
            port=Port(self._context.listener.kind),
            client_ip=str(self._client),
            helo=self._named_helo or self._helo,
            tls=self._tls,
            login_party_id=self._login_party_id,
            trusted=clients.is_trusted(self._client),
            is_front=clients.is_front(self._client),
        )

    async def rcpt(self, argument: str) -> None:
        if self.envelope.mail_from is None or self._peer is None:
            raise ProtocolFault(503, "5.5.1", "MAIL must come first", reason="sequence")
        if len(self.envelope.rcpt_tos) >= self._limits.recipients:
            self._context.count_refusal("recipients")
            self.say("452 4.5.3 too many recipients")
            return
        if self.envelope.rcpt_tos and self._multiplies(self._declared_bytes, len(self.envelope.rcpt_tos) + 1):
            self._context.count_refusal("bytes_times_recipients")
            self.say("452 4.5.3 too many recipients for a message of this size, send it to the others separately")
            return
        address = grammar.rcpt_to(
            argument, extended=self._extended, smtputf8=self.envelope.smtp_utf8, hostname=self._context.hostname
        )
        reply = await self._context.intake.rcpt_to(self._peer, self.envelope.mail_from, address)
        if reply.is_positive:
            self.envelope.rcpt_tos.append(address)
        elif reply.enhanced == "5.1.1":
            await self._slow_down_guessing(reply)
        self.say(reply)

    async def _slow_down_guessing(self, reply: Reply) -> None:
        """Delays the answer to a client that guesses recipients (R-IN-10).

        After too many guesses it raises Hangup; or ProtocolFault with the answer, so that each guess counts as an error
        of the session, if the client may be the server of a mail provider.
        """
        guard = self._context.guard
        self._context.observer.count("smtp_in_unknown_recipients", port=self._context.listener.kind)
        delay_s = guard.unknown_recipient(self._client)
        if guard.is_cut_off(self._client):
            raise Hangup("unknown_recipients", "421 4.7.0 too many unknown recipients, try again later")
        await self._delay(delay_s)
        if guard.guesses_too_often(self._client):
            raise ProtocolFault(reply.code, reply.enhanced, reply.text, reason="unknown_recipients")

    async def data(self, argument: str) -> None:
        grammar.no_argument(argument)
        if not self.envelope.rcpt_tos:
            raise ProtocolFault(503, "5.5.1", "no valid recipients", reason="sequence")  # RFC 2033 §4.2, RFC 2920 §3.2
        self._expect_space()
        self.say("354 end with a dot on a line by itself")
        hangup = None
        received = IncomingContent(
            self._context.space, self._data_client, self._limits.message_bytes, end=self._end_for_faster_mail
        )
        try:
            replies = await self._replies_to(received)
        except ProtocolFault as refused:
            replies = [refused.reply] * len(self.envelope.rcpt_tos)
            if refused.reason == "line_ends":
                # A client that passes on bare CR or LF may also pass on commands hidden behind a false end mark.
                hangup = Hangup("line_ends", "421 4.7.0 the rest of this session cannot be trusted, closing")
            else:
                self._context.count_refusal(refused.reason)
        self._set_rset_state()
        if any(reply.is_positive for reply in replies):
            self._context.guard.accepted(self._client)
        for reply in replies if self._context.listener.kind == "lmtp" else [fold(replies)]:
            self._context.observer.count(
                "smtp_in_answers", port=self._context.listener.kind, code=f"{reply.code // 100}xx"
            )
            self.say(reply)
        if hangup is not None:
            raise hangup

    async def rset(self, argument: str) -> None:
        grammar.no_argument(argument)
        self._set_rset_state()
        self.say("250 2.0.0 flushed")

    # ------------------------------------------------------------ the content

    def _data_client(self) -> DataClient:
        is_free = self._context.listener.kind == "lmtp" or self._context.guard.clients.is_free(self._client)
        return DataClient.of(self._client, self._login_party_id, is_free=is_free)

    def _expect_space(self) -> None:
        """Raises ProtocolFault if there is no space now for the size that the client has declared."""
        if self._declared_bytes > data.PIECE_BYTES and not self._context.space.has_space(
            self._data_client(), self._declared_bytes
        ):
            raise data.no_space()

    def _end_for_faster_mail(self) -> None:
        """Ends the session, because a faster message needs the space of its message."""
        text = "421 4.3.1 too much large mail is being received at present, and this one comes slowly, try again later"
        self.end(Hangup("slow_data", text), at_once=True)

    def _multiplies(self, size_bytes: int, recipients: int) -> bool:
        """Returns whether a message of this size has too many recipients. One recipient is always allowed."""
        return recipients > 1 and size_bytes * recipients > self._limits.bytes_times_recipients

    def _limit_product(self, size_bytes: int) -> None:
        """Raises ProtocolFault for a message that has too many recipients for its size.

        The method is for a message whose size was not declared. If the size was declared, RCPT refuses the recipients.
        """
        if self._multiplies(size_bytes, len(self.envelope.rcpt_tos)):
            most = max(1, self._limits.bytes_times_recipients // size_bytes)
            text = f"a message of {size_bytes} bytes may have {most} recipients at once, send it to fewer"
            raise ProtocolFault(452, "4.5.3", text, reason="bytes_times_recipients")

    async def _replies_to(self, received: IncomingContent) -> list[Reply]:
        """Reads the message and returns one reply for each recipient. Raises ProtocolFault after the end mark."""
        try:
            await self._read_data(received)
            self._limit_product(received.size_bytes)
        except BaseException:
            received.close()
            raise
        return await self._commit(received)

    async def _read_data(self, received: IncomingContent) -> None:
        """Reads a message up to its end mark. Raises ProtocolFault after the end mark.

        A message that is refused is read to its end and not kept. The time that the client has left grows with each
        received byte, up to `limits.data_idle_s`, as with Postfix's `smtpd_min_data_rate`.
        """
        buffer, limits, now_s = self._buffer, self._limits, self._context.clock.monotonic_s
        left_s = limits.data_idle_s
        buffer[:0] = data.LINE_END  # the end of the DATA line, after which a dot ends an empty message
        searched = 0
        while (end := buffer.find(data.END_MARK, searched)) < 0:
            searched = max(0, len(buffer) - len(data.END_MARK) + 1)
            if len(buffer) > data.PIECE_BYTES:
                at = data.cut(buffer)
                await received.add(bytes(memoryview(buffer)[:at]))
                del buffer[:at]
                searched = max(0, searched - at)
            since_s, before = now_s(), len(buffer)
            await self._fill(left_s)
            left_s += since_s - now_s() + (len(buffer) - before) / limits.data_bytes_per_s
            left_s = min(left_s, limits.data_idle_s)
        with memoryview(buffer) as view:
            wire = bytes(view[: end + len(data.LINE_END)])
        del buffer[: end + len(data.END_MARK)]
        received.finish(wire)

    # ------------------------------------------------------------ the commit

    async def _commit(self, received: IncomingContent) -> list[Reply]:
        assert self.envelope.mail_from is not None
        assert self._peer is not None
        incoming = Incoming(
            peer=self._peer,
            mail_from=self.envelope.mail_from,
            rcpt_to=tuple(self.envelope.rcpt_tos),
            smtputf8=self.envelope.smtp_utf8,
            content=received.last,
            received_at=self._context.clock.now(),
        )
        replies = self._replies_in_turn(incoming, received) if received.is_spooled else self._intake_replies(incoming)
        task = self.loop.create_task(replies)
        self._context.commits.add(task)
        task.add_done_callback(self._context.commits.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.cancelled():  # the session was cut
                raise
            return [_STOPPING] * len(incoming.rcpt_to)

    async def _replies_in_turn(self, incoming: Incoming, received: IncomingContent) -> list[Reply]:
        """Waits until there is memory for the whole content of a big message, and returns the replies to the message.

        After too long a wait each reply is a temporary refusal.
        """
        client = self._data_client()
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(received.close)
            try:
                async with asyncio.timeout(_LONGEST_WAIT_S):
                    await stack.enter_async_context(self._context.space.at_work(client, received.size_bytes))
            except TimeoutError:
                self._context.count_refusal("judged_bytes")
                return [data.no_space().reply] * len(incoming.rcpt_to)
            try:
                incoming = replace(incoming, content=await received.whole())
            except OSError as error:
                return [self._fault(error)] * len(incoming.rcpt_to)
            received.close()
            return await self._intake_replies(incoming)

    async def _intake_replies(self, incoming: Incoming) -> list[Reply]:
        """Returns one reply for each recipient. An exception becomes a temporary failure for each of them."""
        started_s = self._context.clock.monotonic_s()
        try:
            replies = list(await self._context.intake.data(incoming))
            assert len(replies) == len(incoming.rcpt_to), "the intake must return one reply per recipient"
        except Exception as error:  # noqa: BLE001 (an unknown error is temporary)
            replies = [self._fault(error)] * len(incoming.rcpt_to)
        self._context.observer.duration_s("smtp_in_commit_seconds", self._context.clock.monotonic_s() - started_s)
        return replies

    def _fault(self, error: Exception) -> Reply:
        """Logs and counts an exception, and returns the temporary failure for the client.

        A programming error gets a log line with its traceback. An unavailable store is logged by the store itself, with
        one line for all commands.
        """
        port = self._context.listener.kind
        match error:
            case ports.StoreUnavailableError():
                self._context.count_refusal("unavailable")
                _log.debug("smtp_command_put_off", port=port, code=error.code)
            case ports.HeavyMailError():
                self._context.count_refusal("heavy_mail")
                _log.warning("smtp_command_put_off", port=port, error=str(error))
                return Reply(451, "4.3.2", str(error))
            case ports.UnavailableError():
                self._context.count_refusal("unavailable")
                _log.warning("smtp_command_put_off", port=port, error=str(error))
            case _:
                self._context.count_refusal("internal")
                self._context.observer.count("internal_errors", where="smtp")
                _log.error("smtp_command_failed", port=port, exc_info=error)
        return _TEMPORARY
