"""The store: who is who, the queue, the record, the secrets. One interface, two engines."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Protocol

from relay.core.model.event import Event
from relay.core.model.facts import ThreadRef
from relay.core.model.item import Item
from relay.core.model.message import MessageState
from relay.core.model.optout import OptOut
from relay.core.model.order import Order, OrderUpdate
from relay.core.model.pair import Alias, Pair
from relay.core.model.party import Party, PartyState, Role, SettingsUpdate
from relay.core.model.sender import Sender, SenderState
from relay.core.response import Turn
from relay.ports.record import (
    Acceptance,
    DkimKey,
    MessageSummary,
    Misuse,
    NoticeSent,
    OptOutChange,
    OutgoingNotice,
    Pending,
    QueueLine,
    Settlement,
    StoredContent,
    StoredMessage,
    Use,
)


class DirectoryStore(Protocol):
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
        settings: SettingsUpdate | None = None,
    ) -> Party:
        """Creates or updates; None leaves a value as it is. A new mailbox becomes the current one, the old one stays
        in the history (R-ADR-04), and is listed as an approved sender of the party."""
        ...

    async def party(self, marketplace_id: str, role: Role, external_ref: str) -> Party | None: ...

    async def party_by_id(self, party_id: str) -> Party | None: ...

    async def parties(self, marketplace_id: str, role: Role | None = None) -> Sequence[Party]: ...

    async def mailbox(self, party_id: str) -> str | None:
        """The party's current verified mailbox as it was given."""
        ...

    async def put_pair(self, marketplace_id: str, buyer_id: str, seller_id: str, domains: dict[Role, str]) -> Pair:
        """The pair of the two, with its aliases; new aliases are issued under `domains` only for a new pair."""
        ...

    async def pair(self, pair_id: str) -> Pair | None: ...

    async def pairs(self, marketplace_id: str) -> Sequence[Pair]: ...

    async def put_order(self, update: OrderUpdate) -> Order:
        """Creates the order, or updates in one statement the values that `update` names; returns the order as it is
        stored then. Raises ValueError when the order belongs to another pair or the pair to another marketplace."""
        ...

    async def order(self, marketplace_id: str, external_id: str) -> Order | None: ...

    async def orders(self, marketplace_id: str) -> AsyncIterator[tuple[Order, Pair]]: ...

    async def reopen_thread(self, pair_id: str, by: str) -> None:
        """All threads of the pair count as having had mail now (R-POL-18). `by` is kept."""
        ...

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

    async def flip_senders(
        self, party_id: str, addresses: Sequence[str], state: SenderState, *, by: str
    ) -> Sequence[Sender]:
        """Many entries of one list at once, all or none, each as by `put_sender`; an address that is on no list raises
        ValueError. `by` is kept with the events of the mail that this releases or returns (R-SND-03)."""
        ...

    async def flip_sender(self, sender_id: str, state: SenderState, *, by: str) -> Sender | None:
        """One entry by its id, as by `put_sender`; None when there is none (any more)."""
        ...

    async def sender(self, sender_id: str) -> Sender | None: ...

    async def pending(self, party_id: str) -> Sequence[Pending]:
        """The party's unlisted senders, those that wait longest first."""
        ...

    async def put_opt_out(self, opt_out: OptOut, *, out: bool) -> None: ...

    async def opt_out_history(self, buyer_id: str) -> Sequence[OptOutChange]:
        """Every change, oldest first."""
        ...

    async def add_misuse(self, misuse: Misuse) -> bool:
        """Once per message and cause: False when it was there."""
        ...

    async def misuse_history(self, seller_id: str) -> Sequence[Misuse]:
        """Oldest first; a restoration is a line with the cause "restored by NAME" and 0 points."""
        ...

    async def restore_bypass(self, seller_id: str, by: str) -> None:
        """What was counted until now counts no more (R-POL-06)."""
        ...

    async def mark_no_reply(self, message_id: str, *, by: str, undo: bool = False) -> bool:
        """Leaves a buyer's message out of the response clock, or takes that back (R-REC-08), with an event. False when
        nothing changed."""
        ...

    async def mark(self, message_id: str, data: dict[str, str | int]) -> bool:
        """A MARKED event with these data on a message, unless the same one is there: then False."""
        ...

    async def add_app_password(self, party_id: str, label: str, password_hash: str) -> str:
        """A new app password's id; the oldest of three live ones ends, so that two are live at once (R-IN-02)."""
        ...

    async def revoke_app_password(self, password_id: str) -> bool: ...

    async def app_passwords(self, username: str) -> Sequence[tuple[str, str]]:
        """(party id, argon2 hash) of each live password of the party whose mailbox or external reference the username
        is, over all marketplaces; of a suspended one too, who is to hear why his mail is not taken (R-SND-07)."""
        ...


class FactStore(Protocol):
    """Point look-ups on the way of a message: cheap, indexed, answered from the newest commit."""

    async def alias(self, local_part: str, domain: str) -> Alias | None:
        """By folded address."""
        ...

    async def pair_by_alias(self, local_part: str, domain: str) -> Pair | None: ...

    async def listed_elsewhere(self, marketplace_id: str, party_id: str, address: str) -> bool:
        """Whether another party of the marketplace lists exactly this folded address."""
        ...

    async def pending_senders(self, party_id: str) -> int:
        """How many of the party's senders have mail that waits."""
        ...

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

    async def orders_of(self, pair_id: str) -> Sequence[Order]: ...

    async def used(self, uses: Sequence[Use]) -> Sequence[int]:
        """How much of each is used, in order; 0 for what was never used."""
        ...

    async def misuse_score(self, seller_id: str, since: datetime) -> int:
        """Points from `since` on, without those before the last restoration."""
        ...

    async def thread_last_at(self, pair_id: str, order_id: str | None) -> datetime | None:
        """When the order's thread (None: the pair as a whole) had its newest mail that was not returned or refused, or
        was reopened, whichever is later; None when it never had any. Mail that was held counts once it has passed."""
        ...

    async def told_at(self, party_id: str, topic: str) -> datetime | None:
        """When the party was last told of the topic."""
        ...

    async def notices_since(self, party_id: str, since: datetime) -> Sequence[datetime]:
        """When each notice to the party, queued with a due time after `since`, is or was due; soonest first."""
        ...

    async def turns(self, seller_id: str, since: datetime) -> Sequence[Turn]:
        """The relayed messages of the seller's pairs, in order of pair and time: what the response clock reads."""
        ...


class QueueStore(Protocol):
    """The record's and the queue's writes. All raise StoreUnavailableError when the database says that it cannot do
    this now, and ValueError for a row that it refuses; either way nothing has been written. Each event that is
    committed is reported to the event log."""

    async def accept(self, acceptance: Acceptance) -> None:
        """Durable on return (fsynced): what 250 is answered for. Raises OvertakenError, with nothing written, when a
        use would exceed its limit."""
        ...

    async def claim(
        self,
        owner: str,
        now: datetime,
        *,
        limit: int,
        lease_s: float,
        horizon_s: float,
        late_s: float = 14_400,
        but_for: Sequence[str] = (),
    ) -> Sequence[Item]:
        """Leases due items, held ones too (`Item.hold`), and counts their attempt, in one statement. Due: `due_at`
        reached, or the lease run out;
        a time further ahead than `horizon_s` is a clock that jumped back and counts as due. What one word has released
        to one recipient comes one by one: the next when the one before it is done with, or was due `late_s` ago
        (R-SND-02). Items for the destinations `but_for` stay where they are."""
        ...

    async def content(self, item: Item) -> StoredContent | None:
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
        """A person's word: a held message goes on its way, once, whatever it waits for. `by` is kept with the event."""
        ...

    async def return_hold(self, message_id: str, by: str) -> bool:
        """A person's word: a held message goes back, once. Its item becomes due with Hold.REFUSED, and dispatch returns
        it with a notice."""
        ...

    async def told(self, told: NoticeSent, *, unless_since: datetime | None = None) -> bool:
        """Notes that a party is told; False, and nothing noted, when it was told since `unless_since` already: what
        several nodes would say once is said once."""
        ...

    async def waiting_parties(self, before: datetime) -> Sequence[str]:
        """The parties with pending senders that came after they were last told (topic "pending"), which was before
        `before`: those to whom a digest is due (R-SND-02)."""
        ...


class RecordStore(Protocol):
    """Reading what is kept."""

    async def messages(
        self, marketplace_id: str | None = None, *, state: MessageState | None = None, limit: int = 50
    ) -> Sequence[MessageSummary]:
        """Newest first."""
        ...

    async def message(self, message_id: str) -> StoredMessage | None: ...

    async def recorded(self, marketplace_id: str, since: datetime, until: datetime) -> AsyncIterator[str]:
        """The ids of the messages between two parties that were received in that time, oldest first."""
        ...

    async def summary(self, message_id: str) -> MessageSummary | None: ...

    async def history(self, message_id: str) -> Sequence[Event]: ...

    async def note_view(self, message_id: str, data: dict[str, str | int]) -> None:
        """A VIEWED event, one for each time that somebody reads a body (R-REC-06)."""
        ...

    async def notices(self, message_id: str) -> Sequence[bytes]:
        """The notices sent about a record, oldest first."""
        ...


class KeyStore(Protocol):
    """Installation-wide secrets, wrapped by the master key in the store. Derived names: "alias", "verp", "thread"
    (32 bytes each, made on first use); DKIM keys as PKCS#8 DER per domain and selector."""

    def secret(self, name: str) -> bytes: ...

    async def dkim_keys(self, domain: str) -> Sequence["DkimKey"]:
        """All of them, retired ones too."""
        ...

    async def put_dkim_key(self, key: "DkimKey") -> None: ...

    async def activate_dkim_key(self, domain: str, selector: str) -> bool:
        """A prepared key signs from now on, those of its algorithm before it are replaced. False for any other key."""
        ...

    async def retire_dkim_key(self, domain: str, selector: str) -> bool:
        """Destroys a prepared or replaced key; its selector stays taken. False for any other key."""
        ...


class Store(DirectoryStore, FactStore, QueueStore, RecordStore, KeyStore, Protocol):
    """One interface, two engines; one contract suite (`tests/store/`) holds for both."""

    async def open(self) -> None:
        """Connects and migrates. A database from a newer version raises StoreError with what to do."""
        ...

    async def close(self) -> None: ...

    async def ping(self) -> None:
        """Writes and commits a row of its own, in a transaction that it shares with no other write. Raises
        StoreUnavailableError, whose `fault` says why, when that is not possible, or when the database has just refused
        other writes because it is full or allows none."""
        ...


class StoreError(Exception):
    """The store cannot be opened; the message names the cause and the fix."""
