"""An item of the queue: one message on its way to one mailbox; and the table of the allowed changes of its state."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final


class ItemKind(StrEnum):
    """The kind of mail that an item carries."""

    RELAY = "relay"
    """A message of one party to the other party of the pair."""
    NOTICE = "notice"
    """A mail of the relay itself about one message."""
    LETTER = "letter"
    """A mail of the relay itself that is about no single message: a digest or an announcement."""
    OPERATOR = "operator"
    """Mail to the marketplace's operator, such as mail for `postmaster@` and `abuse@`."""


class Hold(StrEnum):
    """Why an item is held.

    A held item is in the state HELD. Only TIME also occurs in the state QUEUED: for relayed mail that waits for the end
    of quiet hours or of a delay, and for notices that are sent later.
    """

    DECISION = "word"
    """The item waits for a person's decision. If nobody decides until `due_at`, the message is returned (R-SND-02)."""
    TIME = "time"
    """The item waits for the time `due_at`. Then it is sent without a decision (R-POL-11, R-POL-12)."""
    REFUSED = "refused"
    """A person decided against the message, so it is returned at once."""


class ItemState(StrEnum):
    """The state of an item; `TRANSITIONS` has the allowed changes."""

    HELD = "held"
    QUEUED = "queued"
    LEASED = "leased"
    DEFERRED = "deferred"
    ACCEPTED = "accepted"
    BOUNCED = "bounced"
    RETURNED = "returned"
    PARKED = "parked"
    """The item cannot be read, or failed at each attempt. It is kept and shown to the administrator."""


TRANSITIONS: Final[dict[ItemState, frozenset[ItemState]]] = {
    ItemState.HELD: frozenset({ItemState.QUEUED, ItemState.RETURNED, ItemState.LEASED}),
    ItemState.QUEUED: frozenset({ItemState.LEASED}),
    ItemState.LEASED: frozenset(
        {
            ItemState.QUEUED,
            ItemState.HELD,  # a held item waits again after an attempt that failed inside the relay
            ItemState.DEFERRED,
            ItemState.ACCEPTED,
            ItemState.BOUNCED,
            ItemState.RETURNED,
            ItemState.PARKED,
        }
    ),
    ItemState.DEFERRED: frozenset({ItemState.LEASED}),
    # A bounce may still come by mail after the other server has accepted the message.
    ItemState.ACCEPTED: frozenset({ItemState.BOUNCED}),
    ItemState.BOUNCED: frozenset(),
    ItemState.RETURNED: frozenset(),
    ItemState.PARKED: frozenset(),
}
"""The states to which an item may change, by its current state."""
INITIAL_STATES: Final = frozenset({ItemState.HELD, ItemState.QUEUED, ItemState.LEASED})
"""The states that a new item may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An item of the queue.

    `message_id` is the id of the record that the item carries, or, for a notice, of the record that the notice is
    about. `recipient_id` is the id of the party to whose current mailbox the item is sent. `address` is set if the item
    is sent to a fixed address instead; a notice to such an address also has `recipient_id`. `destination` is the name
    of the domain of the mailbox (`core.destination`). The item is not sent before `due_at`. `queued_at` is the time at
    which the item was first due. `attempts` is the number of attempts until now.

    `hold` is the reason for which the item waits or has waited. A held item is claimed when it is due, and `hold` then
    determines what is done with it. `awaits_sender` is True if the decision is about the item's sender, whose approval
    releases the item; otherwise the decision is about the item itself.
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
        """Whether the item is a notice or a letter; nobody gets a notice if such mail is not delivered."""
        return self.kind in (ItemKind.NOTICE, ItemKind.LETTER)
