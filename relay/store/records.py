"""The store's part for records: reading recorded messages and their history, and marking messages."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from relay.core.model.event import Event, EventData, EventType, Mark, MarkData, ViewData
from relay.core.model.kind import Kind
from relay.core.model.message import MessageState
from relay.core.model.party import Role
from relay.ports import MessageFilter, MessageSummary, ServerAnswer, StoredMessage
from relay.store.base import Base, StorePart, from_us, to_us
from relay.store.content_reader import ContentReader
from relay.store.contents import decode_detail, decode_event_data, event_of, open_answer
from relay.store.crypto import UnreadableError
from relay.store.engine import Row, Work
from relay.store.events import EventWriter
from relay.store.statements import spread

_PAGE: Final = 200
_ALL: Final = MessageFilter()


class SqlRecords(StorePart):
    def __init__(self, base: Base, contents: ContentReader, events: EventWriter) -> None:
        super().__init__(base)
        self._contents = contents
        self._events = events

    async def messages(
        self,
        marketplace_id: str | None = None,
        *,
        state: MessageState | None = None,
        limit: int = 50,
        wanted: MessageFilter = _ALL,
    ) -> Sequence[MessageSummary]:
        rows = await self._engine.read_bulk(
            self._sql["messages"],
            limit,
            marketplace_id,
            state and state.value,
            wanted.pair_id,
            wanted.party_id,
            wanted.order_external_id,
            wanted.sender_id,
            wanted.reason and f'%"{wanted.reason}"%',  # in the JSON of the detail, or of an event about a delivery
        )
        return [summary_of(row) for row in rows]

    async def summary(self, message_id: str) -> MessageSummary | None:
        row = await self._first("summary", message_id)
        return summary_of(row) if row else None

    async def message(self, message_id: str) -> StoredMessage | None:
        summary = await self.summary(message_id)
        if summary is None:
            return None
        try:
            contents = await self._contents.read(message_id, summary.size_bytes)
        except UnreadableError:
            return None
        return StoredMessage(
            summary=summary,
            subject=contents.meta.subject,
            mail_from=contents.meta.mail_from,
            client_ip=contents.meta.client_ip,
            original_message_id=contents.meta.original_message_id,
            original=contents.original,
            header=contents.relayed.header,
            edits=contents.relayed.edits,
            changes=contents.relayed.changes,
            events=tuple(await self.history(message_id)),
            signing_domain=contents.meta.signing_domain,
        )

    async def ids_between(self, marketplace_id: str, since: datetime, until: datetime) -> AsyncIterator[str]:
        after: tuple[int, str] = (to_us(since), "")
        while rows := await self._engine.read_bulk(self._sql["recorded"], marketplace_id, *after, to_us(until), _PAGE):
            for row in rows:
                yield row["id"]
            after = (rows[-1]["received_at"], rows[-1]["id"])

    async def history(self, message_id: str) -> Sequence[Event]:
        return [event_of(row) for row in await self._read("history", message_id)]

    async def answers(self, message_id: str) -> Mapping[str, ServerAnswer]:
        answers = {}
        for row in await self._read("answers", message_id):
            try:
                answers[row["id"]] = open_answer(row, self._vault)
            except UnreadableError:
                continue
        return answers

    async def notices(self, message_id: str) -> Sequence[bytes]:
        notices = []
        for row in await self._read("notices", message_id):
            try:
                notices.append((await self._contents.read(row["id"], 0)).original)
            except UnreadableError:
                continue
        return notices

    async def mark(self, message_id: str, data: MarkData) -> bool:
        def write() -> Work[bool]:
            # Two concurrent calls with equal data wait for each other here.
            if not (yield self._sql["lock_message"], (message_id,)):
                return False
            marks = yield self._sql["marks"], (message_id,)
            if any(decode_event_data(row["data"]) == data for row in marks):
                return False
            yield from self._note(message_id, EventType.MARKED, data)
            return True

        return await self._engine.write(write)

    async def drop_strangers_bodies(self, now: datetime, *, limit: int) -> int:
        def write() -> Work[int]:
            due = [row["message_id"] for row in (yield self._sql["strangers_bodies_due"], (to_us(now), limit))]
            if due:
                yield spread(self._sql["drop_stranger_content"], (), due)
                yield spread(self._sql["drop_stranger_bodies"], (), due)
            return len(due)

        return await self._engine.write(write)

    async def note_view(self, message_id: str, data: ViewData) -> None:
        await self._engine.write(lambda: self._note(message_id, EventType.VIEWED, data))

    async def mark_no_reply(self, message_id: str, *, by: str, undo: bool = False) -> bool:
        def write() -> Work[bool]:
            if not (yield self._sql["mark_no_reply"], (message_id, int(not undo))):
                return False
            mark = Mark.REPLY_NEEDED if undo else Mark.NO_REPLY_NEEDED
            yield from self._note(message_id, EventType.MARKED, MarkData(mark=mark, by=by))
            return True

        return await self._engine.write(write)

    def _note(self, message_id: str, event_type: EventType, data: EventData) -> Work[None]:
        at = self._clock.now()
        event = Event(id=self._ids.new(), message_id=message_id, at=at, type=event_type, data=data)
        yield from self._events.write([event])


def summary_of(row: Row) -> MessageSummary:
    # The role of the author is not stored with refused mail, whose author is known by a login.
    role = row["author_role"] or row["writer_role"]
    return MessageSummary(
        id=row["id"],
        marketplace_id=row["marketplace_id"],
        pair_id=row["pair_id"],
        author_role=Role(role) if role else None,
        author_ref=row["writer_ref"],
        sender_id=row["sender_id"],
        order_external_id=row["external_id"],
        kind=Kind(row["kind"]),
        state=MessageState(row["state"]),
        received_at=from_us(row["received_at"]),
        size_bytes=row["size_bytes"],
        policy_version=row["policy_version"],
        detail=decode_detail(row["detail"]),
    )
