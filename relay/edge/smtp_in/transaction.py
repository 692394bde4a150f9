"""MAIL, RCPT and DATA: one transaction, from its sender to the answer for each recipient (RFC 5321 §3.3, RFC 2033).

Once the data is in, `intake.data` runs in a task of its own that nothing here cancels: a client that goes away after
its final dot has its message (R-IN-03).
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from relay import ports
from relay.core.model.message import Incoming, Peer, Port
from relay.core.model.reply import Reply
from relay.edge.smtp_in import grammar
from relay.edge.smtp_in.connection import Connection, Hangup, ListenerContext
from relay.edge.smtp_in.grammar import Refused
from relay.edge.smtp_in.guard import Address

_TEMPORARY: Final = Reply(451, "4.3.0", "temporary failure, try again later")

_log = structlog.get_logger(__name__)


def fold(replies: Sequence[Reply]) -> Reply:
    """One answer for several recipients: positive if any is, since each was already told or will be by notice; a
    common refusal as it stands; else temporary before permanent, so that a retry may still serve someone."""
    for reply in replies:
        if reply.is_positive:
            return reply
    if len(set(replies)) > 1:
        return next((reply for reply in replies if reply.code < 500), replies[0])
    return replies[0]


class Transaction(Connection):
    def __init__(self, door: ListenerContext, client: Address | None = None) -> None:
        super().__init__(door, client)
        self._peer: Peer | None = None
        self._named_helo = ""  # by XCLIENT
        self._forget()

    def _forget(self) -> None:
        """Back to the state right after the banner (RFC 3207 §4.2)."""
        self._set_rset_state()
        self._helo = ""
        self._extended = False
        self._login_party_id: str | None = None

    # ------------------------------------------------------------ commands

    async def mail(self, argument: str) -> None:
        if not self._helo:
            raise Refused(503, "5.5.1", "say hello first", reason="sequence")
        if self.envelope.mail_from is not None:
            raise Refused(503, "5.5.1", "a transaction is open already", reason="sequence")
        if self._door.listener.kind == "submission" and self._login_party_id is None:
            raise Refused(530, "5.7.0", "authentication required", reason="login_needed")
        given = grammar.mail_from(argument, extended=self._extended, logged_in=self._login_party_id is not None)
        if given.size > self._limits.message_bytes:
            raise Refused(552, "5.3.4", f"more than {self._limits.message_bytes} bytes are not taken", reason="size")
        self._peer = self._make_peer()
        reply = await self._door.intake.mail_from(self._peer, given.address)
        if reply.is_positive:
            self.envelope.mail_from = given.address
            self.envelope.smtp_utf8 = given.smtputf8
        self.say(reply)

    def _make_peer(self) -> Peer:
        return Peer(
            port=Port(self._door.listener.kind),
            client_ip=str(self._client),
            helo=self._named_helo or self._helo,
            tls=self._tls,
            login_party_id=self._login_party_id,
            trusted=self._door.guard.is_trusted(self._client),
        )

    async def rcpt(self, argument: str) -> None:
        if self.envelope.mail_from is None or self._peer is None:
            raise Refused(503, "5.5.1", "MAIL comes first", reason="sequence")
        if len(self.envelope.rcpt_tos) >= self._limits.recipients:
            self._door.count_refusal("recipients")
            self.say("452 4.5.3 too many recipients")
            return
        address = grammar.rcpt_to(
            argument, extended=self._extended, smtputf8=self.envelope.smtp_utf8, hostname=self._door.hostname
        )
        reply = await self._door.intake.rcpt_to(self._peer, self.envelope.mail_from, address)
        if reply.is_positive:
            self.envelope.rcpt_tos.append(address)
        elif reply.enhanced == "5.1.1":
            await self._slow_down_guessing()
        self.say(reply)

    async def _slow_down_guessing(self) -> None:
        """R-IN-10. The client that guesses waits; its guess that goes too far is its last."""
        guard = self._door.guard
        self._door.observer.count("smtp_in_unknown_recipients", port=self._door.listener.kind)
        delay_s = guard.unknown_recipient(self._client)
        if guard.is_cut_off(self._client):
            raise Hangup("unknown_recipients", "421 4.7.0 too many unknown recipients, try again later")
        if delay_s:
            await asyncio.sleep(delay_s)

    async def data(self, argument: str) -> None:
        grammar.no_argument(argument)
        if not self.envelope.rcpt_tos:
            raise Refused(503, "5.5.1", "no valid recipients", reason="sequence")  # RFC 2033 §4.2, RFC 2920 §3.2
        self.say("354 end with a dot on a line by itself")
        hangup = None
        try:
            replies = await self._commit(await self._read_data())
        except Refused as refused:
            replies = [refused.reply] * len(self.envelope.rcpt_tos)
            if refused.reason == "line_ends":
                # Who lets bare CR or LF through may have passed on what somebody hid behind an end mark.
                hangup = Hangup("line_ends", "421 4.7.0 the rest of this session cannot be trusted, closing")
            else:
                self._door.count_refusal(refused.reason)
        self._set_rset_state()
        for reply in replies if self._door.listener.kind == "lmtp" else [fold(replies)]:
            self._door.observer.count("smtp_in_answers", port=self._door.listener.kind, code=f"{reply.code // 100}xx")
            self.say(reply)
        if hangup is not None:
            raise hangup

    async def rset(self, argument: str) -> None:
        grammar.no_argument(argument)
        self._set_rset_state()
        self.say("250 2.0.0 flushed")

    # ------------------------------------------------------------ the commit

    async def _commit(self, content: bytes) -> list[Reply]:
        assert self.envelope.mail_from is not None
        assert self._peer is not None
        incoming = Incoming(
            peer=self._peer,
            mail_from=self.envelope.mail_from,
            rcpt_to=tuple(self.envelope.rcpt_tos),
            smtputf8=self.envelope.smtp_utf8,
            content=content,
            received_at=self._door.clock.now(),
        )
        task = self.loop.create_task(self._taken(incoming))
        self._door.commits.add(task)
        task.add_done_callback(self._door.commits.discard)
        return await asyncio.shield(task)

    async def _taken(self, incoming: Incoming) -> list[Reply]:
        """One reply per recipient, whatever happens in there."""
        started_s = self._door.clock.monotonic_s()
        try:
            replies = list(await self._door.intake.data(incoming))
            assert len(replies) == len(incoming.rcpt_to), "the intake owes one reply per recipient"
        except Exception as error:  # noqa: BLE001 (unknown means temporary)
            replies = [self._fault(error)] * len(incoming.rcpt_to)
        self._door.observer.duration_s("smtp_in_commit_seconds", self._door.clock.monotonic_s() - started_s)
        return replies

    def _fault(self, error: Exception) -> Reply:
        """The answer to a fault. A bug has a line with its traceback. Of an unavailable store the store itself tells,
        once for all commands that this puts off."""
        port = self._door.listener.kind
        match error:
            case ports.StoreUnavailableError():
                self._door.count_refusal("unavailable")
                _log.debug("smtp_command_put_off", port=port, code=error.code)
            case ports.UnavailableError():
                self._door.count_refusal("unavailable")
                _log.warning("smtp_command_put_off", port=port, words=str(error))
            case _:
                self._door.count_refusal("internal")
                self._door.observer.count("internal_errors", where="smtp")
                _log.error("smtp_command_failed", port=port, exc_info=error)
        return _TEMPORARY
