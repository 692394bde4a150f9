"""What goes into the record and the queue, and what comes out of them."""

from dataclasses import dataclass, field
from datetime import datetime

from relay.core.dkim import KeyState
from relay.core.mail.edits import Edit
from relay.core.mail.head import Automatic
from relay.core.model.event import Event
from relay.core.model.item import Item, ItemState
from relay.core.model.kind import Kind
from relay.core.model.message import MessageState
from relay.core.model.optout import OptOut
from relay.core.model.pair import Pair
from relay.core.model.party import Role
from relay.core.model.sender import Sender
from relay.core.rewrite.plan import Change
from relay.ports.outward import Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRecord:
    """One message for one recipient as it is kept (R-REC-01). `original` is the received bytes, `header` and `edits`
    the relayed form (None when it was not relayed). `pair_id`, `author_id`, `recipient_id` are None for mail of
    strangers and for the operator's; `key_holder_id` names whose key wraps the message key (the author, else the
    marketplace id). `original_message_id` is kept encrypted, with a keyed hash for look-ups in the pair. `detail` is
    JSON-able and free of addresses and message text."""

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
    kind: str = Kind.OTHER
    automatic: Automatic = Automatic.NO
    subject: str = ""
    original_message_id: str = ""
    original: bytes = b""
    header: bytes | None = None
    edits: tuple[Edit[bytes], ...] = ()
    changes: tuple[Change, ...] = ()
    policy_version: str = ""
    detail: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingNotice:
    """A mail of the relay's own: `content` is the whole message but for To and signature; `item.message_id` names the
    record it is about; its bytes are kept under the item's id with the key of `key_holder_id`."""

    item: Item
    key_holder_id: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One message of a day's quota (R-POL-11): `scope` is "seller", "pair", "buyer" or "bypass", `subject_id` whose,
    `day` an ISO date in the policy's time zone; `limit`: the day's count that it must not exceed, 0 for none."""

    scope: str
    subject_id: str
    day: str
    limit: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Misuse:
    """Points that a mark of importance has cost (R-POL-06); the same message and cause count once. `cause` is
    "not_important" (the buyer's word) or "contradiction" (the content's)."""

    message_id: str
    seller_id: str
    cause: str
    points: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeSent:
    """That a party was told of something, so that it is not told again at once: `topic` is a word and an id."""

    party_id: str
    topic: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """What one transaction adds: all or nothing. Items in state LEASED are born leased by `owner`, with their first
    attempt already counted, so that the worker may dial without another write."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredContent:
    """What dispatch needs to send an item: received bytes and relayed form, or a notice's bytes as `original` with
    `header` None."""

    original: bytes
    header: bytes | None
    edits: tuple[Edit[bytes], ...]
    pair: Pair | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The end of one attempt: the item's new state (see `item.TRANSITIONS`), when it is due again, what happened, and
    the notice that this brings about, if any. One transaction; a lease lost to another node makes it a no-op (False).
    `dialled`: False takes back the attempt that the claim has counted. `delivery` is the attempt's outcome, None when
    no server was asked; the store does not keep it."""

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
class MessageSummary:
    """A record as lists and `relay message` show it: no real address, no text but what the staff's case allows."""

    id: str
    marketplace_id: str
    pair_id: str | None
    author_role: Role | None
    order_external_id: str | None
    kind: str
    state: MessageState
    received_at: datetime
    size_bytes: int
    policy_version: str
    detail: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMessage:
    """A record opened: decrypted, for staff with a reason, `relay message show` and rewriting."""

    summary: MessageSummary
    subject: str
    mail_from: str
    original_message_id: str
    original: bytes
    header: bytes | None
    edits: tuple[Edit[bytes], ...]
    changes: tuple[Change, ...]
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """An unlisted sender that waits for its account's word, and how much mail waits with it (R-SND-02)."""

    sender: Sender
    since: datetime
    held: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOutChange:
    """One line of an opt-out's history (R-POL-02): the scope, whether it was set or lifted, by what source, when."""

    opt_out: OptOut
    out: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLine:
    """One line of `relay queue`: per destination and state."""

    destination: str
    state: ItemState
    count: int
    oldest_at: datetime
    next_due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DkimKey:
    """`private_der` is PKCS#8, b"" once retired; `since` is when the state began, None for a key not stored yet."""

    domain: str
    selector: str
    algorithm: str
    private_der: bytes
    state: KeyState = KeyState.ACTIVE
    since: datetime | None = None
