"""Records of messages, reports about them, and threads."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Protocol

from relay.core.bounce.keeping import Kept
from relay.core.model.event import Event, MarkData, ViewData
from relay.core.model.facts import ThreadRef
from relay.core.model.message import MessageState
from relay.core.model.pair import Pair
from relay.core.model.party import Role
from relay.core.response import Turn
from relay.ports.record import MessageSummary, Report, StoredMessage, StoredReport


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
