"""The values that the store writes and reads: records, notices, settlements, summaries."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from relay.core.bounce.keeping import ReportLimits
from relay.core.dkim import KeyState
from relay.core.mail.edits import Edit
from relay.core.mail.head import Automatic
from relay.core.model.event import Event
from relay.core.model.facts import QuotaScope, Signature
from relay.core.model.item import Item, ItemState
from relay.core.model.kind import Kind
from relay.core.model.message import MessageState
from relay.core.model.optout import OptOut
from relay.core.model.pair import Pair
from relay.core.model.party import Role
from relay.core.model.sender import Sender
from relay.core.rewrite.plan import Change
from relay.core.signed_link import Purpose
from relay.ports.detail import RecordDetail
from relay.ports.outward import Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRecord:
    """One message for one recipient, as it is stored (R-REC-01).

    `original` is the received content; `header` and `edits` are the relayed form (`header` is None if the message was
    not relayed). `pair_id` is None for mail to the operator or to an address of nobody; `author_id` and `recipient_id`
    are None if no party of a pair is known to have written it.
    `key_holder_id` is the holder whose key wraps the message key: the author, or else the marketplace.
    `original_message_id` is stored encrypted, with a keyed hash for look-ups in the pair.
    `signing_domain` is the folded domain whose confirmation by the author would have proven the message (R-IN-09), ""
    if that is not what is missing. `stranger_body` is the content of mail of a stranger, whose `original` is empty; it
    is kept until `stranger_body_until` (R-REC-01).
    """

    id: str
    marketplace_id: str
    key_holder_id: str
    state: MessageState
    received_at: datetime
    mail_from: str
    pair_id: str | None = None
    author_id: str | None = None
    author_role: Role | None = None
    recipient_id: str | None = None
    sender_id: str | None = None
    order_id: str | None = None
    kind: Kind = Kind.OTHER
    automatic: Automatic = Automatic.NO
    subject: str = ""
    original_message_id: str = ""
    original: bytes = b""
    header: bytes | None = None
    edits: tuple[Edit[bytes], ...] = ()
    changes: tuple[Change, ...] = ()
    policy_version: str = ""
    detail: RecordDetail
    signing_domain: str = ""
    stranger_body: bytes = b""
    stranger_body_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingNotice:
    """A mail that the relay itself writes.

    `content` is the whole message without To and signature; `item.message_id` is the record that it is about. The
    content is stored under the item's id, encrypted for `key_holder_id`.
    """

    item: Item
    key_holder_id: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One message that counts towards a quota (R-POL-11) or a limit of mail to the operator (R-IN-06).

    `subject_id` is the id of the seller, the pair, the buyer, the writer or the client of the scope, and `day` an ISO
    date in the policy's time zone, with the hour in UTC for checks. `limit` is the highest count for the day, 0 for no
    limit. `amount` is how much it counts. Uses of one counter with the same `mark` count once; "" counts each time.
    """

    scope: QuotaScope
    subject_id: str
    day: str
    limit: int = field(default=0, compare=False)
    amount: int = field(default=1, compare=False)
    mark: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureUse:
    """A signature that alone proves the writer of a message to the party on side `to` of a pair (R-IN-09)."""

    pair_id: str
    to: Role
    signature: Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenSignature:
    """A signature that is noted with the record of its message, so that it is not taken again."""

    use: SignatureUse
    message_id: str


class MisuseCause(StrEnum):
    """The cause of points of misuse."""

    NOT_IMPORTANT = "not_important"
    """The buyer says that the message did not deserve its mark."""
    CONTRADICTION = "contradiction"
    """The content of the message contradicts its mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Misuse:
    """Points that a mark of importance has cost (R-POL-06). The same message and cause count once."""

    message_id: str
    seller_id: str
    cause: MisuseCause
    points: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoration:
    """The end of all points that the seller had: they no longer count (R-POL-06). `by` is the name of the actor."""

    seller_id: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeSent:
    """A party was sent a notice: this is kept so that a similar one is not sent at once.

    `topic` is a word and an id.
    """

    party_id: str
    topic: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerRequest:
    """A question to the owner of an account: about a pending sender, or about a message that nothing proves (R-IN-09).

    `subject_id` is the id of the sender or of the message, as `purpose` says. A sender about whom no other mail waits
    is asked about again.
    """

    subject_id: str
    party_id: str
    pair_id: str
    purpose: Purpose
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The places of a party's unlisted senders.

    `number` senders may wait, one of them only from the domain of `mailbox`. Mail received after `since` counts for its
    writer. An organizational domain is one sender, but not one of the `providers`, at which each address is.
    """

    number: int
    mailbox: str | None
    since: datetime
    providers: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitLimit:
    """The places and the budget within which the mail of one transaction may wait for the owner (R-SND-02).

    `sender_id` is the writer's entry; the further fields are those of `SenderStore.waiting` and of the policy.
    """

    party_id: str
    sender_id: str
    places: Places
    mails: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRequest:
    """A question that waits to be put to the owner of an account.

    `sender` is the entry for the From address; `held` is the number of messages that wait, 0 if the question is moot.
    """

    request: OwnerRequest
    sender: Sender
    held: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """Everything that one transaction adds, all or nothing.

    `requests` are new questions to owners; `asked` are the subjects of those that this transaction asks.

    Items in state LEASED are leased by `owner` from the beginning, with their first attempt counted, so that the worker
    can deliver them without another write.
    """

    records: tuple[MessageRecord, ...]
    events: tuple[Event, ...]
    items: tuple[Item, ...]
    notices: tuple[OutgoingNotice, ...]
    new_senders: tuple[Sender, ...]
    owner: str
    lease_until: datetime
    uses: tuple[Use, ...] = ()
    misuse: tuple[Misuse, ...] = ()
    told: tuple[NoticeSent, ...] = ()
    requests: tuple[OwnerRequest, ...] = ()
    asked: tuple[str, ...] = ()
    wait_limits: tuple[WaitLimit, ...] = ()
    signatures: tuple[TakenSignature, ...] = ()
    """None of them may have been taken before: AcceptanceStore raises OvertakenError otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredContent:
    """The content of an item, as dispatch needs it: the received content and its relayed form.

    For a notice `original` is the notice and `header` is None.
    """

    original: bytes
    header: bytes | None
    edits: tuple[Edit[bytes], ...]
    pair: Pair | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The end of one attempt: the new state of the item (see `item.TRANSITIONS`), the events and a notice.

    It is written in one transaction, and not at all if another node has leased the item meanwhile. `due_at` is the time
    when the item is due again. `notice` is None if none must be sent. `dialled` is False if no attempt was made, which
    takes back the count of the claim. `delivery` is the outcome of the attempt, None if no server was asked; the store
    does not keep it.
    """

    item: Item
    owner: str
    state: ItemState
    due_at: datetime
    events: tuple[Event, ...]
    notice: OutgoingNotice | None = None
    delay_noticed: bool = False
    dialled: bool = True
    delivery: Delivery | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSource:
    """The client and the envelope of a report as they were, for the sealed part of the record.

    `names` are the client's host names that lead back to its address, `signers` the domains of valid DKIM signatures.
    """

    client_ip: str
    helo: str
    mail_from: str
    names: tuple[str, ...] = ()
    signers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A mail to the return path of an item, as it is to be kept.

    `event` is its event as if the item were accepted and nothing had come before: BOUNCED for a confirmed failure,
    REPORTED_UNDELIVERABLE for an unconfirmed one, REPORT_RECEIVED for all else. `core.bounce.keeping` decides how much
    of it is written. `notice` and `notice_event` are both None if the writer gets no notice.
    """

    item_id: str
    event: Event
    content: bytes
    source: ReportSource
    limits: ReportLimits
    notice: OutgoingNotice | None = None
    notice_event: Event | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReport:
    """A decrypted report, for staff with a reason."""

    event: Event
    content: bytes
    source: ReportSource


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSummary:
    """The part of a record that is not encrypted, as lists and `relay message` show it: no address and no text."""

    id: str
    marketplace_id: str
    pair_id: str | None
    author_role: Role | None
    order_external_id: str | None
    kind: Kind
    state: MessageState
    received_at: datetime
    size_bytes: int
    policy_version: str
    detail: RecordDetail


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMessage:
    """A decrypted record, for staff with a reason, for `relay message show` and for rewriting.

    `original` is also a stranger's message, as long as it is kept.
    """

    summary: MessageSummary
    subject: str
    mail_from: str
    original_message_id: str
    original: bytes
    header: bytes | None
    edits: tuple[Edit[bytes], ...]
    changes: tuple[Change, ...]
    events: tuple[Event, ...]
    signing_domain: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A sender that waits for the decision of the account owner. `held` is how many messages wait for it (R-SND-02)."""

    sender: Sender
    since: datetime
    held: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOutChange:
    """One line of the history of opt-outs (R-POL-02). `out` is whether the opt-out was set or lifted."""

    opt_out: OptOut
    out: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLine:
    """One line of `relay queue`: the items of one destination in one state."""

    destination: str
    state: ItemState
    count: int
    oldest_at: datetime
    next_due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DkimKey:
    """A DKIM key.

    `private_der` is PKCS#8, b"" if the key is retired; `since` is when the state began, None before the key is stored.
    """

    domain: str
    selector: str
    algorithm: str
    private_der: bytes
    state: KeyState = KeyState.ACTIVE
    since: datetime | None = None
