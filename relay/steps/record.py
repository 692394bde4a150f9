"""From a judgement to what is written: records, events, queue items and notices of one transaction."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

from relay.core import keyed
from relay.core.identify import Writer
from relay.core.mail.head import Automatic
from relay.core.model.event import Event, EventType
from relay.core.model.facts import Facts, Proof
from relay.core.model.item import Item, ItemState
from relay.core.model.marketplace import Marketplace
from relay.core.model.message import Incoming, MessageState, Port
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.sender import Sender, SenderState
from relay.core.model.verdict import Action, Verdict
from relay.core.policy.case import automatic
from relay.core.policy.rules import quotas
from relay.ports import Acceptance, MessageRecord, Misuse, NoticeSent, OutgoingNotice, StoredContent, Use
from relay.steps import notice_log, notices, queueing, record_detail
from relay.steps.gather import spends
from relay.steps.judgement import ParsedMail, RecipientResult, Refusal, TransactionResult
from relay.steps.notices import NoticeContext
from relay.steps.services import Services

_STATES = {
    Action.RELAY: (MessageState.QUEUED, EventType.QUEUED),
    Action.HOLD: (MessageState.HELD, EventType.HELD),
    Action.RETURN: (MessageState.RETURNED, EventType.RETURNED),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionEntry:
    """What is committed, and which of its items leave at once because they are born leased by us."""

    acceptance: Acceptance
    submitted: tuple[tuple[Item, StoredContent], ...]


async def entry(services: Services, incoming: Incoming, judgement: TransactionResult) -> TransactionEntry:
    """Everything that one transaction writes, in the order of its recipients. Raises UnavailableError."""
    page = _TransactionBuilder(services=services, incoming=incoming, judgement=judgement)
    for judged in judgement.judged:
        await page.write(judged)
    settings = services.settings
    return TransactionEntry(
        acceptance=Acceptance(
            records=tuple(page.records),
            events=tuple(page.events),
            items=tuple(page.items),
            notices=tuple(page.notices),
            new_senders=tuple(page.new_senders.values()),
            owner=settings.owner,
            lease_until=incoming.received_at + timedelta(seconds=settings.lease_s),
            uses=tuple(page.uses),
            misuse=tuple(page.misuse),
            told=tuple(page.told),
        ),
        submitted=tuple(page.submitted),
    )


@dataclass(slots=True, kw_only=True)
class _TransactionBuilder:
    """One transaction's entry as it grows, recipient by recipient."""

    services: Services
    incoming: Incoming
    judgement: TransactionResult
    records: list[MessageRecord] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    notices: list[OutgoingNotice] = field(default_factory=list)
    new_senders: dict[str, Sender] = field(default_factory=dict)
    submitted: list[tuple[Item, StoredContent]] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    misuse: list[Misuse] = field(default_factory=list)
    told: list[NoticeSent] = field(default_factory=list)

    async def write(self, judged: RecipientResult) -> None:
        match judged.outcome:
            case None if judged.merged_into:
                self._event(judged.merged_into, EventType.COPY_MERGED, {})
            case None:
                self._operator_mail(judged)
            case Refusal(reason=reason):
                await self._refused(judged, reason)
            case Verdict() as verdict if judged.target.check:
                await self._checked(judged, verdict)
            case Verdict() as verdict:
                await self._judged(judged, verdict)

    async def _judged(self, judged: RecipientResult, verdict: Verdict) -> None:
        facts, writer, mail = judged.facts, judged.writer, self.judgement.mail
        if facts is None or writer is None or mail is None:
            raise ValueError("a verdict is about facts and a writer")
        state, event_type = _STATES[verdict.action]
        the_record = self._record(judged, mail, facts, writer, verdict, state)
        self.records.append(the_record)
        self._event(judged.message_id, EventType.RECEIVED, record_detail.received_data(self.incoming))
        self._event(judged.message_id, event_type, record_detail.why(verdict.reasons, verdict.policy_version))
        if verdict.action is not Action.RETURN:
            service = self._service_address(facts.marketplace) if verdict.to_operator else None
            self._enqueue(judged, the_record, address=service, verdict=verdict)
        self._count(judged, facts, verdict)
        if verdict.notify and not self.judgement.rejects:
            await self._tell(judged, mail, facts, writer, verdict)

    async def _tell(
        self, judged: RecipientResult, mail: ParsedMail, facts: Facts, writer: Writer, verdict: Verdict
    ) -> None:
        """The notice, unless the same was told a short while ago."""
        telling_now = notice_log.topic(facts, writer, verdict, self.incoming.received_at)
        if telling_now is not None:
            said = telling_now in self.told
            if said or await notice_log.was_just_told(self.services, telling_now, facts, writer, verdict):
                return
            self.told.append(telling_now)
        self.notices.append(
            await notices.about_verdict(self.services, self._telling(judged, mail, facts, writer, verdict))
        )
        self._event(judged.message_id, EventType.NOTICE_QUEUED, {"reason": verdict.main_reason.code})

    def _telling(
        self, judged: RecipientResult, mail: ParsedMail, facts: Facts, writer: Writer, verdict: Verdict
    ) -> NoticeContext:
        return NoticeContext(
            incoming=self.incoming,
            mail=mail,
            facts=facts,
            writer=writer,
            verdict=verdict,
            message_id=judged.message_id,
            sender_id=self.records[-1].sender_id,
            reach=judged.reach,
        )

    def _count(self, judged: RecipientResult, facts: Facts, verdict: Verdict) -> None:
        """What the message costs of quotas and score. What passes for having room must still have it when it is
        written: others of the same seller are judged at the same time."""
        at = self.incoming.received_at
        uses = spends(facts, verdict, at)
        if verdict.action is Action.RELAY and judged.writer is not None and judged.writer.registered:
            most = quotas.limits(facts.marketplace.policy_at(at), facts.misuse)
            uses = [replace(use, limit=most[use.scope]) for use in uses]
        self.uses += uses
        if verdict.misuse:
            seller_id = facts.pair.seller.party.id
            self.misuse.append(
                Misuse(
                    message_id=judged.message_id,
                    seller_id=seller_id,
                    cause="contradiction",
                    points=verdict.misuse,
                    at=at,
                )
            )

    async def _checked(self, judged: RecipientResult, verdict: Verdict) -> None:
        """Mail to `check+ALIAS` is recorded like all mail of proven writers, relayed to nobody, answered (R-POL-19)."""
        facts, writer, mail = judged.facts, judged.writer, self.judgement.mail
        if facts is None or writer is None or mail is None:
            raise ValueError("a verdict is about facts and a writer")
        self.records.append(self._record(judged, mail, facts, writer, verdict, MessageState.RETURNED))
        self._event(judged.message_id, EventType.RECEIVED, record_detail.received_data(self.incoming))
        self._event(judged.message_id, EventType.CHECKED, record_detail.why(verdict.reasons, verdict.policy_version))
        if automatic(self.incoming, mail.head) is Automatic.NO:
            self.notices.append(
                await notices.about_check(self.services, self._telling(judged, mail, facts, writer, verdict))
            )
            self._event(judged.message_id, EventType.NOTICE_QUEUED, {"reason": EventType.CHECKED})

    def _record(
        self,
        judged: RecipientResult,
        mail: ParsedMail,
        facts: Facts,
        writer: Writer,
        verdict: Verdict,
        state: MessageState,
    ) -> MessageRecord:
        author = facts.pair.side(writer.role).party
        rewritten = judged.rewritten
        return record_detail.record_of(
            self.incoming,
            judged,
            key_holder_id=author.id,
            state=state,
            pair_id=facts.pair.id,
            author_id=author.id,
            author_role=writer.role,
            recipient_id=facts.pair.side(facts.to).party.id,
            sender_id=self._sender_id(judged, facts, writer, verdict),
            order_id=facts.order.id if facts.order else None,
            kind=verdict.kind,
            automatic=automatic(self.incoming, mail.head),
            subject=mail.head.subject,
            original_message_id=mail.head.message_id,
            original=self.incoming.content,
            header=rewritten.header if rewritten else None,
            edits=rewritten.edits if rewritten else (),
            changes=rewritten.changes if rewritten else (),
            policy_version=verdict.policy_version,
            detail=record_detail.detail(self.incoming, judged, verdict.reasons)
            | {
                "action": "check" if judged.target.check else verdict.action,
                "to_operator": verdict.to_operator,
                "warnings": [reason.code for reason in verdict.warnings],
                "proof": writer.proof,
                "registered": writer.registered,
                "sender_state": facts.sender.state if facts.sender else "unlisted",
                "opted_out": bool(facts.opt_outs),
                "authentication": list(facts.authentication.results),
                "automatic": automatic(self.incoming, mail.head) is not Automatic.NO,
                "unsolicited": verdict.unsolicited,
            },
        )

    def _sender_id(self, judged: RecipientResult, facts: Facts, writer: Writer, verdict: Verdict) -> str | None:
        """The writer's entry; a proven writer who is held for being on no list gets a pending one (R-SND-02), under an
        id that follows from who it is: two first mails at once are of one sender."""
        if writer.sender is not None:
            return writer.sender.id
        if verdict.action is not Action.HOLD or writer.proof is Proof.NONE or judged.target.check:
            return None
        party_id = facts.pair.side(writer.role).party.id
        fresh = Sender(
            id=keyed.base32hex(
                keyed.tag(self.services.store.secret("sender"), "sender", party_id, facts.from_address, size=16)
            ),
            party_id=party_id,
            address=facts.from_address,
            state=SenderState.UNKNOWN,
            added_by="mail",
        )
        return self.new_senders.setdefault(party_id, fresh).id

    async def _refused(self, judged: RecipientResult, reason: Reason) -> None:
        """A stranger's mail leaves envelope, size and results; a proven writer's is kept whole (R-REC-01)."""
        author_id = self.incoming.peer.login_party_id
        if judged.facts and reason.code is ReasonCode.SENDER_BLOCKED:  # said to nobody who is not proven
            author_id = judged.facts.pair.side(judged.facts.to.other).party.id
        mail, authentication = self.judgement.mail, self.judgement.authentication
        marketplace = judged.target.marketplace
        policy = marketplace.policy_at(self.incoming.received_at)
        key_holder_id = author_id or marketplace.id
        self.records.append(
            record_detail.record_of(
                self.incoming,
                judged,
                key_holder_id=key_holder_id,
                state=MessageState.REFUSED,
                pair_id=judged.target.pair.id if judged.target.pair else None,
                author_id=author_id,
                subject=mail.head.subject if mail and author_id else "",
                original_message_id=mail.head.message_id if mail and author_id else "",
                original=self.incoming.content if author_id else b"",
                policy_version=policy.version,
                detail=record_detail.detail(self.incoming, judged, (reason,))
                | {"action": "refuse", "authentication": list(authentication.results) if authentication else []},
            )
        )
        data = record_detail.received_data(self.incoming) | record_detail.why((reason,), policy.version)
        self._event(judged.message_id, EventType.REFUSED, data)
        await self._tell_of_refusal(judged, reason)

    async def _tell_of_refusal(self, judged: RecipientResult, reason: Reason) -> None:
        """One reply stands for all recipients of an SMTP transaction: where another of them turns it into a 250, the
        refusal is told by a notice, to a writer whom that other one has proven (R-IN-05, R-REW-05)."""
        mail = self.judgement.mail
        if (
            mail is None
            or self.incoming.peer.port is Port.LMTP
            or automatic(self.incoming, mail.head) is not Automatic.NO
        ):
            return
        for beside in self.judgement.judged:
            taken = not isinstance(beside.outcome, Refusal)
            if taken and beside.facts and beside.writer and beside.writer.registered:
                notice = await notices.about_refusal(
                    self.services,
                    self.incoming,
                    mail.head,
                    beside.facts,
                    beside.writer,
                    judged.target,
                    reason,
                    judged.message_id,
                )
                self.notices.append(notice)
                self._event(judged.message_id, EventType.NOTICE_QUEUED, {"reason": reason.code})
                return

    def _operator_mail(self, judged: RecipientResult) -> None:
        """`postmaster@` and `abuse@` go to the operator as they came (R-IN-10)."""
        marketplace = judged.target.marketplace
        the_record = record_detail.record_of(
            self.incoming,
            judged,
            key_holder_id=marketplace.id,
            state=MessageState.QUEUED,
            original=self.incoming.content,
            detail=record_detail.detail(self.incoming, judged, ()) | {"action": "operator"},
        )
        self.records.append(the_record)
        self._event(judged.message_id, EventType.RECEIVED, record_detail.received_data(self.incoming))
        self._enqueue(judged, the_record, address=marketplace.operator)

    def _service_address(self, marketplace: Marketplace) -> str:
        """Who answers for the orders that the operator fulfils (R-POL-13)."""
        return marketplace.policy_at(self.incoming.received_at).fulfilment.operator or marketplace.operator

    def _enqueue(
        self,
        judged: RecipientResult,
        the_record: MessageRecord,
        *,
        address: str | None = None,
        verdict: Verdict | None = None,
    ) -> None:
        item = queueing.item(self.services, judged, the_record, address=address, verdict=verdict)
        self.items.append(item)
        if item.state is ItemState.LEASED:
            stored = StoredContent(
                original=the_record.original, header=the_record.header, edits=the_record.edits, pair=judged.target.pair
            )
            self.submitted.append((item, stored))

    def _event(self, message_id: str, event_type: EventType, data: dict[str, str | int]) -> None:
        self.events.append(
            Event(
                id=self.services.ids.new(),
                message_id=message_id,
                at=self.incoming.received_at,
                type=event_type,
                data=data,
            )
        )
