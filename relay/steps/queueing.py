"""The queue item that carries a record: where it goes, when it leaves, and what it waits for."""

from datetime import datetime, timedelta

from relay.core.mail.address import fold_domain, split
from relay.core.model.item import Hold, Item, ItemKind, ItemState
from relay.core.model.reason import ReasonCode
from relay.core.model.verdict import Action, Verdict
from relay.ports import MessageRecord
from relay.steps.judgement import RecipientResult
from relay.steps.services import Services


def item(
    services: Services, judged: RecipientResult, record: MessageRecord, *, address: str | None, verdict: Verdict | None
) -> Item:
    """For the judged recipient, or for a fixed `address` of the operator's. It is born leased by us where it may leave
    at once."""
    hold, due_at = _wait(judged, record, verdict)
    destination = _destination(judged, address)
    leaves_now = hold is None and services.dispatcher.has_capacity(destination)
    reasons = verdict.reasons if verdict and verdict.action is Action.HOLD else ()
    return Item(
        id=services.ids.new(),
        message_id=record.id,
        marketplace_id=record.marketplace_id,
        kind=ItemKind.OPERATOR if address else ItemKind.RELAY,
        state=ItemState.HELD if reasons else ItemState.LEASED if leaves_now else ItemState.QUEUED,
        recipient_id=record.recipient_id,
        address=address,
        destination=destination,
        # Time that the relay itself lets pass does not count as time that the message is late (R-OUT-02).
        queued_at=due_at if hold is Hold.TIME else record.received_at,
        due_at=due_at,
        attempts=1 if leaves_now else 0,
        hold=hold,
        awaits_sender={reason.code for reason in reasons} == {ReasonCode.SENDER_PENDING},
    )


def domain_of(mailbox: str) -> str:
    return fold_domain(split(mailbox)[1])


def _destination(judged: RecipientResult, address: str | None) -> str:
    """Held mail may be for somebody without a mailbox: its release finds that out, and the writer hears of it."""
    if address is None and judged.facts is not None:
        address = judged.facts.pair.side(judged.facts.to).mailbox
    return domain_of(address) if address else ""


def _wait(judged: RecipientResult, record: MessageRecord, verdict: Verdict | None) -> tuple[Hold | None, datetime]:
    """What the item waits for, and until when."""
    now = record.received_at
    if verdict is not None and verdict.not_before is not None:
        return Hold.TIME, verdict.not_before
    if verdict is not None and verdict.action is Action.HOLD:
        policy = judged.target.marketplace.policy_at(now)
        return Hold.DECISION, now + timedelta(seconds=policy.senders.pending_s)
    return None, now
