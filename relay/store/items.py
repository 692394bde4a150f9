"""Queue items as rows, and the state and hold of an item after an attempt."""

from typing import Final

from relay.core.model.item import Hold, Item, ItemKind, ItemState
from relay.core.model.message import MessageState
from relay.store.base import from_us, to_us
from relay.store.crypto import Key, UnreadableError, Vault, identity
from relay.store.engine import Row
from relay.store.statements import Table

ITEM: Final = Table(
    "item",
    (
        "id",
        "message_id",
        "marketplace_id",
        "kind",
        "state",
        "recipient_id",
        "key_holder_id",
        "sealed_address",
        "destination",
        "queued_at",
        "due_at",
        "wake_at",
        "attempts",
        "delay_noticed",
        "owner",
        "hold",
        "awaits_sender",
    ),
)
MESSAGE_STATES: Final = {
    ItemState.QUEUED: MessageState.QUEUED,
    ItemState.DEFERRED: MessageState.DEFERRED,
    ItemState.ACCEPTED: MessageState.ACCEPTED,
    ItemState.BOUNCED: MessageState.BOUNCED,
    ItemState.RETURNED: MessageState.RETURNED,
}


def item_row(item: Item, holder_id: str, holder: Key, *, owner: str = "", lease_until: int = 0) -> tuple[object, ...]:
    """Returns the row of an item, with the values in the order of the columns of `ITEM`.

    `holder` is the key of the holder `holder_id`. For a leased item, `owner` is the owner of the lease and
    `lease_until` its end, in microseconds since 1970.
    """
    leased = item.state is ItemState.LEASED
    due_at = to_us(item.due_at)
    return (
        item.id,
        item.message_id,
        item.marketplace_id,
        item.kind.value,
        item.state.value,
        item.recipient_id,
        holder_id,
        holder.seal(identity("item", item.id), item.address.encode()) if item.address is not None else None,
        item.destination,
        to_us(item.queued_at),
        due_at,
        lease_until if leased else wake_at(item.state, item.hold, due_at),
        max(item.attempts, 1) if leased else item.attempts,
        int(item.delay_noticed),
        owner if leased else None,
        item.hold and item.hold.value,
        int(item.awaits_sender),
    )


def wake_at(state: ItemState, hold: Hold | None, due_at: int) -> int | None:
    """Returns the time when an item without a lease must be examined, in microseconds since 1970.

    The time is `due_at`. Returns None for an item with a hold, which is found by its due time instead, and for a
    finished or parked item.
    """
    awake = hold is None and state in (ItemState.QUEUED, ItemState.DEFERRED)
    return due_at if awake else None


def after_attempt(item: Item, state: ItemState) -> tuple[ItemState, Hold | None]:
    """Returns the state and the hold to store after an attempt that ended in `state`.

    An item that waits for a decision, or was refused, is held again if the attempt was put off. A hold until a time
    ends when the time has come.
    """
    if item.hold in (Hold.DECISION, Hold.REFUSED):
        if state in (ItemState.QUEUED, ItemState.DEFERRED):
            return ItemState.HELD, item.hold
        if state is ItemState.PARKED:
            return state, item.hold
    return state, item.hold if state is ItemState.HELD else None


def item_of(row: Row, vault: Vault, wrapped: bytes | None) -> Item:
    """Returns the item of a row of the table `item`. `wrapped` is the encrypted key of its holder.

    The address is None if it cannot be decrypted any more; the content of the item cannot be decrypted then either.
    """
    address = None
    if row["sealed_address"] is not None:
        try:
            key = vault.holder(row["key_holder_id"], wrapped)
            address = key.open(identity("item", row["id"]), row["sealed_address"]).decode()
        except UnreadableError:
            address = None
    return Item(
        id=row["id"],
        message_id=row["message_id"],
        marketplace_id=row["marketplace_id"],
        kind=ItemKind(row["kind"]),
        state=ItemState(row["state"]),
        recipient_id=row["recipient_id"],
        address=address,
        destination=row["destination"],
        queued_at=from_us(row["queued_at"]),
        due_at=from_us(row["due_at"]),
        attempts=row["attempts"],
        delay_noticed=bool(row["delay_noticed"]),
        hold=Hold(row["hold"]) if row["hold"] else None,
        awaits_sender=bool(row["awaits_sender"]),
    )
