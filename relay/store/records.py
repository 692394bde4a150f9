"""Reading what is kept, and the one class of all verbs."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Final

import msgspec

from relay.core.model.event import Event, EventType
from relay.core.model.message import MessageState
from relay.core.model.party import Role
from relay.ports import MessageSummary, StoredMessage
from relay.store.base import from_us, to_us
from relay.store.crypto import UnreadableError
from relay.store.dkim_keys import DkimKeyVerbs
from relay.store.engine import Row
from relay.store.limits import LimitVerbs
from relay.store.notice_log import TellingVerbs
from relay.store.parties import PartyVerbs
from relay.store.queue import QueueVerbs
from relay.store.threads import ThreadVerbs

_PAGE: Final = 200


class RecordVerbs(QueueVerbs, PartyVerbs, ThreadVerbs, LimitVerbs, TellingVerbs, DkimKeyVerbs):
    """`relay.ports.Store`, but for the engine."""

    async def messages(
        self, marketplace_id: str | None = None, *, state: MessageState | None = None, limit: int = 50
    ) -> Sequence[MessageSummary]:
        wanted = (state and state.value, limit)
        if marketplace_id is None:
            rows = await self._engine.read_bulk(self._sql["messages"], *wanted)
        else:
            rows = await self._engine.read_bulk(self._sql["messages_of_marketplace"], *wanted, marketplace_id)
        return [_summary_of(row) for row in rows]

    async def summary(self, message_id: str) -> MessageSummary | None:
        row = await self._first("summary", message_id)
        return _summary_of(row) if row else None

    async def message(self, message_id: str) -> StoredMessage | None:
        """None also when it was erased: its summary and history stay."""
        summary = await self.summary(message_id)
        if summary is None:
            return None
        try:
            contents = await self._contents(message_id, summary.size_bytes)
        except UnreadableError:
            return None
        return StoredMessage(
            summary=summary,
            subject=contents.meta.subject,
            mail_from=contents.meta.mail_from,
            original_message_id=contents.meta.original_message_id,
            original=contents.original,
            header=contents.relayed.header,
            edits=contents.relayed.edits,
            changes=contents.relayed.changes,
            events=tuple(await self.history(message_id)),
        )

    async def recorded(self, marketplace_id: str, since: datetime, until: datetime) -> AsyncIterator[str]:
        return self._all_recorded(marketplace_id, to_us(since), to_us(until))

    async def _all_recorded(self, marketplace_id: str, since: int, until: int) -> AsyncIterator[str]:
        after: tuple[int, str] = (since, "")
        while rows := await self._engine.read_bulk(self._sql["recorded"], marketplace_id, *after, until, _PAGE):
            for row in rows:
                yield row["id"]
            after = (rows[-1]["received_at"], rows[-1]["id"])

    async def history(self, message_id: str) -> Sequence[Event]:
        return [
            Event(
                id=row["id"],
                message_id=row["message_id"],
                at=from_us(row["at"]),
                type=EventType(row["type"]),
                data=msgspec.json.decode(row["data"], type=dict[str, str | int]),
            )
            for row in await self._read("history", message_id)
        ]

    async def notices(self, message_id: str) -> Sequence[bytes]:
        notices = []
        for row in await self._read("notices", message_id):
            try:
                notices.append((await self._contents(row["id"], 0)).original)
            except UnreadableError:
                continue
        return notices


def _summary_of(row: Row) -> MessageSummary:
    return MessageSummary(
        id=row["id"],
        marketplace_id=row["marketplace_id"],
        pair_id=row["pair_id"],
        author_role=Role(row["author_role"]) if row["author_role"] else None,
        order_external_id=row["external_id"],
        kind=row["kind"],
        state=MessageState(row["state"]),
        received_at=from_us(row["received_at"]),
        size_bytes=row["size_bytes"],
        policy_version=row["policy_version"],
        detail=msgspec.json.decode(row["detail"], type=dict[str, object]),
    )
