"""The relay's outside world as protocols. Each docstring is the contract: what may fail, what is atomic, who
normalises. `edge` and `store` implement them, `flow` and `worker` use them, `app` joins the two.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from relay.core.model.event import Event
from relay.core.model.item import Item, ItemState
from relay.core.model.message import Incoming, MessageState, Peer
from relay.core.model.optout import OptOut
from relay.core.model.order import Order
from relay.core.model.pair import Alias, Pair
from relay.core.model.party import Party, PartyState, Role
from relay.core.model.reply import Reply
from relay.core.model.sender import Sender, SenderState
from relay.core.policy.facts import Authentication, ThreadRef
from relay.core.rewrite.plan import Change, Edit

# ---------------------------------------------------------------- time and randomness


class Clock(Protocol):
    """`now()` is aware UTC and does not jump while the process lives; `monotonic_s()` is for time-outs."""

    def now(self) -> datetime: ...

    def monotonic_s(self) -> float: ...


class Ids(Protocol):
    """`new()` is a fresh record id: 26 characters of lower-case base32 that sort by time of making. `entropy(n)`
    gives n bytes from the system's secure source."""

    def new(self) -> str: ...

    def entropy(self, size: int) -> bytes: ...


class Observer(Protocol):
    """Counts and durations for the metrics page. Labels are few-valued words: never an address, an id or a text."""

    def count(self, metric: str, **labels: str) -> None: ...

    def duration_s(self, metric: str, seconds: float) -> None: ...


# ---------------------------------------------------------------- the way in


class Intake(Protocol):
    """What the receiving edge asks and tells; `flow` answers. Any exception is the caller's 451."""

    async def login(self, username: str, password: str) -> str | None:
        """The party id that this app password proves, or None. Constant-time in the password."""
        ...

    async def mail_from(self, peer: Peer, address: str) -> Reply:
        """Answers MAIL FROM; `address` is as written, "" for the null sender."""
        ...

    async def rcpt_to(self, peer: Peer, mail_from: str, address: str) -> Reply:
        """Answers RCPT TO; `address` is as written and grammatically valid. 550 5.1.1 is "unknown alias"."""
        ...

    async def data(self, incoming: Incoming) -> Sequence[Reply]:
        """One reply per accepted recipient, in order, after the commit. The SMTP edge folds them into one (all 250
        when any is), LMTP gives them all. Must not be cancelled once begun: the edge shields it."""
        ...


class Authenticator(Protocol):
    async def authenticate(self, incoming: Incoming, from_address: str) -> Authentication:
        """Who wrote this, for a folded From address. DNS faults that could change the answer raise UnavailableError."""
        ...


class UnavailableError(Exception):
    """A thing outside is away for now: answer 451, keep nothing, try again later."""


# ---------------------------------------------------------------- the record and the queue


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One message for one recipient as it is kept (R-REC-01). `original` is the received bytes, `header` and `edits`
    the relayed form (None when it was not relayed). `pair_id`, `author_id`, `recipient_id` are None for mail of
    strangers and for the operator's; `key_holder_id` names whose key wraps the message key (the author, else the
    marketplace id). `original_message_id` is kept encrypted, with a keyed hash for look-ups in the pair. `detail` is
    JSON-able and free of addresses and message text."""

    id: str
    marketplace_id: str
    key_holder_id: str
    pair_id: str | None
    author_id: str | None
    author_role: Role | None
    recipient_id: str | None
    sender_id: str | None
    order_id: str | None
    kind: str
    state: MessageState
    automatic: bool
    received_at: datetime
    mail_from: str
    subject: str
    original_message_id: str
    original: bytes
    header: bytes | None
    edits: tuple[Edit, ...]
    changes: tuple[Change, ...]
    policy_version: str
    detail: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingNotice:
    """A mail of the relay's own: `content` is the whole message but for To and signature; `item.message_id` names the
    record it is about; its bytes are kept under the item's id with the key of `key_holder_id`."""

    item: Item
    key_holder_id: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """What one transaction adds: all or nothing. Items in state LEASED are born leased by `owner`, with their first
    attempt already counted, so that the worker may dial without another write."""

    records: tuple[Record, ...]
    events: tuple[Event, ...]
    items: tuple[Item, ...]
    notices: tuple[OutgoingNotice, ...]
    new_senders: tuple[Sender, ...]
    owner: str
    lease_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What dispatch needs to send an item: received bytes and relayed form, or a notice's bytes as `original` with
    `header` None."""

    original: bytes
    header: bytes | None
    edits: tuple[Edit, ...]
    pair: Pair | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The end of one attempt: the item's new state (see `item.MOVES`), when it is due again, what happened, and the
    notice that this brings about, if any. One transaction; a lease lost to another node makes it a no-op (False).
    `dialled`: False takes back the attempt that the claim has counted."""

    item: Item
    owner: str
    state: ItemState
    due_at: datetime
    events: tuple[Event, ...]
    notice: OutgoingNotice | None = None
    delay_noticed: bool = False
    dialled: bool = True


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
    edits: tuple[Edit, ...]
    changes: tuple[Change, ...]
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLine:
    """One line of `relay queue`: per destination and state."""

    destination: str
    state: ItemState
    count: int
    oldest_at: datetime
    next_due_at: datetime


class Directory(Protocol):
    """Who is who. Writes are idempotent by the marketplace's own references and durable on return; addresses are
    folded here. Nothing of one marketplace is ever found through another's id (R-ADR-09)."""

    async def put_party(
        self,
        marketplace_id: str,
        role: Role,
        external_ref: str,
        *,
        mailbox: str | None = None,
        locale: str | None = None,
        display_name: str | None = None,
        state: PartyState | None = None,
    ) -> Party:
        """Creates or updates; None leaves a value as it is. A new mailbox becomes the current one, the old one stays
        in the history (R-ADR-04), and is listed as an approved sender of the party."""
        ...

    async def party(self, marketplace_id: str, role: Role, external_ref: str) -> Party | None: ...

    async def parties(self, marketplace_id: str, role: Role | None = None) -> Sequence[Party]: ...

    async def mailbox(self, party_id: str) -> str | None:
        """The party's current verified mailbox as it was given."""
        ...

    async def put_pair(self, marketplace_id: str, buyer_id: str, seller_id: str, domains: dict[Role, str]) -> Pair:
        """The pair of the two, with its aliases; new aliases are issued under `domains` only for a new pair."""
        ...

    async def pair(self, pair_id: str) -> Pair | None: ...

    async def pairs(self, marketplace_id: str) -> Sequence[Pair]: ...

    async def put_order(self, order: Order) -> Order:
        """Creates or updates by (marketplace, external id); `order.id` "" asks for a new one."""
        ...

    async def order(self, marketplace_id: str, external_id: str) -> Order | None: ...

    async def orders(self, marketplace_id: str) -> AsyncIterator[tuple[Order, Pair]]: ...

    async def put_sender(
        self,
        party_id: str,
        address: str,
        state: SenderState,
        *,
        label: str = "",
        added_by: str = "",
        shared: bool = False,
    ) -> Sender:
        """Creates or flips an entry (`local@domain` or `@domain`). A flip to APPROVED releases the mail held for it,
        a flip to BLOCKED returns it, in the same transaction (R-SND-02)."""
        ...

    async def senders(self, party_id: str) -> Sequence[Sender]: ...

    async def put_opt_out(self, opt_out: OptOut, *, out: bool) -> None: ...

    async def add_app_password(self, party_id: str, label: str, password_hash: str) -> str:
        """A new app password's id; the oldest of three live ones ends, so that two are live at once (R-IN-02)."""
        ...

    async def revoke_app_password(self, password_id: str) -> bool: ...

    async def app_passwords(self, username: str) -> Sequence[tuple[str, str]]:
        """(party id, argon2 hash) of each live password of the active party whose mailbox or external reference the
        username is, over all marketplaces."""
        ...


class Facts(Protocol):
    """Point look-ups on the way of a message: cheap, indexed, answered from the newest commit."""

    async def alias(self, local_part: str, domain: str) -> Alias | None:
        """By folded address."""
        ...

    async def pair_by_alias(self, local_part: str, domain: str) -> Pair | None: ...

    async def listed_elsewhere(self, marketplace_id: str, party_id: str, address: str) -> bool:
        """Whether another party of the marketplace lists exactly this folded address."""
        ...

    async def pending_senders(self, party_id: str) -> int: ...

    async def opt_outs(self, buyer_id: str, seller_id: str) -> Sequence[OptOut]:
        """Those in force that touch this seller's mail."""
        ...

    async def thread_refs(self, pair: Pair, writer: Role, ids: Sequence[str]) -> Sequence[ThreadRef]:
        """The ids that this pair knows, as the other side knows them (R-REW-03)."""
        ...

    async def open_question(self, pair_id: str) -> bool:
        """Whether the pair's newest relayed, not automatic message is the buyer's."""
        ...

    async def auto_replies_since(self, pair_id: str, author: Role, since: datetime) -> int: ...


class Queue(Protocol):
    """The record's and the queue's writes. Any failure raises UnavailableError and has written nothing."""

    async def accept(self, acceptance: Acceptance) -> None:
        """Durable on return (fsynced): what 250 is answered for."""
        ...

    async def claim(
        self,
        owner: str,
        now: datetime,
        *,
        limit: int,
        lease_s: float,
        horizon_s: float,
        but_for: Sequence[str] = (),
    ) -> Sequence[Item]:
        """Leases due items and counts their attempt, in one statement. Due: `due_at` reached, or the lease run out;
        a time further ahead than `horizon_s` is a clock that jumped back and counts as due. Items for the
        destinations `but_for` stay where they are."""
        ...

    async def letter(self, item: Item) -> Letter | None:
        """The item's content and pair; None when it cannot be read (then it is parked)."""
        ...

    async def settle(self, settlement: Settlement) -> bool: ...

    async def renew(self, owner: str, item_ids: Sequence[str], until: datetime) -> None: ...

    async def release(self, owner: str | None) -> int:
        """Gives back leases: of `owner`, or of all (single-node start after a crash). Returns how many."""
        ...

    async def flush(self, destination: str | None = None) -> int:
        """Makes deferred items due now. Returns how many."""
        ...

    async def bounce(self, item_id: str, events: Sequence[Event], notice: OutgoingNotice | None) -> bool:
        """An item that was ACCEPTED came back: BOUNCED once, a second report is a no-op (False)."""
        ...

    async def item(self, item_id: str) -> Item | None: ...

    async def queue(self) -> Sequence[QueueLine]: ...

    async def release_hold(self, message_id: str, by: str) -> bool:
        """Staff's word: a held message goes on its way, once. `by` is kept with the event."""
        ...


class Records(Protocol):
    """Reading what is kept."""

    async def messages(
        self, marketplace_id: str | None = None, *, state: MessageState | None = None, limit: int = 50
    ) -> Sequence[MessageSummary]:
        """Newest first."""
        ...

    async def message(self, message_id: str) -> StoredMessage | None: ...

    async def summary(self, message_id: str) -> MessageSummary | None: ...

    async def history(self, message_id: str) -> Sequence[Event]: ...

    async def notices(self, message_id: str) -> Sequence[bytes]:
        """The notices sent about a record, oldest first."""
        ...


class Secrets(Protocol):
    """Installation-wide secrets, wrapped by the master key in the store. Derived names: "alias", "verp", "thread"
    (32 bytes each, made on first use); DKIM keys as PKCS#8 DER per domain and selector."""

    def secret(self, name: str) -> bytes: ...

    async def dkim_keys(self, domain: str) -> Sequence["DkimKey"]: ...

    async def put_dkim_key(self, key: "DkimKey") -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DkimKey:
    domain: str
    selector: str
    algorithm: str
    private_der: bytes


class Store(Directory, Facts, Queue, Records, Secrets, Protocol):
    """One interface, two engines; one contract suite (`tests/store/`) holds for both."""

    async def open(self) -> None:
        """Connects and migrates. A database from a newer version raises StoreError with what to do."""
        ...

    async def close(self) -> None: ...

    async def ping(self) -> None:
        """Raises UnavailableError when a write could not be taken now."""
        ...


class StoreError(Exception):
    """The store cannot be opened; the message names the cause and the fix."""


# ---------------------------------------------------------------- the way out


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One transaction to be made with another server. `content` is CRLF-ended and signed, not dot-stuffed.
    `needs_smtputf8`: the next hop must offer it (the courier answers 5.6.7 when it does not)."""

    mail_from: str
    rcpt_to: str
    content: bytes
    needs_smtputf8: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The outcome of one attempt. `code`/`enhanced`/`text` are the remote server's last words ("" and 0 when it never
    spoke), `phase` where they were said (`connect`, `tls`, `mail`, `rcpt`, `data`, `end_of_data`, `dns`); `host` is
    the remote's name; `tls` its protocol version or "". `permanent`: trying again cannot help."""

    accepted: bool
    permanent: bool
    code: int
    enhanced: str
    text: str
    phase: str
    host: str
    tls: str


class Courier(Protocol):
    async def deliver(self, outgoing: Outgoing) -> Delivery:
        """Tries each host in order once. Never raises for what a remote does: every outcome is a Delivery."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class MxHost:
    preference: int
    name: str
    addresses: tuple[str, ...] = ()


class ResolveError(Exception):
    """A look-up failed. `permanent`: the name does not exist or takes no mail (NXDOMAIN, null MX, RFC 7505)."""

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent


class Resolver(Protocol):
    async def mx(self, domain: str) -> Sequence[MxHost]:
        """Hosts in the order in which to try them (RFC 5321 §5.1), falling back to A/AAAA. Raises ResolveError."""
        ...

    async def addresses(self, host: str) -> Sequence[str]:
        """A and AAAA of a host. Raises ResolveError."""
        ...

    async def txt(self, name: str) -> Sequence[bytes]:
        """TXT records, each joined. An empty answer is empty, a fault raises ResolveError."""
        ...


class Signer(Protocol):
    async def sign(self, domain: str, header: bytes, body: bytes) -> bytes:
        """The DKIM-Signature fields for a message from `domain`, b"" when it has no key. Signs off the loop."""
        ...
