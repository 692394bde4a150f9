"""The accepting transaction, the queue and the holds."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from relay.core.model.item import Item
from relay.ports.record import Acceptance, QueueLine, Settlement, StoredContent


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
