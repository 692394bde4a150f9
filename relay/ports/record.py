"""The values that the store writes and reads: records, notices, settlements, reports and summaries."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from relay.core.bounce.keeping import ReportLimits
from relay.core.dkim import KeyState
from relay.core.mail.edits import Edit
from relay.core.mail.head import Automatic
from relay.core.model.event import Event
from relay.core.model.facts import QuotaScope, Signature
from relay.core.model.item import Hold, Item, ItemState
from relay.core.model.kind import Kind
from relay.core.model.message import MessageState
from relay.core.model.optout import OptOut
from relay.core.model.pair import Pair
from relay.core.model.party import Role
from relay.core.model.reason import ReasonCode
from relay.core.model.sender import Sender
from relay.core.rewrite.plan import Change
from relay.core.signed_link import Purpose
from relay.ports.detail import RecordDetail
from relay.ports.outward import Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRecord:
    """One message for one recipient, as it is stored (R-REC-01).

    - `original` is the received content. `header` and `edits` are the relayed form; `header` is None if the message was
      not relayed.
    - `pair_id` is None for mail to the operator and for mail to an unknown address. `author_id` and `recipient_id` are
      None if no party of a pair is known to have written the message.
    - `key_holder_id` is the holder whose key wraps the message key: the author if there is one, or else the
      marketplace.
    - `original_message_id` is stored encrypted, with a keyed hash for look-ups in the pair.
    - `client_ip` is the address of the client that delivered the message, "" for letters. It is stored encrypted.
    - `signing_domain` is the folded DKIM domain that the author must confirm to prove the message (R-IN-09). It is ""
      if a confirmation would prove nothing.
    - `stranger_body` is the content of a stranger's message, whose `original` is empty. It is kept until
      `stranger_body_until` (R-REC-01).
    """

    id: str
    marketplace_id: str
    key_holder_id: str
    state: MessageState
    received_at: datetime
    mail_from: str
    client_ip: str = ""
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

    `content` is the whole message without its To field and signature. `item.message_id` is the record that the notice
    is about. The content is stored under the id of the item, encrypted with the key of `key_holder_id`.
    """

    item: Item
    key_holder_id: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """An increase of one counter: of a quota (R-POL-11), or of a limit of mail to the operator or of records (R-IN-06).

    - `subject_id` is the id of the seller, pair, buyer, writer, party or client that the counter belongs to, as `scope`
      says.
    - `day` is an ISO date in the policy's time zone; for checks it also has the hour in UTC.
    - `limit` is the highest allowed count for the day; 0 means no limit.
    - `amount` is the number that is added to the counter.
    - Uses of one counter with the same `mark` count once; uses with the mark "" count each time.
    """

    scope: QuotaScope
    subject_id: str
    day: str
    limit: int = field(default=0, compare=False)
    amount: int = field(default=1, compare=False)
    mark: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureUse:
    """A DKIM signature that is the only proof of who wrote a message to the party on side `to` of a pair (R-IN-09)."""

    pair_id: str
    to: Role
    signature: Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenSignature:
    """A DKIM signature that is stored with the id of its message, so that the same signature is not accepted again."""

    use: SignatureUse
    message_id: str


class MisuseCause(StrEnum):
    """The cause for which points of misuse are given."""

    NOT_IMPORTANT = "not_important"
    """The buyer says that the message did not deserve its mark."""
    CONTRADICTION = "contradiction"
    """The content of the message contradicts its mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Misuse:
    """Points that a mark of importance has cost a seller (R-POL-06). The same message and cause count once."""

    message_id: str
    seller_id: str
    cause: MisuseCause
    points: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoration:
    """The removal of all points of misuse that a seller had until `at` (R-POL-06). `by` is the name of the actor."""

    seller_id: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeSent:
    """The entry in the notice log for a notice to a party. A similar notice is left out for a while after it.

    `topic` is a text that names the kind of notice and the id of its subject, such as a message.
    """

    party_id: str
    topic: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerRequest:
    """A question to the owner of an account, about a pending sender or about an unproven message (R-IN-09).

    `subject_id` is the id of the sender or of the message, as `purpose` says. A question about a sender can be put
    again when no earlier mail of the sender is held.
    """

    subject_id: str
    party_id: str
    pair_id: str
    purpose: Purpose
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The limited places for the unlisted senders of a party whose mail may wait for the party's decision.

    - `number` is the number of places, and one of them is kept for senders at the domain of `mailbox`.
    - Mail that was received after `since` counts towards the limits of its writer.
    - All addresses of one organizational domain (the registered domain) take one place together; at a domain in
      `providers`, such as a public mail provider, each address takes a place of its own.
    """

    number: int
    mailbox: str | None
    since: datetime
    providers: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitLimit:
    """The limits within which the mail of one transaction may wait for the owner's decision (R-SND-02).

    `sender_id` is the entry of the writer in the list of senders. `mails` and `size_bytes` are the highest allowed
    number and total size of the writer's mail, as `SenderStore.waiting` counts it.
    """

    party_id: str
    sender_id: str
    places: Places
    mails: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRequest:
    """A question that has not been put to the owner of the account yet.

    `sender` is the entry for the From address. `held` is the number of messages that wait for the answer; 0 means that
    the question is no longer needed.
    """

    request: OwnerRequest
    sender: Sender
    held: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """Everything that one SMTP transaction adds to the store, all of it or nothing.

    `requests` are new questions to owners. `asked` are the subject ids of the questions that are put by this
    transaction.

    An item in state LEASED is leased by `owner` from the beginning, and its first attempt is counted already, so that
    the worker can deliver it without another write.
    """

    owner: str
    lease_until: datetime
    records: tuple[MessageRecord, ...] = ()
    events: tuple[Event, ...] = ()
    items: tuple[Item, ...] = ()
    notices: tuple[OutgoingNotice, ...] = ()
    new_senders: tuple[Sender, ...] = ()
    uses: tuple[Use, ...] = ()
    misuse: tuple[Misuse, ...] = ()
    told: tuple[NoticeSent, ...] = ()
    requests: tuple[OwnerRequest, ...] = ()
    asked: tuple[str, ...] = ()
    wait_limits: tuple[WaitLimit, ...] = ()
    signatures: tuple[TakenSignature, ...] = ()
    """DKIM signatures to store. `AcceptanceStore.add` raises OvertakenError if one of them is stored already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredContent:
    """The content of an item for its delivery: the received content and the changes that make the relayed form.

    For a notice, `original` is the notice itself and `header` is None.
    """

    original: bytes
    header: bytes | None
    edits: tuple[Edit[bytes], ...]
    pair: Pair | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAnswer:
    """The server of a failed attempt, and its words without mail addresses, for the sealed part of the record.

    `host` and `ip` are "" without a session, and in the records of older versions.
    """

    host: str
    ip: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The end of one attempt: the new state of the item (see `item.TRANSITIONS`), the events and a notice.

    It is written in one transaction, and not at all if another node has leased the item meanwhile.

    - `due_at` is the time when the item is due again.
    - `notice` is None if no notice must be sent.
    - `dialled` is False if no server was contacted. Then the count of the attempt, which the claim has increased, is
      decreased again.
    - `delivery` is the outcome of the attempt, None if no server was asked. The store does not keep it.
    - `answer` is stored encrypted with the first of the `events`. It is None if that event has everything.
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
    answer: ServerAnswer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSource:
    """The client and the envelope of a report, for the encrypted part of the record.

    `names` are the host names of the client whose addresses include the client's address. `signers` are the domains of
    the valid DKIM signatures.
    """

    client_ip: str
    helo: str
    mail_from: str
    names: tuple[str, ...] = ()
    signers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A mail to the return path of an item, as the store is asked to keep it.

    - `event` is the event that applies if the item is in state accepted and has no earlier report: BOUNCED for a
      confirmed failure, REPORTED_UNDELIVERABLE for an unconfirmed failure, REPORT_RECEIVED for every other mail.
      `core.bounce.keeping` decides from the real state how much of the report is written.
    - `notice` and `notice_event` are both None if the writer gets no notice.
    - `place` is the entry for the notice log that the store adds with the notice; it is None if the notice needs no
      entry. If the log already has such an entry from `place_since` or later, the notice is not written.
    """

    item_id: str
    event: Event
    content: bytes
    source: ReportSource
    limits: ReportLimits
    notice: OutgoingNotice | None = None
    notice_event: Event | None = None
    place: NoticeSent | None = None
    place_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReport:
    """A decrypted report, for members of the staff who have given a reason to read it."""

    event: Event
    content: bytes
    source: ReportSource


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFilter:
    """Limits a list of messages. A value that is None limits nothing.

    `party_id` finds the messages that the party wrote or was to get, also refused ones. `reason` finds the messages of
    which the verdict, a warning or a failed delivery has this reason.
    """

    pair_id: str | None = None
    party_id: str | None = None
    order_external_id: str | None = None
    sender_id: str | None = None
    reason: ReasonCode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSummary:
    """The part of a record that is not encrypted: neither an address nor text. Lists and `relay message` show it.

    `author_ref` is the marketplace's reference for the author. `sender_id` is the id of the entry in the author's list
    of senders from which the message was written; it is None for mail that was refused, and if no entry has the address
    (R-SND-06).
    """

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
    author_ref: str | None = None
    sender_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldMessage:
    """A held message. At `until` it is returned, or sent if its `hold` is `Hold.TIME`."""

    message: MessageSummary
    hold: Hold
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMessage:
    """A decrypted record, for members of the staff with a reason, for `relay message show` and for rewriting.

    `original` is the content of a stranger's message too, as long as that content is kept.
    """

    summary: MessageSummary
    subject: str
    mail_from: str
    client_ip: str
    original_message_id: str
    original: bytes
    header: bytes | None
    edits: tuple[Edit[bytes], ...]
    changes: tuple[Change, ...]
    events: tuple[Event, ...]
    signing_domain: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A sender that waits for the decision of the account's owner.

    `since` is the start of the wait, and `held` the number of messages that wait for the decision (R-SND-02).
    """

    sender: Sender
    since: datetime
    held: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOutChange:
    """One change in the history of opt-outs (R-POL-02).

    `out` is True if the opt-out was set, False if it was lifted.
    """

    opt_out: OptOut
    out: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLine:
    """One line in the output of `relay queue`: the number of items for one destination in one state.

    `item_id` is the id of one of these items.
    """

    destination: str
    item_id: str
    state: ItemState
    count: int
    oldest_at: datetime
    next_due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DkimKey:
    """A DKIM key (RFC 6376).

    `private_der` is the private key in PKCS#8 DER, or b"" if the key is retired. `since` is the time when the state
    began, or None before the key is stored.
    """

    domain: str
    selector: str
    algorithm: str
    private_der: bytes
    state: KeyState = KeyState.ACTIVE
    since: datetime | None = None
