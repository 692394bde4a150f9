"""A queue item: one thing on its way out to one mailbox, and the table of moves it may make."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final


class ItemKind(StrEnum):
    RELAY = "relay"
    NOTICE = "notice"
    LETTER = "letter"
    """A letter of the relay's own that is about no one message: a digest, an announcement."""
    OPERATOR = "operator"
    """Mail for `postmaster@` and `abuse@`, forwarded to the marketplace's operator."""


class Hold(StrEnum):
    """What a HELD item waits for."""

    DECISION = "word"
    """Somebody's word; at its due time it goes back for want of one (R-SND-02)."""
    TIME = "time"
    """The time that it is due at: then it goes on its way by itself (R-POL-11)."""
    REFUSED = "refused"
    """Nothing more: the word was no, and it goes back at once."""


class ItemState(StrEnum):
    HELD = "held"
    QUEUED = "queued"
    LEASED = "leased"
    DEFERRED = "deferred"
    ACCEPTED = "accepted"
    BOUNCED = "bounced"
    RETURNED = "returned"
    PARKED = "parked"
    """Unreadable: kept and shown, never dropped in silence."""


TRANSITIONS: Final[dict[ItemState, frozenset[ItemState]]] = {
    ItemState.HELD: frozenset({ItemState.QUEUED, ItemState.RETURNED, ItemState.LEASED}),
    ItemState.QUEUED: frozenset({ItemState.LEASED}),
    ItemState.LEASED: frozenset(
        {
            ItemState.QUEUED,
            ItemState.HELD,  # what waits for a word waits again after an attempt that came to nothing
            ItemState.DEFERRED,
            ItemState.ACCEPTED,
            ItemState.BOUNCED,
            ItemState.RETURNED,
            ItemState.PARKED,
        }
    ),
    ItemState.DEFERRED: frozenset({ItemState.LEASED, ItemState.QUEUED}),
    # A bounce may still come back by mail after the other server said 250.
    ItemState.ACCEPTED: frozenset({ItemState.BOUNCED}),
    ItemState.BOUNCED: frozenset(),
    ItemState.RETURNED: frozenset(),
    ItemState.PARKED: frozenset({ItemState.QUEUED}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """`message_id` is the record it carries or, for a notice, the record it is about. `recipient` is the party whose
    current mailbox it goes to; `address` is set instead where a notice or the operator's mail goes to one address.
    `due_at`: not before; `queued_at`: since when it was due for the first time; `attempts`: dials written so far.
    `destination` is the mailbox's folded domain. `hold`: what it waits, or waited, for; a claim takes a held item when
    it is due, and dispatch does as `hold` says. `awaits_sender`: the word that it waits for is about its sender, whose
    approval releases it; what is held for anything else needs a word of its own."""

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
        """Whether it carries words of the relay's own: nobody is told when those do not arrive."""
        return self.kind in (ItemKind.NOTICE, ItemKind.LETTER)
