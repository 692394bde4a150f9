"""The ports of the accepting transaction, the queue and the holds."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from relay.core.model.item import Item
from relay.ports.record import Acceptance, HeldMessage, QueueLine, Settlement, StoredContent


class AcceptanceStore(Protocol):
    """The write that must be committed before a message is answered with 250."""

    async def add(self, acceptance: Acceptance, *, must_know: bool = False) -> None:
        """Adds the records, events, queue items and notices of one transaction, all of them or none.

        - If another message has added a new sender before, that entry is kept, and the records refer to it.
        - If the sender of held mail was decided on after the judgement, the mail is released or returned at once.
        - If an unlisted sender needs a place and none is free, held mail of other senders gives way (`WaitLimit`).
        - Points of misuse count once for each message and cause.

        If the caller is cancelled while this writes, the write is made. If `must_know` is True, that cancellation is
        ignored, so that the caller learns the outcome.

        Raises OvertakenError, with nothing written, if a count or the waiting mail would exceed its limit, if a
        question was already put to the owner, or if a signature is already stored. Raises ValueError for an item in a
        state in which no new item can be.
        """
        ...


class QueueStore(Protocol):
    """The queue of outgoing items. Every change of an item's state is listed in `item.TRANSITIONS`."""

    async def lanes(
        self, now: datetime, *, horizon_s: float, after: str = "", limit: int = 100
    ) -> tuple[Sequence[str], str]:
        """Returns at most `limit` destinations with due items, and the value of `after` for the next call.

        The destinations are sorted by name, and begin with `after`. The value for the next call is "" at the end of the
        list. An item is due when its `due_at` has come or its lease has run out. It is also due when its time is more
        than `horizon_s` ahead, because then the clock has jumped back. Each call marks a limited number of items as
        due, the longest due first, so its cost does not depend on the number of items.
        """
        ...

    async def claim(
        self, owner: str, now: datetime, rooms: Mapping[str, int], *, lease_s: float, late_s: float = 14_400
    ) -> Sequence[Item]:
        """Leases due items to `owner` for `lease_s` seconds, and returns them, the first due first.

        `rooms` has the destinations, each with the largest number of items that this call leases for it. Only items
        that `lanes` has marked as due are leased. The same statement counts the attempt, and no item is leased to two
        owners. Held items are leased too, see `Item.hold`. If one decision has released several messages to one
        recipient, the next of them is leased only when the one before is finished, or was due more than `late_s`
        seconds ago (R-SND-02).

        The keys of the addresses are read after the commit: if the method raises StoreUnavailableError, some items may
        be leased, and they are due again when the lease has run out.
        """
        ...

    async def content(self, item: Item, admit: Callable[[int], None] | None = None) -> StoredContent | None:
        """Returns the content of the item, and its pair; None if it cannot be read, and then the item must be parked.

        The read of a big content is a bulk read. Before it, `admit` is called with the size in bytes. If `admit` raises
        an error, the error reaches the caller and nothing is read.
        """
        ...

    async def settle(self, settlement: Settlement) -> bool:
        """Writes the end of an attempt in one transaction, and returns True.

        Returns False, and writes nothing, if the item is no longer leased to the owner. Raises ValueError for a state
        to which a leased item cannot change.
        """
        ...

    async def renew(self, owner: str, item_ids: Sequence[str], until: datetime) -> None:
        """Extends the leases that `owner` has on these items until `until`.

        Items without such a lease do not change.
        """
        ...

    async def release(self, owner: str | None) -> int:
        """Ends the leases of `owner`, and returns the number of changed items.

        If `owner` is None, all leases end; a single node does so when it starts after a crash. An item that waits for a
        decision is held again, and any other item is queued.
        """
        ...

    async def flush(self, destination: str | None = None) -> int:
        """Makes deferred items due now, and returns their number.

        With `destination` only the items for it are changed. Many items need several transactions:
        after an error some items may be due already.
        """
        ...

    async def item(self, item_id: str) -> Item | None:
        """Returns the item with this id in any state, or None; its `address` is None if it cannot be decrypted."""
        ...

    async def domain(self, item: Item) -> str:
        """Returns the folded domain of the item's destination, "" if no address that is left has it.

        The domain is that of the item's address, or of a mailbox that its recipient has or had.
        """
        ...

    async def lines(self) -> Sequence[QueueLine]:
        """Returns the number of unfinished items for each destination and state, sorted by destination and state.

        Parked items count as unfinished. A bulk read.
        """
        ...


class HoldStore(Protocol):
    """Held messages, and a person's decisions about them. Only the first decision about a message has an effect."""

    async def held(
        self, marketplace_id: str | None = None, *, beside_senders: bool = False, limit: int = 1_000
    ) -> Sequence[HeldMessage]:
        """Returns at most `limit` held messages, those first whose hold ends first.

        `marketplace_id`, if it is not None, limits the result to one marketplace. With `beside_senders`, messages are
        left out that wait only for the approval of their sender, or for a time. A bulk read.
        """
        ...

    async def release(self, message_id: str, by: str) -> bool:
        """Queues a held message for delivery, whatever it waits for, and returns True.

        An event with the name `by` is added. Returns False, and changes nothing, if the message is not held, for
        example because somebody has already decided.
        """
        ...

    async def refuse(self, message_id: str, by: str) -> bool:
        """Marks a held message as refused, makes it due, and returns True.

        An event with the name `by` is added. The worker then returns the message with a notice. Returns False, and
        changes nothing, if the message is not held, for example because somebody has already decided.
        """
        ...
