"""The store's part for the log of notices to parties, by which a similar notice is not sent again too soon."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from relay.ports import NoticeSent
from relay.store.base import StorePart, from_us, to_us
from relay.store.engine import Row, Work
from relay.store.statements import Table

NOTICE_SENT: Final = Table("told", ("party_id", "topic", "at"), "(party_id, topic) DO UPDATE SET at = excluded.at")


class SqlNoticeLog(StorePart):
    async def add(self, sent: NoticeSent, *, unless_since: datetime | None = None) -> bool:
        row = (sent.party_id, sent.topic, to_us(sent.at), unless_since and to_us(unless_since))

        def write() -> Work[bool]:
            return bool((yield self._sql["tell"], row))

        return await self._engine.write(write)

    async def last_at(self, party_id: str, topic: str) -> datetime | None:
        row = await self._first("told_at", party_id, topic)
        return from_us(row["at"]) if row else None

    async def due_since(self, party_id: str, since: datetime) -> Mapping[str, datetime]:
        return _times(await self._read("notices_since", party_id, to_us(since)))

    async def accepted_between(self, party_id: str, since: datetime, until: datetime) -> Mapping[str, datetime]:
        return _times(await self._read("notices_accepted", party_id, to_us(since), to_us(until)))


def _times(rows: Sequence[Row]) -> Mapping[str, datetime]:
    return {row["id"]: from_us(row["due_at"]) for row in rows}
