"""New items of the queue: their destination, the time when they are due, and the decision or time they wait for."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from relay.core.model.item import Hold, Item, ItemKind, ItemState
from relay.core.model.marketplace import Marketplace
from relay.core.model.reason import ReasonCode
from relay.core.model.verdict import Action
from relay.ports import MessageRecord
from relay.steps.outcomes import Judgement
from relay.steps.services import Services

_PENDING_ALONE: Final = {ReasonCode.SENDER_PENDING}


class _Wait(NamedTuple):
    """The wait of a new item.

    `held` means that the item begins in state HELD. `awaits_sender` means that only the approval of its sender is
    missing.
    """

    hold: Hold | None
    due_at: datetime
    held: bool = False
    awaits_sender: bool = False


def to_party(services: Services, judgement: Judgement, record: MessageRecord) -> Item:
    """Returns the queue item for relayed or held mail.

    The recipient of held mail may have no mailbox. If there is still no mailbox when the hold ends, the recheck returns
    the mail.
    """
    mailbox = judgement.facts.pair.side(judgement.facts.to).mailbox
    destination = services.destination_of(mailbox)
    return _item(services, record, ItemKind.RELAY, None, destination, _wait(judgement, record.received_at))


def rerouted(services: Services, judgement: Judgement, record: MessageRecord, address: str) -> Item:
    """Returns the queue item for a buyer's question that is sent to the operator's `address` (R-POL-13)."""
    wait = _wait(judgement, record.received_at)
    return _item(services, record, ItemKind.OPERATOR, address, services.destination_of(address), wait)


def for_operator(services: Services, record: MessageRecord, address: str) -> Item:
    """Returns the queue item for mail to `postmaster@` or `abuse@`, which is sent to the operator's `address`."""
    wait = _Wait(None, record.received_at)
    return _item(services, record, ItemKind.OPERATOR, address, services.destination_of(address), wait)


def of_relay(
    services: Services,
    kind: ItemKind,
    marketplace: Marketplace,
    message_id: str,
    now: datetime,
    *,
    recipient_id: str | None = None,
    mailbox: str | None = None,
    address: str | None = None,
) -> Item:
    """Returns the queue item for a notice or a letter of the relay itself, which may be sent at once.

    `message_id` is the record of the letter, or the record that the notice is about. The mail is sent to the fixed
    address `address`, or else to the party `recipient_id`, whose mailbox is now `mailbox`.
    """
    return Item(
        id=services.ids.new(),
        message_id=message_id,
        marketplace_id=marketplace.id,
        kind=kind,
        state=ItemState.QUEUED,
        recipient_id=recipient_id,
        address=address,
        destination=services.destination_of(address or mailbox),
        queued_at=now,
        due_at=now,
    )


def _item(
    services: Services,
    record: MessageRecord,
    kind: ItemKind,
    address: str | None,
    destination: str,
    wait: _Wait,
) -> Item:
    """Returns the queue item for a record. An item that may be sent at once begins as leased by this process."""
    leaves_now = wait.hold is None and services.dispatcher.has_capacity(destination)
    return Item(
        id=services.ids.new(),
        message_id=record.id,
        marketplace_id=record.marketplace_id,
        kind=kind,
        state=ItemState.HELD if wait.held else ItemState.LEASED if leaves_now else ItemState.QUEUED,
        recipient_id=record.recipient_id,
        address=address,
        destination=destination,
        # The time for which the relay itself delays a message does not make the message late (R-OUT-02).
        queued_at=wait.due_at if wait.hold is Hold.TIME else record.received_at,
        due_at=wait.due_at,
        attempts=1 if leaves_now else 0,
        hold=wait.hold,
        awaits_sender=wait.awaits_sender,
    )


def _wait(judgement: Judgement, received_at: datetime) -> _Wait:
    verdict, policy = judgement.verdict, judgement.recipient.policy
    held = verdict.action is Action.HOLD
    awaits_sender = held and {reason.code for reason in verdict.reasons} == _PENDING_ALONE
    if verdict.not_before is not None:
        return _Wait(Hold.TIME, verdict.not_before, held, awaits_sender)
    if held:
        due_at = received_at + timedelta(seconds=policy.senders.pending_s)
        return _Wait(Hold.DECISION, due_at, held, awaits_sender)
    return _Wait(None, received_at)
