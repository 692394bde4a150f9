"""The store's part for mail to the return paths of messages.

The mail is kept as evidence within limits, and may change the state of its item (R-OUT-04).
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from relay.core.bounce import keeping
from relay.core.bounce.keeping import Kept
from relay.core.model.event import EventType
from relay.core.model.item import ItemKind, ItemState
from relay.core.model.message import MessageState
from relay.ports import Report, StoredReport
from relay.steps.offload import offload
from relay.store.accepting import Rows
from relay.store.base import Base, StorePart, to_us
from relay.store.content_reader import ContentReader
from relay.store.contents import BODY, EVENT, MESSAGE_KEY, SealedContents, event_of, event_row, seal_report
from relay.store.crypto import UnreadableError
from relay.store.engine import Work
from relay.store.holder_keys import SqlHolderKeys
from relay.store.items import ITEM
from relay.store.statements import insert, values


class SqlReports(StorePart):
    def __init__(self, base: Base, holder_keys: SqlHolderKeys, contents: ContentReader) -> None:
        super().__init__(base)
        self._holder_keys = holder_keys
        self._contents = contents

    async def add(self, report: Report) -> Kept | None:
        sealed = await self._sealed(report)
        notice = Rows()
        if report.notice is not None:
            holder_id = report.notice.key_holder_id
            notice.add_notice(report.notice, self._vault, await self._holder_keys.of(holder_id))
        return await self._engine.write(partial(self._add, report, sealed, notice))

    async def _sealed(self, report: Report) -> SealedContents | None:
        if len(report.content) > report.limits.size_bytes:
            return None
        message = await self._first("message_holder", report.event.message_id)
        if message is None:
            return None
        holder_id = message["key_holder_id"]
        try:
            holder = await self._holder_keys.of(holder_id)
        except UnreadableError:
            return None  # the holder was erased
        content, source = report.content, report.source
        return await offload(
            len(content), seal_report, report.event.id, holder_id, content, source, self._vault, holder
        )

    def _add(self, report: Report, sealed: SealedContents | None, notice: Rows) -> Work[Kept | None]:
        # Reports about one item wait for each other here.
        locked = yield self._sql["lock_item"], (report.item_id,)
        if not locked:
            return None
        message_id = report.event.message_id
        history = [event_of(row) for row in (yield self._sql["reports"], (message_id,))]
        limits = report.limits if sealed is not None else keeping.NOTHING
        kept = keeping.kept(report.event, history, ItemState(locked[0]["state"]), limits)
        if kept is None:
            return None
        events = [kept.event]
        if kept.event.type is EventType.BOUNCED:
            yield self._sql["bounce"], (report.item_id,)
            if locked[0]["kind"] != ItemKind.NOTICE:
                move = (message_id, MessageState.BOUNCED.value)
                yield values(self._sql["settle_messages"], ("TEXT", "TEXT"), [move])
        if kept.content and sealed is not None:
            yield from insert(MESSAGE_KEY, [sealed.key])
            yield from insert(BODY, sealed.bodies)
        kept = replace(kept, notice=kept.notice and (yield from self._take_place(report)))
        if kept.notice and report.notice_event is not None:
            yield from insert(MESSAGE_KEY, notice.keys)
            yield from insert(BODY, notice.bodies)
            yield from insert(ITEM, notice.items)
            events.append(report.notice_event)
        yield from insert(EVENT, [event_row(event) for event in events])
        self._engine.after_commit(partial(self._event_log.happened, events))
        return kept

    def _take_place(self, report: Report) -> Work[bool]:
        """Adds the notice's entry to the notice log, and returns True.

        Returns False if another notice has taken the place.
        """
        place, since = report.place, report.place_since
        if place is None:
            return True
        return bool((yield self._sql["tell"], (place.party_id, place.topic, to_us(place.at), since and to_us(since))))

    async def of_message(self, message_id: str) -> Sequence[StoredReport]:
        found = []
        for row in await self._read("reports", message_id):
            event = event_of(row)
            if dict(event.data).get("report") != event.id:
                continue
            try:
                content, source = await self._contents.read_report(event.id)
            except UnreadableError:
                continue
            found.append(StoredReport(event=event, content=content, source=source))
        return found
