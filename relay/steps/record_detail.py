"""The parts of a record other than the bytes of its message: ids, codes and numbers, no address or text (R-REC-01)."""

from collections.abc import Sequence
from typing import Any

from relay.core.mail.head import Automatic
from relay.core.model.event import DecisionData, ReceivedData
from relay.core.model.facts import Facts
from relay.core.model.kind import Evidence
from relay.core.model.message import Incoming
from relay.core.model.reason import Reason
from relay.core.model.sender import SenderState
from relay.ports import (
    ListedBy,
    MessageRecord,
    RecordAction,
    RecordDetail,
    RecordedEvidence,
    RecordedReason,
    SenderListing,
)
from relay.steps.outcomes import Judgement, ParsedMail
from relay.steps.recipients import OperatorRecipient, PartyRecipient, Recipient


def record_of(incoming: Incoming, recipient: Recipient, **fields: Any) -> MessageRecord:
    """Returns the record of the message for this recipient. `fields` are further fields of MessageRecord."""
    return MessageRecord(
        id=recipient.message_id,
        marketplace_id=recipient.marketplace.id,
        received_at=incoming.received_at,
        mail_from=incoming.mail_from,
        client_ip=incoming.peer.client_ip,
        **fields,
    )


def of_received(
    incoming: Incoming, recipient: Recipient, action: RecordAction, reasons: Sequence[Reason] = (), **fields: Any
) -> RecordDetail:
    """Returns the detail of a record with the values that every received message has.

    `fields` are further fields of RecordDetail.
    """
    peer = incoming.peer
    return RecordDetail(
        action=action,
        port=peer.port,
        tls=peer.tls,
        size_bytes=len(incoming.content),
        to=_reached(recipient),
        tagged=bool(recipient.tags),
        reasons=tuple(map(_recorded, reasons)),
        **fields,
    )


def of_judged(incoming: Incoming, judgement: Judgement, *, is_check: bool) -> RecordDetail:
    """Returns the detail of the record of a judged message."""
    facts, writer, verdict = judgement.facts, judgement.writer, judgement.verdict
    action = RecordAction.CHECK if is_check else RecordAction(verdict.action)
    return of_received(
        incoming,
        judgement.recipient,
        action,
        verdict.reasons,
        other_tags=facts.other_tags,
        order_evidence=facts.order_evidence,
        thread_order=facts.thread_order.external_id if facts.thread_order else None,
        authentication=facts.authentication.results,
        uncovered=facts.authentication.uncovered,
        warnings=tuple(reason.code for reason in verdict.warnings),
        proof=writer.proof,
        registered=writer.registered,
        sender_state=SenderListing(facts.sender.state) if facts.sender else SenderListing.UNLISTED,
        opted_out=bool(facts.opt_outs),
        automatic=judgement.mail.automatic is not Automatic.NO,
        to_operator=verdict.to_operator,
        unsolicited=verdict.unsolicited,
        listed_by=_listed_by(facts),
        kept_action=RecordAction(verdict.kept.action) if verdict.kept else None,
        kept_reasons=tuple(map(_recorded, verdict.kept.reasons)) if verdict.kept else (),
        evidence=tuple(map(_evidence, verdict.evidence)),
    )


def of_refused(incoming: Incoming, recipient: Recipient, reason: Reason, mail: ParsedMail | None) -> RecordDetail:
    """Returns the detail of the record of a refused message; `mail` is None if it could not be read."""
    return of_received(
        incoming,
        recipient,
        RecordAction.REFUSE,
        (reason,),
        authentication=mail.authentication.results if mail else (),
        uncovered=mail.authentication.uncovered if mail else (),
    )


def of_duplicate(
    incoming: Incoming, recipient: PartyRecipient, reasons: Sequence[Reason], mail: ParsedMail, of: str
) -> RecordDetail:
    """Returns the detail of the record of mail with an earlier signature; `of` is the id of the earlier record."""
    return of_received(
        incoming,
        recipient,
        RecordAction.DUPLICATE,
        reasons,
        authentication=mail.authentication.results,
        uncovered=mail.authentication.uncovered,
        duplicate_of=of,
    )


def _listed_by(facts: Facts) -> ListedBy | None:
    """Returns the kind of party whose list has the From address, None if the writer's own list or no list has it."""
    if facts.sender is not None and facts.sender.state is not SenderState.RETIRED:
        return None
    if facts.listed_by_other_side:
        return ListedBy.OTHER_SIDE
    return ListedBy.ANOTHER if facts.listed_elsewhere else None


def _recorded(reason: Reason) -> RecordedReason:
    span = reason.span
    if span is None:
        return RecordedReason(code=reason.code, rule=reason.rule)
    return RecordedReason(code=reason.code, rule=reason.rule, part=span.part, start=span.start, end=span.end)


def _evidence(found: Evidence) -> RecordedEvidence:
    span = found.span
    return RecordedEvidence(topic=found.topic, weight=found.weight, part=span.part, start=span.start, end=span.end)


def _reached(recipient: Recipient) -> str | None:
    match recipient:
        case OperatorRecipient(local_part=name):
            return name
        case PartyRecipient(to=role):
            return role
        case _:
            return None


def received_data(incoming: Incoming) -> ReceivedData:
    """Returns the data of a RECEIVED event."""
    return ReceivedData(port=incoming.peer.port, size_bytes=len(incoming.content), tls=int(incoming.peer.tls))


def why(reasons: Sequence[Reason], policy_version: str) -> DecisionData:
    """Returns the data of an event that follows a decision: the codes of the reasons and the version of the policy."""
    if not reasons:
        return DecisionData(policy=policy_version)
    return DecisionData(reasons=",".join(reason.code for reason in reasons), policy=policy_version)
