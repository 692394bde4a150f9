"""The store as protocols: one for each noun, and `Store`, which holds one part of each.

These rules hold for all parts:
- A method that the database cannot carry out now, as the database itself says, raises StoreUnavailableError and has
  changed nothing. Only if the connection to a database server is lost during the commit, the write may have taken
  effect.
- A write is one transaction. It is durable (synced to disk) when the method returns. A write whose caller is cancelled
  may still be made. Each event that is committed, each acceptance, settlement and change of a DKIM key, is reported to
  the event log.
- A row that the database refuses, for instance because it refers to a party that does not exist, raises ValueError.
- A write that needs the key of an erased party, to encrypt a value, raises `relay.store.crypto.UnreadableError` and has
  changed nothing. A read leaves out values that cannot be decrypted any more, or returns them empty or as None.
- A look-up that returns one thing or None returns None if there is no such thing.
- Where addresses and domains are given as they were written, the store folds them, and AddressError (a ValueError) is
  raised for text that is not an address. A method that takes a folded address says so.
- A read sees everything that was committed, by this process or another, before it was called.
- A look-up costs a few rows found by an index. A method that may read many rows says "bulk read"; it never blocks the
  event loop.
- Nothing that belongs to one marketplace is found through an id of another (R-ADR-09).
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from relay.core.bounce.keeping import Kept
from relay.core.model.event import Event, MarkData, ViewData
from relay.core.model.facts import ThreadRef, Waiting
from relay.core.model.item import Item
from relay.core.model.message import MessageState
from relay.core.model.optout import OptOut
from relay.core.model.order import Order, OrderUpdate
from relay.core.model.pair import Alias, Pair
from relay.core.model.party import Party, PartyState, Role, SettingsUpdate
from relay.core.model.sender import Sender, SenderState
from relay.core.response import Turn
from relay.ports.audit import AuditLog
from relay.ports.record import (
    Acceptance,
    DkimKey,
    MessageSummary,
    Misuse,
    NoticeSent,
    OpenRequest,
    OptOutChange,
    Pending,
    Places,
    QueueLine,
    Report,
    Restoration,
    Settlement,
    SignatureUse,
    StoredContent,
    StoredMessage,
    StoredReport,
    Use,
)


class PartyStore(Protocol):
    """Buyers and sellers."""

    async def put(
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
        """Creates the party or updates it, and returns it as it is stored then.

        A value that is None stays as it is; an empty `display_name` removes the name. A new mailbox becomes the current
        one; the old one stays in the history (R-ADR-04). The new mailbox is also listed as an approved sender of the
        party, with the effects of `SenderStore.put` (R-SND-01). Raises AddressError for a bad mailbox.
        """
        ...

    async def get(self, party_id: str) -> Party | None:
        """Returns the party with this id. The name of an erased party is empty."""
        ...

    async def by_ref(self, marketplace_id: str, role: Role, external_ref: str) -> Party | None:
        """Returns the party that the marketplace calls `external_ref` in this role."""
        ...

    async def in_marketplace(self, marketplace_id: str, role: Role | None = None) -> Sequence[Party]:
        """Returns all parties of the marketplace, or those of one role, by role and reference. A bulk read."""
        ...

    async def mailbox(self, party_id: str) -> str | None:
        """Returns the party's current verified mailbox as it was written; None if it has none or is erased."""
        ...


class AppPasswordStore(Protocol):
    """App passwords, with which parties log in to submit mail (R-IN-02)."""

    async def add(self, party_id: str, label: str, password_hash: str) -> str:
        """Adds a password and returns its id.

        At most two passwords of a party are active at once: the oldest is revoked when there would be three.
        """
        ...

    async def revoke(self, password_id: str) -> bool:
        """Ends a password for good. Returns False if there is no active password with this id."""
        ...

    async def of_username(self, username: str) -> Sequence[tuple[str, str]]:
        """Returns (party id, argon2 hash) of each active password of the parties with this user name, the oldest first.

        A user name is the current mailbox or the reference of a party, in any marketplace. Suspended parties are
        included, so that they can log in and learn why their mail is not accepted (R-SND-07); erased parties are not.
        """
        ...


class PairStore(Protocol):
    """Pairs of one buyer and one seller, with their aliases."""

    async def put(self, marketplace_id: str, buyer_id: str, seller_id: str, domains: dict[Role, str]) -> Pair:
        """Returns the pair of the two parties.

        A pair that is new gets one alias for each role, under the domain that `domains` names for it; the aliases of an
        existing pair stay as they are. Raises ValueError unless the two are a buyer and a seller of the marketplace.
        The pair is read after the commit: after StoreUnavailableError it may exist, and another call returns it.
        """
        ...

    async def get(self, pair_id: str) -> Pair | None:
        """Returns the pair with this id."""
        ...

    async def between(self, buyer_id: str, seller_id: str) -> Pair | None:
        """Returns the pair of this buyer and this seller."""
        ...

    async def by_alias(self, local_part: str, domain: str) -> Pair | None:
        """Returns the pair that a folded alias, in force or retired, belongs to."""
        ...

    async def alias(self, local_part: str, domain: str) -> Alias | None:
        """Returns a folded alias, in force or retired."""
        ...

    async def in_marketplace(self, marketplace_id: str) -> Sequence[Pair]:
        """Returns all pairs of the marketplace, the oldest first. A bulk read, which decrypts every pair."""
        ...


class OrderStore(Protocol):
    """Orders, which belong to pairs."""

    async def put(self, update: OrderUpdate) -> Order:
        """Creates the order, or updates the values that `update` names, and returns it as it is stored then.

        An update is one statement, so that no values of a concurrent update are lost. Raises ValueError if the order
        belongs to another pair or the pair to another marketplace.
        """
        ...

    async def get(self, marketplace_id: str, external_id: str) -> Order | None:
        """Returns the order that the marketplace calls `external_id`."""
        ...

    async def of_pair(self, pair_id: str) -> Sequence[Order]:
        """Returns the orders of the pair, the oldest first."""
        ...

    def in_marketplace(self, marketplace_id: str) -> AsyncIterator[tuple[Order, Pair]]:
        """Yields all orders of the marketplace, each with its pair, by the marketplace's own id.

        A bulk read in pages; an order that is added meanwhile may be missing.
        """
        ...


class ThreadStore(Protocol):
    """The history of a pair's mail, as decisions about a new message need it."""

    async def refs(self, pair: Pair, writer: Role, ids: Sequence[str]) -> Sequence[ThreadRef]:
        """Returns those of the Message-IDs that this pair knows, in the order of `ids` (R-REW-03).

        Each comes with the id that the other side knows it by. Another pair's ids, and ids that only the other side has
        seen, are never returned.
        """
        ...

    async def has_open_question(self, pair_id: str) -> bool:
        """Returns whether the newest relayed message of the pair that was not automatic is the buyer's.

        Messages that went to the operator do not count (R-POL-13).
        """
        ...

    async def auto_replies_since(self, pair_id: str, author: Role, since: datetime) -> int:
        """Returns how many automatic replies of this side were received at or after `since` and not returned."""
        ...

    async def last_at(self, pair_id: str, order_id: str | None) -> datetime | None:
        """Returns when a thread had its newest mail or was reopened, whichever is later; None if it never had mail.

        The thread is that of the order, or of the whole pair if `order_id` is None. Returned and refused mail does not
        count, and held mail counts only once it has been delivered.
        """
        ...

    async def reopen(self, pair_id: str, by: str) -> None:
        """Reopens all threads of the pair, as if mail had come now (R-POL-18), and keeps the name `by`."""
        ...

    async def turns(self, seller_id: str, since: datetime) -> Sequence[Turn]:
        """Returns the relayed messages of all pairs of the seller since a time, by pair and time (R-REC-08).

        They are the input of the response clock: the messages that were received at or after `since`, without those
        that went to the operator. A bulk read.
        """
        ...


class SenderStore(Protocol):
    """The sender lists of parties: the addresses that may write for them. An entry is `local@domain` or `@domain`."""

    async def put(
        self,
        party_id: str,
        address: str,
        state: SenderState,
        *,
        label: str = "",
        added_by: str = "",
        shared: bool = False,
    ) -> Sender:
        """Creates the entry, or changes its state.

        In the same transaction, a change to APPROVED releases the mail that is held for the sender, and a change to
        BLOCKED returns it (R-SND-02). Deciding on a domain also decides the pending addresses of that domain, which are
        retired. `shared` is never taken back; an empty `label` or `added_by` leaves the value as it is. Raises
        ValueError if there is no such party, AddressError for a bad address.
        """
        ...

    async def get(self, sender_id: str) -> Sender | None:
        """Returns the entry with this id; None also if its party is erased."""
        ...

    async def of_party(self, party_id: str) -> Sequence[Sender]:
        """Returns all entries of the party's list, the oldest first; nothing if the party is erased."""
        ...

    async def flip(self, sender_id: str, state: SenderState, *, by: str) -> Sender | None:
        """Changes the state of one entry, with the same effects as `put`, and returns it.

        Returns None if there is no such entry or its party is erased. `by` is kept with the events of the mail that
        this releases or returns (R-SND-03).
        """
        ...

    async def flip_many(
        self, party_id: str, addresses: Sequence[str], state: SenderState, *, by: str
    ) -> Sequence[Sender]:
        """Changes the state of several entries of one list as `flip` does, all or none.

        Returns the entries in the order of `addresses`. Raises ValueError if one of the addresses is not on the list,
        or there is no such party.
        """
        ...

    async def pending(self, party_id: str) -> Sequence[Pending]:
        """Returns the senders that wait for the party's decision, the one that has waited longest first."""
        ...

    async def waiting(self, marketplace_id: str, party_id: str, address: str, places: Places) -> Waiting:
        """Returns how an unlisted folded address stands beside the senders that wait for the party's decision.

        A sender whose mail was returned has no place, but its mail still counts for the writer.
        """
        ...

    async def unproven(self, sender_id: str) -> Waiting:
        """Returns the mail of a listed sender that is held, as it waits to be confirmed."""
        ...

    async def listed_by_counterpart(self, marketplace_id: str, party_id: str, address: str) -> bool:
        """Returns whether a party that shares a pair with this one lists the folded address, or its domain.

        This is the one predicate for an address that is the other side's: nobody is ever asked about it (R-SND-02). An
        entry that only waits there does not count.
        """
        ...

    async def confirm_domain(self, party_id: str, domain: str, *, confirmed: bool, by: str) -> bool:
        """Notes that the party has confirmed a folded signing domain, or takes that back (R-IN-09).

        A confirmation also releases, in the same transaction, the mail of the party that waits for nothing else, with
        an event that names `by`. Returns False if nothing has changed. Raises ValueError if there is no such party.
        """
        ...

    async def has_confirmed(self, party_id: str, domains: Sequence[str]) -> bool:
        """Returns whether the party has confirmed one of these folded signing domains."""
        ...

    async def confirmed_domains(self, party_id: str) -> Sequence[str]:
        """Returns the folded signing domains that the party has confirmed, in their order."""
        ...

    async def listed_elsewhere(self, marketplace_id: str, party_id: str, address: str) -> bool:
        """Returns whether another party of the marketplace has exactly this folded address as an approved sender."""
        ...


class RequestStore(Protocol):
    """Questions to the owners of accounts (R-SND-02). `AcceptanceStore.add` adds them, and notes that they were put."""

    async def parties(self) -> Sequence[str]:
        """Returns the ids of the parties that have questions to be put to them, in their order. A bulk read."""
        ...

    async def waiting(self, party_id: str) -> Sequence[OpenRequest]:
        """Returns the questions to be put to the party, the oldest first; none if the party is erased."""
        ...

    async def leave_out(self, subject_ids: Sequence[str]) -> None:
        """Notes that these questions are not put."""
        ...

    async def was_asked(self, message_id: str) -> bool:
        """Returns whether the owner was asked about a message, or about its sender."""
        ...


class SignatureStore(Protocol):
    """The signatures that have been taken as the only proof of a writer, as keyed hashes (R-IN-09)."""

    async def taken_by(self, uses: Sequence[SignatureUse]) -> str | None:
        """Returns the id of the record with which one of these signatures was taken, the first there is, or None."""
        ...


class OptOutStore(Protocol):
    """Opt-outs of buyers (R-POL-02)."""

    async def put(self, opt_out: OptOut, *, out: bool) -> None:
        """Sets the opt-out if `out`, else lifts it. Each call adds a line to the history."""
        ...

    async def in_force(self, buyer_id: str, seller_id: str) -> Sequence[OptOut]:
        """Returns the buyer's opt-outs in force that concern this seller's mail, in no order.

        Those from the mail of all sellers are included.
        """
        ...

    async def history(self, buyer_id: str) -> Sequence[OptOutChange]:
        """Returns every change of the buyer's opt-outs, the oldest first."""
        ...


class LimitStore(Protocol):
    """Quota use (R-POL-11), and the points that misuse of importance marks costs a seller (R-POL-06)."""

    async def used(self, uses: Sequence[Use]) -> Sequence[int]:
        """Returns how much of each quota is used, in the order of `uses`; 0 for a quota without use.

        The limits in `uses` are not read.
        """
        ...

    async def add_misuse(self, misuse: Misuse) -> bool:
        """Adds points. Returns False, and adds nothing, if the same message has cost points for this cause before."""
        ...

    async def misuse_history(self, seller_id: str) -> Sequence[Misuse | Restoration]:
        """Returns the points and the restorations, oldest first."""
        ...

    async def misuse_score(self, seller_id: str, since: datetime) -> int:
        """Returns the points that were added at or after `since` and after the last restoration."""
        ...

    async def restore_bypass(self, seller_id: str, by: str) -> None:
        """Adds a restoration by `by`: points that were added until now do not count any more."""
        ...


class NoticeLog(Protocol):
    """The notices that parties were sent, by topic, so that a similar notice is not sent again too soon."""

    async def add(self, sent: NoticeSent, *, unless_since: datetime | None = None) -> bool:
        """Records that a party was sent a notice about a topic.

        Returns False, and records nothing, if the last one was sent at `unless_since` or later: of several nodes only
        one gets True.
        """
        ...

    async def last_at(self, party_id: str, topic: str) -> datetime | None:
        """Returns when the party was last sent a notice about the topic; None if it never was."""
        ...

    async def due_since(self, party_id: str, since: datetime) -> Mapping[str, datetime]:
        """Returns the notices to the party that were due or delivered after `since`, or will be due: time by item id.

        The time is that of the delivery for a delivered one, else that of the next attempt.
        """
        ...

    async def accepted_between(self, party_id: str, since: datetime, until: datetime) -> Mapping[str, datetime]:
        """Returns the notices to the party that were delivered after `since` and not after `until`: time by item id."""
        ...


class AcceptanceStore(Protocol):
    """The write for which 250 is answered."""

    async def add(self, acceptance: Acceptance) -> None:
        """Adds the records, events, queue items and notices of one transaction, all or none.

        A new sender that another message has added before is not added again, and the records refer to the existing
        entry. Mail that is held for a sender who was decided on since the judgement is released or returned at once.
        Where an unlisted sender needs a place, mail of others gives way (`WaitLimit`). Points of misuse count once for
        each message and cause. Raises OvertakenError, with nothing written, if a use or waiting mail would exceed its
        limit, a question was asked before, or a signature has been taken already, and ValueError for an item in a state
        that no new item can have.
        """
        ...


class QueueStore(Protocol):
    """The queue of outgoing items. Every change of an item's state is one of `item.TRANSITIONS`."""

    async def lanes(
        self, now: datetime, *, horizon_s: float, after: str = "", limit: int = 100
    ) -> tuple[Sequence[str], str]:
        """Returns at most `limit` destinations with due items, sorted by name from `after` on, and the next `after`.

        The next `after` is "" when there are no more. An item is due when its `due_at` has come or its lease has run
        out, and also when its time is further ahead than `horizon_s`: then the clock has jumped back. Each call marks
        a limited number of items as due, the longest due first. The cost does not depend on the number of items.
        """
        ...

    async def claim(
        self, owner: str, now: datetime, rooms: Mapping[str, int], *, lease_s: float, late_s: float = 14_400
    ) -> Sequence[Item]:
        """Leases due items to `owner` for `lease_s`, and returns them, the first due first.

        `rooms` names the destinations, and for each the number of items that this call leases at most. Only items that
        `lanes` has marked as due are leased. The attempt is counted in the same statement, and no item is leased to two
        owners. Held items are leased too, see `Item.hold`. Messages to one recipient that one decision has released are
        leased one by one: the next one when the one before is finished, or was due more than `late_s` ago (R-SND-02).

        The keys of the addresses are read after the commit: after StoreUnavailableError some items may be leased, and
        they are due again when the lease has run out.
        """
        ...

    async def content(self, item: Item, admit: Callable[[int], None] | None = None) -> StoredContent | None:
        """Returns the content of the item, and its pair; None if it cannot be read, which parks the item.

        A big content is a bulk read. Before it is read, `admit` is called with its size in bytes; an error that it
        raises is not caught.
        """
        ...

    async def settle(self, settlement: Settlement) -> bool:
        """Writes the end of an attempt.

        Returns False, and writes nothing, if the item is no longer leased to the owner. Raises ValueError for a state
        that a leased item cannot move to.
        """
        ...

    async def renew(self, owner: str, item_ids: Sequence[str], until: datetime) -> None:
        """Extends the leases that `owner` still has on these items until `until`. Other items stay as they are."""
        ...

    async def release(self, owner: str | None) -> int:
        """Ends the leases of `owner`, or all leases if it is None (a single node starts after a crash).

        Items that wait for a decision are held again, others are queued. Returns their number.
        """
        ...

    async def flush(self, destination: str | None = None) -> int:
        """Makes deferred items due now, all of them or those for one folded domain. Returns their number.

        Many items take several transactions: when it fails, some may be due already.
        """
        ...

    async def item(self, item_id: str) -> Item | None:
        """Returns the item with this id, in whatever state; its `address` is None if it cannot be decrypted."""
        ...

    async def lines(self) -> Sequence[QueueLine]:
        """Returns the items that are not finished, counted by destination and state, in this order.

        A parked item counts as not finished. A bulk read.
        """
        ...


class HoldStore(Protocol):
    """A person's decisions about held messages. The first decision about a message counts, later ones return False."""

    async def release(self, message_id: str, by: str) -> bool:
        """Queues a held message for delivery, whatever it waits for, with an event that names `by`.

        Returns False if the message does not wait for a decision.
        """
        ...

    async def refuse(self, message_id: str, by: str) -> bool:
        """Marks a held message as refused, with an event that names `by`, and makes it due.

        Dispatch then returns it with a notice. Returns False if the message does not wait for a decision.
        """
        ...


class ReportStore(Protocol):
    """Mail that came to the return paths of messages (R-OUT-04)."""

    async def add(self, report: Report) -> Kept | None:
        """Writes as much of the report as `core.bounce.keeping.kept` says, in one transaction.

        A BOUNCED event changes an accepted item, and its message, to BOUNCED. The content is sealed under the id of the
        event; without the key of its holder only the event is written. Returns the part that was written, None for
        nothing, as when the item does not exist.
        """
        ...

    async def of_message(self, message_id: str) -> Sequence[StoredReport]:
        """Returns the reports of a message whose content is kept and can be decrypted, the oldest first."""
        ...


class RecordStore(Protocol):
    """The records of messages."""

    async def messages(
        self, marketplace_id: str | None = None, *, state: MessageState | None = None, limit: int = 50
    ) -> Sequence[MessageSummary]:
        """Returns at most `limit` records, the newest first: of one marketplace or all.

        With `state`, only those in this state. A bulk read.
        """
        ...

    async def message(self, message_id: str) -> StoredMessage | None:
        """Returns the decrypted record; None if there is none or its content cannot be decrypted.

        After the destruction of its key a record still has its summary and its history. A big message is a bulk read.
        """
        ...

    async def summary(self, message_id: str) -> MessageSummary | None:
        """Returns the part of the record that is not encrypted."""
        ...

    def ids_between(self, marketplace_id: str, since: datetime, until: datetime) -> AsyncIterator[str]:
        """Yields the ids of the messages between two parties of the marketplace, the oldest first.

        They are the messages that were received from `since` on and before `until`. A bulk read in pages.
        """
        ...

    async def history(self, message_id: str) -> Sequence[Event]:
        """Returns the events of the message, the oldest first."""
        ...

    async def notices(self, message_id: str) -> Sequence[bytes]:
        """Returns the notices that were sent about the message, the oldest first.

        Those that cannot be decrypted any more are left out.
        """
        ...

    async def mark(self, message_id: str, data: MarkData) -> bool:
        """Adds a MARKED event with these data.

        Returns False, and adds nothing, if the message has an equal event or does not exist.
        """
        ...

    async def mark_no_reply(self, message_id: str, *, by: str, undo: bool = False) -> bool:
        """Leaves a buyer's message out of the response clock, or takes that back (R-REC-08), with an event.

        Returns False if nothing has changed, as for a message that does not exist or is not a buyer's.
        """
        ...

    async def drop_strangers_bodies(self, now: datetime, *, limit: int) -> int:
        """Deletes the content of strangers' mail that was kept until `now`, of at most `limit` records (R-REC-01).

        Envelope, hash, size and results stay. Returns the number of records.
        """
        ...

    async def note_view(self, message_id: str, data: ViewData) -> None:
        """Adds a VIEWED event: somebody has read the body (R-REC-06)."""
        ...


class DkimKeyStore(Protocol):
    """DKIM keys by domain and selector, encrypted in the store by the master key."""

    async def of_domain(self, domain: str) -> Sequence[DkimKey]:
        """Returns all keys of the domain, retired ones included, by algorithm and selector.

        Raises StoreError if a key cannot be decrypted by the master keys of this process.
        """
        ...

    async def put(self, key: DkimKey) -> None:
        """Adds a key, or replaces the one that has its domain and selector, in any state.

        Its state begins now; `since` is not read. The caller must choose a selector that was never used, see `retire`.
        """
        ...

    async def activate(self, domain: str, selector: str) -> bool:
        """Makes a prepared key the active one; the active keys of the same algorithm become replaced ones.

        Both happen in one transaction. Returns False, and changes nothing, for a key in any other state.
        """
        ...

    async def retire(self, domain: str, selector: str) -> bool:
        """Destroys a prepared or replaced key. Returns False for a key in any other state.

        The key stays listed without its private half, so that its selector is never chosen again.
        """
        ...


class MasterKeyStore(Protocol):
    """The keys of the master key file, by their ids in hexadecimal digits, and the values that they wrap (R-REC-04).

    The methods that change the file raise StoreError. Running daemons read a changed file before they use its next key.
    """

    def ids(self) -> Sequence[str]:
        """Returns the ids of the keys in the file; the first key wraps new values."""
        ...

    def waiting(self) -> str | None:
        """Returns the id of the key that waits for its rotation, None if no key waits."""
        ...

    def add(self) -> str:
        """Adds a fresh key at the end of the file, where it waits, and returns its id."""
        ...

    def make_current(self, key_id: str) -> None:
        """Puts the key that waits first in the file; the one in its place becomes a former key."""
        ...

    def remove(self, key_id: str) -> None:
        """Takes a former key out of the file. The caller must know that it wraps nothing."""
        ...

    async def in_use(self) -> Mapping[str, int]:
        """Returns the number of values that each key wraps, by the key's id. Keys that wrap nothing are left out."""
        ...

    async def rewrap(self, limit: int) -> int:
        """Wraps values of other keys by the first key, about `limit` of them, and returns how many; 0 at the end.

        Raises StoreError if the file lacks the key of a value. May be cut off and repeated at any time, beside
        running daemons.
        """
        ...


class SecretStore(Protocol):
    """Secrets of the installation. They are the same in every process and never change."""

    def get(self, name: str) -> bytes:
        """Returns the 32-byte secret that is derived from the root secret for this name.

        Names in use: "address", "alias", "link", "login", "message_id", "report", "sender", "signature", "thread",
        "verp". Raises StoreError before the store is open.
        """
        ...


class Store(Protocol):
    """All parts over one database. There are two engines; the tests in `tests/store/` hold for both."""

    @property
    def parties(self) -> PartyStore: ...
    @property
    def app_passwords(self) -> AppPasswordStore: ...
    @property
    def pairs(self) -> PairStore: ...
    @property
    def orders(self) -> OrderStore: ...
    @property
    def threads(self) -> ThreadStore: ...
    @property
    def senders(self) -> SenderStore: ...
    @property
    def requests(self) -> RequestStore: ...
    @property
    def signatures(self) -> SignatureStore: ...
    @property
    def opt_outs(self) -> OptOutStore: ...
    @property
    def limits(self) -> LimitStore: ...
    @property
    def notice_log(self) -> NoticeLog: ...
    @property
    def acceptances(self) -> AcceptanceStore: ...
    @property
    def queue(self) -> QueueStore: ...
    @property
    def holds(self) -> HoldStore: ...
    @property
    def reports(self) -> ReportStore: ...
    @property
    def records(self) -> RecordStore: ...
    @property
    def dkim_keys(self) -> DkimKeyStore: ...
    @property
    def master_keys(self) -> MasterKeyStore: ...
    @property
    def secrets(self) -> SecretStore: ...

    @property
    def audit_log(self) -> AuditLog: ...

    async def open(self) -> None:
        """Connects, and brings the schema up to date.

        Raises StoreError, which says what to do, if that is not possible or the database is from a newer version.
        """
        ...

    async def close(self) -> None:
        """Waits for the writes that were begun, then disconnects."""
        ...

    async def ping(self) -> None:
        """Writes and commits a row of its own, in a transaction that it shares with no other write.

        Raises StoreUnavailableError, whose `fault` says why, if that is not possible, or if the database has just
        refused other writes because it is full or allows none.
        """
        ...

    def forget(self) -> None:
        """Drops decrypted names, addresses and keys that are kept in memory for speed.

        To be called from time to time, and in every process when a person is erased.
        """
        ...


class StoreError(Exception):
    """The store cannot be opened, a value in it cannot be decrypted, or its master key file cannot be changed.

    The message names the cause.
    """
