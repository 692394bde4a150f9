"""The events of a message in their order: the part of the record to which entries are only added."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class EventType(StrEnum):
    """The type of an event."""

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
    """The writer only asked for the verdict, by the address `check+ALIAS` (R-POL-19)."""
    MARKED = "marked"
    """A person marked the message by a link or a command: not important, no reply needed, or reported."""
    VIEWED = "viewed"
    """Staff read the text; `data` names the person, the case and the reason (R-REC-06)."""
    COPY_MERGED = "copy_merged"
    """Another recipient of the same transaction was the same person, who gets no second copy (R-REW-05)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event; `message_id` is the id of the record.

    `data` contains strings and numbers only, no real address and no message text.
    """

    id: str
    message_id: str
    at: datetime
    type: EventType
    data: dict[str, str | int] = field(default_factory=dict)
