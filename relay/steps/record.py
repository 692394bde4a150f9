"""From a judgement to what is written: records, events, queue items and notices of one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from relay.core.address import fold_domain, split
from relay.core.identify import Writer
from relay.core.model.event import Event, EventType
from relay.core.model.head import Automatic
from relay.core.model.item import Item, ItemKind, ItemState
from relay.core.model.message import Incoming, MessageState, Port
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.sender import Sender, SenderState
from relay.core.model.verdict import Action, Verdict
from relay.core.policy.case import automatic
from relay.core.policy.facts import Facts, Proof
from relay.ports import Acceptance, Letter, OutgoingNotice, Record
from relay.steps import telling
from relay.steps.house import House
from relay.steps.judgement import Judged, Judgement, Mail, Refusal

_STATES = {
    Action.RELAY: (MessageState.QUEUED, EventType.QUEUED),
    Action.HOLD: (MessageState.HELD, EventType.HELD),
    Action.RETURN: (MessageState.RETURNED, EventType.RETURNED),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is committed, and which of its items leave at once because they are born leased by us."""

    acceptance: Acceptance
    departing: tuple[tuple[Item, Letter], ...]


def entry(house: House, incoming: Incoming, judgement: Judgement) -> Entry:
    """Everything that one transaction writes, in the order of its recipients."""
    page = _Page(house=house, incoming=incoming, judgement=judgement)
    for judged in judgement.judged:
        page.write(judged)
    settings = house.settings
    return Entry(
        acceptance=Acceptance(
            records=tuple(page.records),
            events=tuple(page.events),
            items=tuple(page.items),
            notices=tuple(page.notices),
            new_senders=tuple(page.new_senders.values()),
            owner=settings.owner,
            lease_until=incoming.received_at + timedelta(seconds=settings.lease_s),
        ),
        departing=tuple(page.departing),
    )


@dataclass(slots=True, kw_only=True)
class _Page:
    """One transaction's entry as it grows, recipient by recipient."""

    house: House
    incoming: Incoming
    judgement: Judgement
    records: list[Record] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    notices: list[OutgoingNotice] = field(default_factory=list)
    new_senders: dict[str, Sender] = field(default_factory=dict)
    departing: list[tuple[Item, Letter]] = field(default_factory=list)

    def write(self, judged: Judged) -> None:
        match judged.outcome:
            case None if judged.merged_into:
                self._event(judged.merged_into, EventType.COPY_MERGED, {})
            case None:
                self._operator_mail(judged)
            case Refusal(reason=reason):
                self._refused(judged, reason)
            case Verdict() as verdict:
                self._judged(judged, verdict)

    def _judged(self, judged: Judged, verdict: Verdict) -> None:
        facts, writer, mail = judged.facts, judged.writer, self.judgement.mail
        if facts is None or writer is None or mail is None:
            raise ValueError("a verdict is about facts and a writer")
        recipient = facts.pair.side(facts.to)
        state, event_type = _STATES[verdict.action]
        the_record = self._record(judged, mail, facts, writer, verdict, state)
        self.records.append(the_record)
        self._event(judged.message_id, EventType.RECEIVED, _received_data(self.incoming))
        self._event(judged.message_id, event_type, _why(verdict.reasons, verdict.policy_version))
        if verdict.action is not Action.RETURN:
            # Held mail may be for somebody without a mailbox: its release finds that out, and the writer hears of it.
            destination = _domain_of(recipient.mailbox) if recipient.mailbox else ""
            self._enqueue(judged, the_record, destination=destination, held=verdict.action is Action.HOLD)
        if verdict.notify and not self.judgement.rejects:
            notice = telling.about_verdict(
                self.house, self.incoming, mail.head, facts, writer, verdict, judged.message_id
            )
            self.notices.append(notice)
            self._event(judged.message_id, EventType.NOTICE_QUEUED, {"reason": verdict.reasons[0].code})

    def _record(
        self, judged: Judged, mail: Mail, facts: Facts, writer: Writer, verdict: Verdict, state: MessageState
    ) -> Record:
        author = facts.pair.side(writer.role).party
        rewritten = judged.rewritten
        return _record_of(
            self.incoming,
            judged,
            key_holder_id=author.id,
            state=state,
            pair_id=facts.pair.id,
            author_id=author.id,
            author_role=writer.role,
            recipient_id=facts.pair.side(facts.to).party.id,
            sender_id=self._sender_id(facts, writer, verdict),
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
            detail=_detail(self.incoming, judged, verdict.reasons)
            | {
                "action": verdict.action,
                "proof": writer.proof,
                "registered": writer.registered,
                "sender_state": facts.sender.state if facts.sender else "unlisted",
                "opted_out": bool(facts.opt_outs),
                "authentication": list(facts.authentication.results),
                "automatic": automatic(self.incoming, mail.head) is not Automatic.NO,
                "unsolicited": verdict.unsolicited,
            },
        )

    def _sender_id(self, facts: Facts, writer: Writer, verdict: Verdict) -> str | None:
        """The writer's entry; a proven writer who is held for being on no list gets a pending one (R-SND-02)."""
        if writer.sender is not None:
            return writer.sender.id
        if verdict.action is not Action.HOLD or writer.proof is Proof.NONE:
            return None
        party_id = facts.pair.side(writer.role).party.id
        fresh = Sender(
            id=self.house.ids.new(),
            party_id=party_id,
            address=facts.from_address,
            state=SenderState.UNKNOWN,
            added_by="mail",
        )
        return self.new_senders.setdefault(party_id, fresh).id

    def _refused(self, judged: Judged, reason: Reason) -> None:
        """A stranger's mail leaves envelope, size and results; a proven writer's is kept whole (R-REC-01)."""
        author_id = self.incoming.peer.login_party_id
        if judged.facts and reason.code is ReasonCode.SENDER_BLOCKED:  # said to nobody who is not proven
            author_id = judged.facts.pair.side(judged.facts.to.other).party.id
        mail, authentication = self.judgement.mail, self.judgement.authentication
        marketplace = judged.target.marketplace
        policy = marketplace.policy_at(self.incoming.received_at)
        key_holder_id = author_id or marketplace.id
        self.records.append(
            _record_of(
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
                detail=_detail(self.incoming, judged, (reason,))
                | {"action": "refuse", "authentication": list(authentication.results) if authentication else []},
            )
        )
        data = _received_data(self.incoming) | _why((reason,), policy.version)
        self._event(judged.message_id, EventType.REFUSED, data)
        self._tell_of_refusal(judged, reason)

    def _tell_of_refusal(self, judged: Judged, reason: Reason) -> None:
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
            if beside.facts and beside.writer and beside.writer.registered:
                notice = telling.about_refusal(
                    self.house,
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

    def _operator_mail(self, judged: Judged) -> None:
        """`postmaster@` and `abuse@` go to the operator as they came (R-IN-10)."""
        marketplace = judged.target.marketplace
        the_record = _record_of(
            self.incoming,
            judged,
            key_holder_id=marketplace.id,
            state=MessageState.QUEUED,
            original=self.incoming.content,
            detail=_detail(self.incoming, judged, ()) | {"action": "operator"},
        )
        self.records.append(the_record)
        self._event(judged.message_id, EventType.RECEIVED, _received_data(self.incoming))
        operator = marketplace.operator
        self._enqueue(judged, the_record, destination=_domain_of(operator), address=operator)

    def _enqueue(
        self,
        judged: Judged,
        the_record: Record,
        *,
        destination: str,
        address: str | None = None,
        held: bool = False,
    ) -> None:
        leaves_now = not held and self.house.departures.has_room(destination)
        item = Item(
            id=self.house.ids.new(),
            message_id=the_record.id,
            marketplace_id=the_record.marketplace_id,
            kind=ItemKind.OPERATOR if address else ItemKind.RELAY,
            state=ItemState.HELD if held else ItemState.LEASED if leaves_now else ItemState.QUEUED,
            recipient_id=the_record.recipient_id,
            address=address,
            destination=destination,
            queued_at=self.incoming.received_at,
            due_at=self.incoming.received_at,
            attempts=1 if leaves_now else 0,
        )
        self.items.append(item)
        if leaves_now:
            letter = Letter(
                original=the_record.original, header=the_record.header, edits=the_record.edits, pair=judged.target.pair
            )
            self.departing.append((item, letter))

    def _event(self, message_id: str, event_type: EventType, data: dict[str, str | int]) -> None:
        self.events.append(
            Event(
                id=self.house.ids.new(),
                message_id=message_id,
                at=self.incoming.received_at,
                type=event_type,
                data=data,
            )
        )


def _record_of(incoming: Incoming, judged: Judged, **fields: Any) -> Record:
    """A record of this recipient's message: who it is about and when, and `fields`."""
    return Record(
        id=judged.message_id,
        marketplace_id=judged.target.marketplace.id,
        received_at=incoming.received_at,
        mail_from=incoming.mail_from,
        **fields,
    )


def _detail(incoming: Incoming, judged: Judged, reasons: Sequence[Reason]) -> dict[str, object]:
    peer = incoming.peer
    return {
        "port": peer.port,
        "tls": peer.tls,
        "client_ip": peer.client_ip,
        "size_bytes": len(incoming.content),
        "to": judged.target.local_part if judged.target.is_operator else judged.target.to,
        # As typed it may say anything; what it was understood as is the record's order and kind.
        "tagged": bool(judged.target.tag),
        "reasons": [
            {"code": reason.code, "rule": reason.rule}
            | ({"part": s.part, "start": s.start, "end": s.end} if (s := reason.span) else {})
            for reason in reasons
        ],
    }


def _received_data(incoming: Incoming) -> dict[str, str | int]:
    return {"port": incoming.peer.port, "size_bytes": len(incoming.content), "tls": int(incoming.peer.tls)}


def _why(reasons: Sequence[Reason], policy_version: str) -> dict[str, str | int]:
    codes: Mapping[str, str | int] = {"reasons": ",".join(reason.code for reason in reasons)} if reasons else {}
    return {**codes, "policy": policy_version}


def _domain_of(mailbox: str) -> str:
    return fold_domain(split(mailbox)[1])
