"""A queue item, which is one message on its way to one mailbox, and the table of its allowed state transitions."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final


class ItemKind(StrEnum):
    """The kind of mail that an item carries."""

    RELAY = "relay"
    NOTICE = "notice"
    LETTER = "letter"
    """A mail of the relay itself that is about no single message: a digest or an announcement."""
    OPERATOR = "operator"
    """Mail that goes to the marketplace's operator, such as mail for `postmaster@` and `abuse@`."""


class Hold(StrEnum):
    """Why an item waits: it is HELD or QUEUED with TIME: relayed mail in quiet hours or under a delay, and notices."""

    DECISION = "word"
    """It waits for a person's decision. Without one by `due_at`, the message is returned (R-SND-02)."""
    TIME = "time"
    """It waits for the time `due_at`; then it is sent without a decision (R-POL-11, R-POL-12)."""
    REFUSED = "refused"
    """It waits for nothing: the decision was no, and the message is returned at once."""


class ItemState(StrEnum):
    """The state of an item."""

    HELD = "held"
    QUEUED = "queued"
    LEASED = "leased"
    DEFERRED = "deferred"
    ACCEPTED = "accepted"
    BOUNCED = "bounced"
    RETURNED = "returned"
    PARKED = "parked"
    """The item cannot be read. It is kept and shown, never dropped in silence."""


TRANSITIONS: Final[dict[ItemState, frozenset[ItemState]]] = {
    ItemState.HELD: frozenset({ItemState.QUEUED, ItemState.RETURNED, ItemState.LEASED}),
    ItemState.QUEUED: frozenset({ItemState.LEASED}),
    ItemState.LEASED: frozenset(
        {
            ItemState.QUEUED,
            ItemState.HELD,  # an item that waits for a decision waits on after a failed attempt
            ItemState.DEFERRED,
            ItemState.ACCEPTED,
            ItemState.BOUNCED,
            ItemState.RETURNED,
            ItemState.PARKED,
        }
    ),
    ItemState.DEFERRED: frozenset({ItemState.LEASED}),
    # A bounce may still come by mail after the other server has answered 250.
    ItemState.ACCEPTED: frozenset({ItemState.BOUNCED}),
    ItemState.BOUNCED: frozenset(),
    ItemState.RETURNED: frozenset(),
    ItemState.PARKED: frozenset(),
}
"""The states that an item may have next, by its state now."""
INITIAL_STATES: Final = frozenset({ItemState.HELD, ItemState.QUEUED, ItemState.LEASED})
"""The states that a new item may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An item of the queue.

    `message_id` is the record that it carries or, for a notice, the record that the notice is about. `recipient_id` is
    the party whose current mailbox gets it. `address` is set when a notice or the operator's mail goes to a fixed
    address; a notice has both. `destination` is the folded domain of the mailbox. The item is not sent before `due_at`;
    `queued_at` is the time at which it was due first. `attempts` counts the attempts recorded so far.

    `hold` is why it waits, or waited. A claim takes a held item when it is due, and dispatch then
    acts by `hold`. `awaits_sender` means that the decision is about its sender, whose approval releases the item; any
    other hold needs a decision about the item itself.
    """

    id: str
    message_id: str
    marketplace_id: str
    kind: ItemKind
    state: ItemState
    recipient_id: str | None
    address: str | None
    destination: str
    queued_at: datetime
    due_at: datetime
    attempts: int = 0
    delay_noticed: bool = False
    hold: Hold | None = None
    awaits_sender: bool = False

    @property
    def is_ours(self) -> bool:
        """Whether it carries mail of the relay itself: nobody gets a notice when such mail is not delivered."""
        return self.kind in (ItemKind.NOTICE, ItemKind.LETTER)
