"""What parties were told, so that nothing is told twice; and what people said about messages, each word kept once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from relay.core.model.event import Event, EventType
from relay.ports import NoticeSent
from relay.store.base import from_us, to_us
from relay.store.engine import Work
from relay.store.events import EventVerbs
from relay.store.statements import Table

NOTICE_SENT: Final = Table("told", ("party_id", "topic", "at"), "(party_id, topic) DO UPDATE SET at = excluded.at")


class TellingVerbs(EventVerbs):
    async def told(self, told: NoticeSent, *, unless_since: datetime | None = None) -> bool:
        row = (told.party_id, told.topic, to_us(told.at), unless_since and to_us(unless_since))

        def tell() -> Work[bool]:
            return bool((yield self._sql["tell"], row))

        return await self._engine.write(tell)

    async def told_at(self, party_id: str, topic: str) -> datetime | None:
        row = await self._first("told_at", party_id, topic)
        return from_us(row["at"]) if row else None

    async def notices_since(self, party_id: str, since: datetime) -> Sequence[datetime]:
        return [from_us(row["due_at"]) for row in await self._read("notices_since", party_id, to_us(since))]

    async def mark(self, message_id: str, data: dict[str, str | int]) -> bool:
        def mark() -> Work[bool]:
            # Two who say the same at once wait for each other here.
            if not (yield self._sql["lock_message"], (message_id,)):
                return False
            marks = yield self._sql["marks"], (message_id,)
            if any(msgspec.json.decode(row["data"]) == data for row in marks):
                return False
            yield from self._note(message_id, EventType.MARKED, data)
            return True

        return await self._engine.write(mark)

    async def note_view(self, message_id: str, data: dict[str, str | int]) -> None:
        await self._engine.write(lambda: self._note(message_id, EventType.VIEWED, data))

    async def mark_no_reply(self, message_id: str, *, by: str, undo: bool = False) -> bool:
        def mark() -> Work[bool]:
            if not (yield self._sql["mark_no_reply"], (message_id, int(not undo))):
                return False
            word = "reply_needed" if undo else "no_reply_needed"
            yield from self._note(message_id, EventType.MARKED, {"mark": word, "by": by})
            return True

        return await self._engine.write(mark)

    def _note(self, message_id: str, event_type: EventType, data: dict[str, str | int]) -> Work[None]:
        at = self._clock.now()
        yield from self._write_events(
            [Event(id=self._ids.new(), message_id=message_id, at=at, type=event_type, data=data)]
        )
