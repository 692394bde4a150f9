"""The events of a message in their order: the part of the record to which entries are only added."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Required, TypedDict, cast

from relay.core.model.item import ItemKind
from relay.core.model.message import Port
from relay.core.model.reason import ReasonCode


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
    REPORTED_UNDELIVERABLE = "reported_undeliverable"
    """A report says that the message could not be delivered, and nothing confirms it: the state stays as it is."""
    REPORT_RECEIVED = "report_received"
    """Other mail came to the return path of the message; it changes nothing."""
    COPY_MERGED = "copy_merged"
    """Another recipient of the same transaction was the same person, who gets no second copy (R-REW-05)."""


class Mark(StrEnum):
    """The mark of a MARKED event."""

    NOT_IMPORTANT = "not_important"
    NO_REPLY_NEEDED = "no_reply_needed"
    REPLY_NEEDED = "reply_needed"
    """The mark "no reply needed" was removed."""
    REPORTED = "reported"
    REFUSED = "refused"
    """A person decided that the held message is returned."""
    GAVE_WAY = "gave_way"
    """The held message is returned because too many unlisted senders wait (R-SND-02)."""


class ReceivedData(TypedDict, total=False):
    """The data of RECEIVED; `tls` is 1 or 0."""

    port: Port
    size_bytes: int
    tls: int


class DecisionData(TypedDict, total=False):
    """The data of an event that a verdict causes; `reasons` are codes with commas between them. It may be empty."""

    reasons: str
    policy: str


class RefusalData(ReceivedData, DecisionData, total=False):
    """The data of REFUSED, which is reception and decision in one."""


class LetterData(TypedDict):
    """The data of QUEUED for a letter of the relay itself, by the type of the letter."""

    letter: str


class AttemptData(TypedDict, total=False):
    """The data of an attempt to deliver, and of a return at dispatch.

    `phase`, `code`, `enhanced`, `tls` and `text` are those of the `Delivery`, the text without addresses; `host` is the
    class of the host. `took` is the keyed mark of the host that accepted the message (`core.bounce.origin.mark`); the
    origin of a later report is compared with it. An attempt that failed inside the relay, and a return, have a reason
    only. `item` is the kind of every item but the relayed message.
    """

    attempt: int
    phase: str
    code: int
    enhanced: str
    host: str
    tls: str
    text: str
    reason: ReasonCode
    downgraded: int
    took: str
    item: ItemKind


class ReportOutcome(StrEnum):
    """Why a mail to a return path changed nothing."""

    UNREAD = "unread"
    """It is no report that a program can read."""
    IGNORED = "ignored"
    """It reports a delay or a success."""
    FEEDBACK = "feedback"
    """It is a feedback report about unwanted mail (ARF)."""
    AUTO_REPLY = "auto_reply"
    """It is an automatic reply whose writer is not registered, or not proven."""
    REPEATED = "repeated"
    """The message has bounced or was returned before."""
    EARLY = "early"
    """No server has accepted the message yet, as far as the relay knows."""


class ReportData(TypedDict, total=False):
    """The data of an event that a mail to a return path causes; `by` is "report".

    `reason` and `status` are the claim of a delivery report. `confirmed` is the `core.bounce.origin.Confirmation` of
    BOUNCED, `outcome` the `ReportOutcome` of REPORT_RECEIVED. `host` is the class of the client's proven host name, and
    `auth` holds the results of its authentication, as "iprev=pass,helo=none". `sha256` is the hash of the whole mail in
    hexadecimal digits, and `report` the id under which the sealed mail is kept; without it the mail is not kept.
    """

    by: Required[str]
    size_bytes: Required[int]
    sha256: Required[str]
    reason: ReasonCode
    status: str
    confirmed: str
    outcome: ReportOutcome
    host: str
    auth: str
    report: str


class NoticeData(TypedDict, total=False):
    """The data of NOTICE_QUEUED: the item of the notice, its type, and the reason that it names, if any."""

    notice: Required[str]
    type: Required[str]
    reason: ReasonCode
    item: ItemKind


class HoldData(TypedDict, total=False):
    """The data of the end of a hold: the name of the actor, and the new state of the sender if that was decided."""

    by: str
    sender: str


class MarkData(TypedDict, total=False):
    """The data of MARKED; `by` is the name or the role of the actor."""

    mark: Required[Mark]
    by: str


class ViewData(TypedDict):
    """The data of VIEWED; `what` is the form of the text that was read."""

    what: str
    case: str
    reason: str
    by: str


EventData = (
    ReceivedData
    | DecisionData
    | RefusalData
    | LetterData
    | AttemptData
    | ReportData
    | NoticeData
    | HoldData
    | MarkData
    | ViewData
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event; `message_id` is the id of the record.

    `data` contains strings and numbers only, no real address and no message text.
    """

    id: str
    message_id: str
    at: datetime
    type: EventType
    data: EventData = field(default_factory=DecisionData)


def mark_of(event: Event) -> Mark | None:
    """Returns the mark of a MARKED event, None for another event."""
    return Mark(cast("MarkData", event.data)["mark"]) if event.type is EventType.MARKED else None
