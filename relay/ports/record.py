"""The values that the store writes and reads: records, notices, settlements, reports and summaries."""

from dataclasses import dataclass
from datetime import datetime

from relay.core.bounce.keeping import ReportLimits
from relay.core.dkim import KeyState
from relay.core.mail.edits import Edit
from relay.core.mail.head import Automatic
from relay.core.model.event import Event
from relay.core.model.item import Hold, Item, ItemState
from relay.core.model.kind import Kind
from relay.core.model.message import MessageState
from relay.core.model.optout import OptOut
from relay.core.model.pair import Pair
from relay.core.model.party import Role
from relay.core.model.reason import ReasonCode
from relay.core.model.sender import Sender
from relay.core.rewrite.plan import Change
from relay.ports.detail import RecordDetail
from relay.ports.outward import Delivery
from relay.ports.pending import OwnerRequest, WaitLimit
from relay.ports.usage import Misuse, NoticeSent, TakenSignature, Use


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
