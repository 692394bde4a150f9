"""Building the store's entry for one transaction from its outcomes: records, events, queue items and notices."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import assert_never

from relay.core.identify import awaits_domain
from relay.core.mail.head import Automatic
from relay.core.model.event import DecisionData, Event, EventData, EventType, RefusalData
from relay.core.model.facts import Proof
from relay.core.model.item import Item, ItemState
from relay.core.model.message import Incoming, MessageState, Port
from relay.core.model.pair import Pair
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.sender import Sender, SenderState, pending_id
from relay.core.model.verdict import Action
from relay.core.notice.compose import NoticeType
from relay.core.policy.decide import is_loop
from relay.core.rewrite.plan import Rewritten
from relay.core.signed_link import Purpose
from relay.ports import (
    Acceptance,
    MessageRecord,
    Misuse,
    MisuseCause,
    NoticeSent,
    OutgoingNotice,
    OwnerRequest,
    RecordAction,
    StoredContent,
    TakenSignature,
    Use,
    WaitLimit,
)
from relay.steps import clients, notice_log, notices, queueing, record_detail
from relay.steps.gather import places, signature_uses
from relay.steps.offload import THREAD_BYTES
from relay.steps.outcomes import (
    Checked,
    Duplicate,
    ForOperator,
    Held,
    JudgedResult,
    Judgement,
    Merged,
    RecipientResult,
    Refused,
    Relayed,
    Rerouted,
    Returned,
    TransactionResult,
)
from relay.steps.recipients import PartyRecipient, Recipient
from relay.steps.reservations import Reservations
from relay.steps.services import Services

_STATES = {
    Action.RELAY: (MessageState.QUEUED, EventType.QUEUED),
    Action.HOLD: (MessageState.HELD, EventType.HELD),
    Action.RETURN: (MessageState.RETURNED, EventType.RETURNED),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionEntry:
    """The entry that one transaction commits.

    `acceptance` is for the store. `submitted` are the items in it that begin as leased by this process; the worker gets
    them after the commit.
    """

    acceptance: Acceptance
    submitted: tuple[tuple[Item, StoredContent | None], ...]


async def entry(
    services: Services, incoming: Incoming, result: TransactionResult, reserved: Reservations
) -> TransactionEntry:
    """Returns everything that one transaction writes, in the order of its recipients. Raises UnavailableError."""
    builder = _TransactionBuilder(services=services, incoming=incoming, result=result, reserved=reserved)
    for one in result.recipients:
        await builder.write(one)
    settings = services.settings
    return TransactionEntry(
        acceptance=Acceptance(
            records=tuple(builder.records),
            events=tuple(builder.events),
            items=tuple(builder.items),
            notices=tuple(builder.notices),
            new_senders=tuple(builder.new_senders.values()),
            owner=settings.owner,
            lease_until=services.clock.now() + timedelta(seconds=settings.lease_s),
            uses=tuple(builder.uses),
            misuse=tuple(builder.misuse),
            told=tuple(builder.told),
            requests=tuple(builder.requests),
            wait_limits=tuple(builder.wait_limits),
            signatures=tuple(builder.signatures),
        ),
        submitted=tuple(builder.submitted),
    )


@dataclass(slots=True, kw_only=True)
class _TransactionBuilder:
    """Builds the entry of one transaction, recipient by recipient."""

    services: Services
    incoming: Incoming
    result: TransactionResult
    reserved: Reservations
    records: list[MessageRecord] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    notices: list[OutgoingNotice] = field(default_factory=list)
    new_senders: dict[str, Sender] = field(default_factory=dict)
    submitted: list[tuple[Item, StoredContent | None]] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    misuse: list[Misuse] = field(default_factory=list)
    told: list[NoticeSent] = field(default_factory=list)
    requests: list[OwnerRequest] = field(default_factory=list)
    wait_limits: list[WaitLimit] = field(default_factory=list)
    signatures: list[TakenSignature] = field(default_factory=list)

    async def write(self, result: RecipientResult) -> None:
        match result:
            case Relayed() | Held():
                await self._to_party(result)
            case Rerouted():
                await self._rerouted(result)
            case Returned():
                self.uses += result.uses
                await self._verdict(result.judgement, self._judged_record(result, _STATES[Action.RETURN][0]))
            case Checked():
                await self._checked(result)
            case Refused():
                self.uses += result.uses
                await self._refused(result)
            case Duplicate():
                self._duplicate(result)
            case ForOperator():
                self._for_operator(result)
            case Merged(into=into):
                self._event(into.recipient.message_id, EventType.COPY_MERGED, DecisionData())
            case _:
                assert_never(result)

    # ------------------------------------------------------------ mail that was judged

    async def _to_party(self, result: Relayed | Held) -> None:
        judgement, rewritten = result.judgement, result.rewritten
        record = self._judged_record(result, _STATES[judgement.verdict.action][0], rewritten)
        item = queueing.to_party(self.services, judgement, record)
        self._enqueue(item, record, judgement.facts.pair)
        self.uses += result.uses
        await self._verdict(judgement, record)

    async def _rerouted(self, result: Rerouted) -> None:
        """Adds a buyer's question about an order that the operator fulfils, for the operator to answer (R-POL-13)."""
        judgement, recipient = result.judgement, result.recipient
        record = self._judged_record(result, _STATES[judgement.verdict.action][0])
        address = recipient.policy.fulfilment.operator or recipient.marketplace.operator
        item = queueing.rerouted(self.services, judgement, record, address)
        self._enqueue(item, record, recipient.pair)
        self.uses += result.uses
        await self._verdict(judgement, record)

    async def _verdict(self, judgement: Judgement, record: MessageRecord) -> None:
        """Adds the record, its events, its points of misuse, and the notice or question that the verdict requires."""
        verdict, facts = judgement.verdict, judgement.facts
        self._take_signatures(judgement, record)
        self._add(record, _STATES[verdict.action][1], record_detail.why(verdict.reasons, verdict.policy_version))
        if verdict.misuse:
            self.misuse.append(
                Misuse(
                    message_id=record.id,
                    seller_id=facts.pair.seller.party.id,
                    cause=MisuseCause.CONTRADICTION,
                    points=verdict.misuse,
                    at=self.incoming.received_at,
                )
            )
        if judgement.waits_for_owner:
            self._ask_owner(judgement, record)
            if verdict.notify and notices.is_from_mailbox_of_other_side(judgement):
                own = await notices.about_own_alias(self.services, self.reserved, self.incoming, judgement)
                self._add_notice(record.id, own, NoticeType.RETURNED, notices.OWN_ALIAS)
        elif verdict.notify and not self.result.rejects and judgement.has_reader:
            await self._notify(judgement, record)

    def _ask_owner(self, judgement: Judgement, record: MessageRecord) -> None:
        """Adds the question to the owner about held mail of an unlisted or unproven writer, with its limits (R-SND-02).

        Housekeeping asks the question later. The work here is the same for every such writer, even if the owner is not
        asked, so that the time of the answer shows a client nothing.
        """
        facts, writer, now = judgement.facts, judgement.writer, self.incoming.received_at
        policy, author = judgement.recipient.policy, facts.pair.side(writer.role)
        if record.sender_id is None:
            return
        limits = policy.senders
        by_domain = facts.waiting.by_domain
        self.wait_limits.append(
            WaitLimit(
                party_id=author.party.id,
                sender_id=record.sender_id,
                places=places(author, policy, now),
                mails=limits.domain_mails if by_domain else limits.address_mails,
                size_bytes=limits.domain_bytes if by_domain else limits.address_bytes,
            )
        )
        if judgement.verdict.notify:
            is_proven = writer.proof is not Proof.NONE
            request = OwnerRequest(
                subject_id=record.sender_id if is_proven else record.id,
                party_id=author.party.id,
                pair_id=facts.pair.id,
                purpose=Purpose.SENDER if is_proven else Purpose.CONFIRM,
                since=now,
            )
            self.requests.append(request)

    async def _notify(self, judgement: Judgement, record: MessageRecord) -> None:
        """Adds the notice about a verdict, unless the party has got notices about all its topics before."""
        topics = notice_log.topics(judgement, self.incoming.received_at)
        log, digest_s = self.services.store.notice_log, self.services.settings.digest_s
        new = [
            one
            for one in topics
            if one not in self.told and not await notice_log.was_sent(log, digest_s, one, judgement)
        ]
        if topics and not new:
            return
        self.told += new
        notice = await notices.about_verdict(self.services, self.reserved, self.incoming, judgement)
        self._add_notice(
            record.id, notice, notices.VERDICT_TYPES[judgement.verdict.action], judgement.verdict.main_reason
        )

    async def _checked(self, result: Checked) -> None:
        """Adds mail to `check+ALIAS`, which is recorded like all mail of proven writers (R-POL-19).

        The answer is a notice, and nothing is relayed.
        """
        verdict = result.judgement.verdict
        self.uses += result.uses
        record = self._judged_record(result, MessageState.RETURNED)
        self._add(record, EventType.CHECKED, record_detail.why(verdict.reasons, verdict.policy_version))
        if result.judgement.mail.automatic is Automatic.NO and result.judgement.has_reader:
            notice = await notices.about_check(self.services, self.reserved, self.incoming, result)
            self._add_notice(record.id, notice, NoticeType.CHECKED, next(iter(verdict.reasons), None))

    def _judged_record(
        self, result: JudgedResult, state: MessageState, rewritten: Rewritten | None = None
    ) -> MessageRecord:
        judgement = result.judgement
        mail, facts, writer, verdict = judgement.mail, judgement.facts, judgement.writer, judgement.verdict
        author, signed = facts.pair.side(writer.role).party, mail.authentication.signed
        is_check = isinstance(result, Checked)
        return record_detail.record_of(
            self.incoming,
            judgement.recipient,
            key_holder_id=author.id,
            state=state,
            pair_id=facts.pair.id,
            author_id=author.id,
            author_role=writer.role,
            recipient_id=facts.pair.side(facts.to).party.id,
            sender_id=writer.sender.id if writer.sender else None if is_check else self._pending_sender_id(judgement),
            order_id=facts.order.id if facts.order else None,
            kind=verdict.kind,
            automatic=facts.automatic,
            subject=mail.head.subject,
            original_message_id=mail.head.message_id,
            original=self.incoming.content,
            header=rewritten.header if rewritten else None,
            edits=rewritten.edits if rewritten else (),
            changes=rewritten.changes if rewritten else (),
            policy_version=verdict.policy_version,
            detail=record_detail.of_judged(self.incoming, judgement, is_check=is_check),
            signing_domain=signed.domains[0] if signed and awaits_domain(facts) else "",
        )

    def _pending_sender_id(self, judgement: Judgement) -> str | None:
        """Returns the id of the pending entry for a proven writer whose address is on no list (R-SND-02).

        The writer's mail is held, and the entry is added if the transaction has none yet. Returns None for any other
        mail.
        """
        facts, writer = judgement.facts, judgement.writer
        if judgement.verdict.action is not Action.HOLD or writer.proof is Proof.NONE:
            return None
        party_id = facts.pair.side(writer.role).party.id
        fresh = Sender(
            id=pending_id(self.services.store.secrets.get("sender"), party_id, facts.from_address),
            party_id=party_id,
            address=facts.from_address,
            state=SenderState.UNKNOWN,
            added_by="login" if writer.proof is Proof.LOGIN else "mail",
        )
        return self.new_senders.setdefault(party_id, fresh).id

    # ------------------------------------------------------------ mail that was not judged

    async def _refused(self, result: Refused) -> None:
        """Adds refused mail to the transaction (R-REC-01).

        The whole mail of a proven writer is kept, and of a stranger's mail only the envelope, the size and the results.
        The content of mail with an unproven From address is kept for a short time, as long as the day's budget allows
        it. The content of a proven writer's mail is not kept if the mail exceeds the limits of mail to the operator,
        because the client sends the mail again, and each copy would be kept.
        """
        recipient, reason = result.recipient, result.reason
        mail, author_id = self.result.mail, self._proven_author_id(recipient, reason)
        kept_until = self._stranger_body_until() if result.is_kept and not author_id else None
        record = record_detail.record_of(
            self.incoming,
            recipient,
            key_holder_id=author_id or recipient.marketplace.id,
            state=MessageState.REFUSED,
            pair_id=recipient.pair.id if isinstance(recipient, PartyRecipient) else None,
            author_id=author_id,
            subject=mail.head.subject if mail and author_id else "",
            original_message_id=mail.head.message_id if mail and author_id else "",
            original=self.incoming.content if author_id and reason.code is not ReasonCode.OPERATOR_MAIL_LIMIT else b"",
            policy_version=recipient.policy.version,
            detail=record_detail.of_refused(self.incoming, recipient, reason, mail),
            stranger_body=self.incoming.content if kept_until else b"",
            stranger_body_until=kept_until,
        )
        self.records.append(record)
        data = RefusalData(
            **record_detail.received_data(self.incoming), **record_detail.why((reason,), recipient.policy.version)
        )
        self._event(record.id, EventType.REFUSED, data)
        if self.incoming.peer.port is not Port.LMTP:
            # The notice is sent to a writer who is proven for another recipient, but not registered for this one.
            told = Reason(code=ReasonCode.ADDRESS_UNKNOWN) if result.is_kept else reason
            await self._notify_of_refusal(recipient, told)

    def _stranger_body_until(self) -> datetime | None:
        """Returns the time until which a stranger's message is kept; None if the client's share is used up."""
        now = self.incoming.received_at
        if not self.reserved.take_stranger_bytes(clients.network_of(self.incoming), len(self.incoming.content), now):
            return None
        return now + timedelta(seconds=self.services.settings.stranger_body_s)

    def _duplicate(self, result: Duplicate) -> None:
        """Records mail with a signature that was accepted before. Only the first record has the content (R-IN-09)."""
        recipient, writer, mail = result.recipient, result.writer, self.result.mail
        assert mail is not None, "an unreadable message has no writer"
        reasons = (Reason(code=ReasonCode.DUPLICATE),)
        author = recipient.pair.side(writer.role).party
        record = record_detail.record_of(
            self.incoming,
            recipient,
            key_holder_id=author.id,
            state=MessageState.RETURNED,
            pair_id=recipient.pair.id,
            author_id=author.id,
            author_role=writer.role,
            recipient_id=recipient.pair.side(recipient.to).party.id,
            sender_id=writer.sender.id if writer.sender else None,
            automatic=mail.automatic,
            subject=mail.head.subject,
            original_message_id=mail.head.message_id,
            policy_version=recipient.policy.version,
            detail=record_detail.of_duplicate(self.incoming, recipient, reasons, mail, result.of),
        )
        self._add(record, EventType.RETURNED, record_detail.why(reasons, recipient.policy.version))

    def _proven_author_id(self, recipient: Recipient, reason: Reason) -> str | None:
        """Returns the id of the party that has proven to be the writer of refused mail, or None.

        A login proves the writer. Without a login the writer is proven only if the mail is refused because its sender
        is blocked.
        """
        if reason.code is ReasonCode.SENDER_BLOCKED and isinstance(recipient, PartyRecipient):
            return recipient.pair.side(recipient.to.other).party.id
        return self.incoming.peer.login_party_id

    async def _notify_of_refusal(self, recipient: Recipient, reason: Reason) -> None:
        """Adds a notice about a refusal that the SMTP reply does not show (R-IN-05, R-REW-05).

        SMTP has one reply for all recipients. If another recipient makes this reply 250, the refusal is reported by a
        notice, provided that the writer is registered for that other recipient.
        """
        for beside in self.result.recipients:
            if not isinstance(beside, JudgedResult) or not beside.judgement.writer.registered:
                continue
            if beside.judgement.mail.automatic is Automatic.NO:
                notice = await notices.about_refusal(
                    self.services, self.reserved, self.incoming, recipient, reason, beside.judgement
                )
                self._add_notice(recipient.message_id, notice, NoticeType.RETURNED, reason)
            return

    def _for_operator(self, result: ForOperator) -> None:
        """Adds mail to `postmaster@` or `abuse@`, which the operator gets as it was received (R-IN-10)."""
        recipient = result.recipient
        record = record_detail.record_of(
            self.incoming,
            recipient,
            key_holder_id=recipient.marketplace.id,
            state=MessageState.QUEUED,
            original=self.incoming.content,
            detail=record_detail.of_received(self.incoming, recipient, RecordAction.OPERATOR),
        )
        self.records.append(record)
        self._event(record.id, EventType.RECEIVED, record_detail.received_data(self.incoming))
        operator = recipient.marketplace.operator
        item = queueing.for_operator(self.services, record, operator)
        self._enqueue(item, record, None)
        self.uses += result.uses

    # ------------------------------------------------------------ for all kinds of mail

    def _take_signatures(self, judgement: Judgement, record: MessageRecord) -> None:
        """Adds the signatures that are the only proof of the writer, so that nobody can use them again (R-IN-09).

        Nothing is added for mail that is refused in the SMTP dialogue, because it is judged again when it is sent
        again. Nothing is added for mail in a loop either, because everybody can add the header fields that make a loop.
        """
        signed, facts = judgement.mail.authentication.signed, judgement.facts
        if signed and not self.result.rejects and not is_loop(judgement.verdict.reasons):
            uses = signature_uses(signed, facts.pair, facts.to)
            self.signatures += [TakenSignature(use=use, message_id=record.id) for use in uses]

    def _add(self, record: MessageRecord, event_type: EventType, data: EventData) -> None:
        self.records.append(record)
        self._event(record.id, EventType.RECEIVED, record_detail.received_data(self.incoming))
        self._event(record.id, event_type, data)

    def _enqueue(self, item: Item, record: MessageRecord, pair: Pair | None) -> None:
        self.items.append(item)
        if item.state is not ItemState.LEASED:
            return
        if len(record.original) > THREAD_BYTES:
            self.submitted.append((item, None))
        else:
            stored = StoredContent(original=record.original, header=record.header, edits=record.edits, pair=pair)
            self.submitted.append((item, stored))

    def _add_notice(
        self, message_id: str, notice: OutgoingNotice | None, notice_type: NoticeType, reason: Reason | None
    ) -> None:
        if notice is None:
            return
        self.notices.append(notice)
        code = reason.code if reason is not None else None
        self._event(message_id, EventType.NOTICE_QUEUED, notices.queued_data(notice, notice_type, code))

    def _event(self, message_id: str, event_type: EventType, data: EventData) -> None:
        self.events.append(
            Event(
                id=self.services.ids.new(),
                message_id=message_id,
                at=self.incoming.received_at,
                type=event_type,
                data=data,
            )
        )
