"""The events of a message: the part of its record to which entries are only added, never changed or removed."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Required, TypedDict, cast

from relay.core.model.item import ItemKind
from relay.core.model.message import Port
from relay.core.model.reason import ReasonCode


class EventType(StrEnum):
    """The type of an event of a message."""

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
    """The message got a mark (`Mark`)."""
    VIEWED = "viewed"
    """A member of the staff read the text; `data` names the person, the case and the reason (R-REC-06)."""
    REPORTED_UNDELIVERABLE = "reported_undeliverable"
    """An unconfirmed report says that the message could not be delivered; the message's state stays the same."""
    REPORT_RECEIVED = "report_received"
    """Other mail came to the return path of the message; the message's state stays the same."""
    COPY_MERGED = "copy_merged"
    """Another recipient of the same transaction was the same party, which gets no second copy (R-REW-05)."""


class Mark(StrEnum):
    """The mark of a MARKED event."""

    NOT_IMPORTANT = "not_important"
    """The buyer says that the message did not deserve its mark of importance."""
    NO_REPLY_NEEDED = "no_reply_needed"
    REPLY_NEEDED = "reply_needed"
    """The mark NO_REPLY_NEEDED was removed."""
    REPORTED = "reported"
    """The recipient reported the message to the marketplace."""
    REFUSED = "refused"
    """A person decided that the held message is returned."""
    GAVE_WAY = "gave_way"
    """The held message is returned, because too many other unlisted senders wait for a decision (R-SND-02)."""


class ReceivedData(TypedDict, total=False):
    """The data of a RECEIVED event. `tls` is 1 if the client used TLS, else 0."""

    port: Port
    size_bytes: int
    tls: int


class DecisionData(TypedDict, total=False):
    """The data of an event that a verdict causes.

    `reasons` are the reason codes, separated by commas. `policy` is the version of the policy. Both may be missing.
    """

    reasons: str
    policy: str


class RefusalData(ReceivedData, DecisionData, total=False):
    """The data of a REFUSED event, which has the data of RECEIVED and of the verdict."""


class LetterData(TypedDict):
    """The data of a QUEUED event of a letter; `letter` is the type of the letter."""

    letter: str


class AttemptData(TypedDict, total=False):
    """The data of an event about an attempt to deliver, and of a RETURNED event at the time of delivery.

    `phase`, `code`, `enhanced`, `tls` and `text` are fields of `ports.Delivery`; `text` has no address, and no host
    except those of known providers. `host` is the provider of the host (`core.providers.host_class`). `took` is the
    keyed mark of the host that accepted the message (`core.bounce.origin.mark`), with which the origin of a later
    report is compared. `item` is the kind of the item, missing for relayed mail. An attempt that failed inside the
    relay, and a RETURNED event, have only a reason.
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
    """Why mail to the return path of a message did not change the state of the message."""

    UNREAD = "unread"
    """The mail is not a report that a program can read."""
    IGNORED = "ignored"
    """The mail reports a delay or a successful delivery."""
    FEEDBACK = "feedback"
    """The mail is a feedback report about unwanted mail (ARF, RFC 5965)."""
    AUTO_REPLY = "auto_reply"
    """The mail is an automatic reply whose writer is not registered or not proven."""
    REPEATED = "repeated"
    """The message has already bounced or was already returned."""
    EARLY = "early"
    """As far as the relay knows, no server has accepted the message yet."""


class ReportData(TypedDict, total=False):
    """The data of an event that mail to a return path causes; `by` is always "report".

    `reason` and `status` are those that a delivery report claims. `confirmed` is the `core.bounce.origin.Confirmation`
    of a BOUNCED event, and `outcome` is the `ReportOutcome` of a REPORT_RECEIVED event. `host` is the provider
    (`core.providers.host_class`) of the client's proven host name, and `auth` has the results of the client's
    authentication, such as "iprev=pass,helo=none". `sha256` is the hash of the whole mail in hexadecimal digits.
    `report` is the id under which the sealed mail is stored; it is missing if the mail is not stored.
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
    """The data of a NOTICE_QUEUED event.

    `notice` is the id of the notice's item, `type` is the type of the notice, and `reason` is the reason that it names;
    `reason` is missing if it names none. `item` is the kind of the item that the notice is about, missing for relayed
    mail.
    """

    notice: Required[str]
    type: Required[str]
    reason: ReasonCode
    item: ItemKind


class HoldData(TypedDict, total=False):
    """The data of an event that ends a hold.

    `by` is the name of the actor. `sender` is the new state of the sender, missing if the decision was not about it.
    """

    by: str
    sender: str


class MarkData(TypedDict, total=False):
    """The data of a MARKED event: the mark, and the name or the role of the actor (`by`)."""

    mark: Required[Mark]
    by: str


class ViewData(TypedDict):
    """The data of a VIEWED event. `what` is the form of the text that was read; `by` is the name of the actor."""

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
    """One event of the message whose record has the id `message_id`.

    `data` has the type that belongs to the type of the event. It contains only strings and numbers, and never a mailbox
    or a text of the message.
    """

    id: str
    message_id: str
    at: datetime
    type: EventType
    data: EventData = field(default_factory=DecisionData)


def mark_of(event: Event) -> Mark | None:
    """Returns the mark of a MARKED event, None for an event of another type."""
    return Mark(cast("MarkData", event.data)["mark"]) if event.type is EventType.MARKED else None
