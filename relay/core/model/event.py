"""What happened to a message, in the order it happened: the append-only half of the record."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class EventType(StrEnum):
    RECEIVED = "received"
    HELD = "held"
    RELEASED = "released"
    QUEUED = "queued"
    DEFERRED = "deferred"
    ACCEPTED = "accepted"
    BOUNCED = "bounced"
    RETURNED = "returned"
    REFUSED = "refused"
    NOTICE_QUEUED = "notice_queued"
    CHECKED = "checked"
    """Its writer only asked what would become of it (R-POL-19)."""
    MARKED = "marked"
    """Somebody's word about it by a link or a verb: not important, no reply needed, reported."""
    VIEWED = "viewed"
    """Staff read its text; `data` says who, for which case and why (R-REC-06)."""
    COPY_MERGED = "copy_merged"
    """A further recipient of the same transaction was the same person: no second copy (R-REW-05)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`data` holds strings and numbers only, no real address and no message text; `message_id` is the record's id."""

    id: str
    message_id: str
    at: datetime
    type: EventType
    data: dict[str, str | int] = field(default_factory=dict)
