"""The ports of the records of messages, of the reports about them, and of threads."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol

from relay.core.bounce.keeping import Kept
from relay.core.model.event import Event, MarkData, ViewData
from relay.core.model.facts import ThreadRef
from relay.core.model.message import MessageState
from relay.core.model.pair import Pair
from relay.core.model.party import Role
from relay.core.response import Turn
from relay.ports.record import MessageFilter, MessageSummary, Report, ServerAnswer, StoredMessage, StoredReport

_ALL: Final = MessageFilter()


class RecordStore(Protocol):
    """The records of messages."""

    async def messages(
        self,
        marketplace_id: str | None = None,
        *,
        state: MessageState | None = None,
        limit: int = 50,
        wanted: MessageFilter = _ALL,
    ) -> Sequence[MessageSummary]:
        """Returns the summaries of at most `limit` records, the newest first.

        `marketplace_id` and `state`, if they are not None, limit the result to one marketplace and to one state. A bulk
        read.
        """
        ...

    async def message(self, message_id: str) -> StoredMessage | None:
        """Returns the decrypted record; None if it does not exist or its content cannot be decrypted.

        When the key of a record is destroyed, its summary and its history can still be read. The read of a big message
        is a bulk read.
        """
        ...

    async def summary(self, message_id: str) -> MessageSummary | None:
        """Returns the part of the record that is not encrypted, or None."""
        ...

    def ids_between(self, marketplace_id: str, since: datetime, until: datetime) -> AsyncIterator[str]:
        """Yields the ids of the messages between two parties of the marketplace, the oldest first.

        These are the messages that were received at or after `since` and before `until`. A bulk read in pages.
        """
        ...

    async def history(self, message_id: str) -> Sequence[Event]:
        """Returns the events of the message, the oldest first."""
        ...

    async def answers(self, message_id: str) -> Mapping[str, ServerAnswer]:
        """Returns the sealed answers of servers to the attempts at the message, by the ids of their events.

        Those that cannot be decrypted any more are left out.
        """
        ...

    async def notices(self, message_id: str) -> Sequence[bytes]:
        """Returns the contents of the notices that were sent about the message, the oldest first.

        A notice that cannot be decrypted any more is left out.
        """
        ...

    async def mark(self, message_id: str, data: MarkData) -> bool:
        """Adds a MARKED event with this data to the message, and returns True.

        Returns False, and adds nothing, if the message already has an event with equal data, or does not exist.
        """
        ...

    async def mark_no_reply(self, message_id: str, *, by: str, undo: bool = False) -> bool:
        """Excludes a buyer's message from the measurement of response times, with an event (R-REC-08).

        With `undo` it includes the message again. Returns True. Returns False, and adds no event, if nothing has
        changed: also for an unknown message, and for a message that is not from a buyer.
        """
        ...

    async def drop_strangers_bodies(self, now: datetime, *, limit: int) -> int:
        """Deletes the content of strangers' mail that was to be kept until `now` or earlier.

        At most `limit` records are changed, and the result is their number. The envelope, hash, size and results stay
        in the record (R-REC-01).
        """
        ...

    async def note_view(self, message_id: str, data: ViewData) -> None:
        """Adds a VIEWED event, because a person has read the body of the message (R-REC-06).

        Each call adds an event.
        """
        ...


class ReportStore(Protocol):
    """The mail that was sent to the return paths of messages (R-OUT-04)."""

    async def add(self, report: Report) -> Kept | None:
        """Writes the part of the report that `core.bounce.keeping.kept` allows, and returns that part.

        All is written in one transaction. A BOUNCED event changes an accepted item, and its message, to BOUNCED. The
        content is encrypted under the id of the event; if the key of its holder is destroyed, only the event is
        written. Returns None if nothing was written, for instance because the item does not exist.
        """
        ...

    async def of_message(self, message_id: str) -> Sequence[StoredReport]:
        """Returns the reports of a message whose content is kept and can be decrypted, the oldest first."""
        ...


class ThreadStore(Protocol):
    """The history of a pair's mail, for the judgement of a new message of the pair."""

    async def refs(self, pair: Pair, writer: Role, ids: Sequence[str]) -> Sequence[ThreadRef]:
        """Returns a reference for each of the Message-IDs `ids` that this pair knows, in the order of `ids` (R-REW-03).

        Each reference has the id under which the other side knows the same message. Ids of another pair's messages, and
        ids that only the other side has seen, are never returned.
        """
        ...

    async def has_open_question(self, pair_id: str) -> bool:
        """Returns whether the buyer wrote the newest relayed message of the pair, so that an answer is missing.

        Automatic messages and messages that were sent to the operator are left out (R-POL-13).
        """
        ...

    async def auto_replies_since(self, pair_id: str, author: Role, since: datetime) -> int:
        """Returns the number of automatic replies by side `author` that were received at or after `since`.

        Returned replies do not count.
        """
        ...

    async def last_at(self, pair_id: str, order_id: str | None) -> datetime | None:
        """Returns the time of a thread's newest mail or last reopening, whichever is later; None if it has no mail.

        The thread belongs to the order with this id, or to the whole pair if `order_id` is None. Returned and refused
        mail does not count. Held mail counts only after its delivery.
        """
        ...

    async def times(self, pair_id: str) -> Mapping[str | None, datetime]:
        """Returns the result of `last_at` for each thread of the pair that has had mail, by the id of its order.

        The key None stands for the whole pair.
        """
        ...

    async def reopen(self, pair_id: str, by: str) -> None:
        """Reopens all threads of the pair, as if a message had been received now, and stores `by` (R-POL-18)."""
        ...

    async def turns(self, seller_id: str, since: datetime) -> Sequence[Turn]:
        """Returns the relayed messages of all pairs of the seller that were received at or after `since` (R-REC-08).

        They are sorted by pair and time, and the seller's response times are measured from them. Messages that were
        sent to the operator are left out. A bulk read.
        """
        ...
