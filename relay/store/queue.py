"""The store's part for the queue: leases, contents of items, and the ends of attempts (R-OUT-02, R-OUT-03)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from relay.core.destination import name_of
from relay.core.mail.address import domain_of
from relay.core.model.item import TRANSITIONS, Item, ItemKind, ItemState
from relay.core.providers import MAIL_DOMAINS
from relay.ports import OutgoingNotice, QueueLine, Settlement, StoredContent
from relay.steps.offload import THREAD_BYTES
from relay.store.accepting import Rows, report
from relay.store.base import Base, StorePart, from_us, to_us
from relay.store.content_reader import ContentReader
from relay.store.contents import BODY, EVENT, MESSAGE_KEY, event_row, seal_answer
from relay.store.crypto import UnreadableError, identity
from relay.store.engine import Engine, Row, Work
from relay.store.holder_keys import SqlHolderKeys
from relay.store.items import ITEM, MESSAGE_STATES, after_attempt, item_of, wake_at
from relay.store.pairs import SqlPairs
from relay.store.statements import insert, spread, values

_SETTLED: Final = ("TEXT", "TEXT", "TEXT", "TEXT", "BIGINT", "BIGINT", "INTEGER", "INTEGER", "TEXT")
_COME_DUE: Final = 1_000
"""The number of items of each kind that one call of `lanes` marks as due. The next call marks further ones."""
_FLUSHED: Final = 5_000
"""The number of items that one transaction of a flush changes. Mail can be accepted between two transactions."""
_LONGEST_WAIT: Final = timedelta(days=30)
"""The longest time by which a delay, quiet hours or a used-up quota can put off an item.

If an item waits for longer, the clock has jumped back.
"""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """A settlement as rows: one for `settle_items`, and others that are written if the item is still leased."""

    item: tuple[object, ...]
    message: tuple[str, str] | None
    rows: Rows
    settlement: Settlement


class SqlQueue(StorePart):
    def __init__(self, base: Base, holder_keys: SqlHolderKeys, contents: ContentReader, pairs: SqlPairs) -> None:
        super().__init__(base)
        self._holder_keys = holder_keys
        self._contents = contents
        self._pairs = pairs

    async def lanes(
        self, now: datetime, *, horizon_s: float, after: str = "", limit: int = 100
    ) -> tuple[Sequence[str], str]:
        fixed = (to_us(now), to_us(now + timedelta(seconds=horizon_s)), to_us(now + _LONGEST_WAIT), _COME_DUE)

        def write() -> Work[Sequence[Row]]:
            yield self._sql["come_due"], fixed
            return (yield self._sql["lanes"], (after, limit + 1))

        found = [row["destination"] for row in await self._engine.write(write)]
        return found[:limit], found[limit] if len(found) > limit else ""

    async def claim(
        self, owner: str, now: datetime, rooms: Mapping[str, int], *, lease_s: float, late_s: float = 14_400
    ) -> Sequence[Item]:
        lease_until = to_us(now + timedelta(seconds=lease_s))
        late = to_us(now - timedelta(seconds=late_s))

        def write() -> Work[Sequence[Row]]:
            taken: list[Row] = []
            for destination, room in rooms.items():
                taken += yield self._sql["claim"], (owner, lease_until, destination, room, late)
            return taken

        rows = sorted(await self._engine.write(write), key=lambda row: (row["due_at"], row["id"]))
        holders = {row["key_holder_id"] for row in rows if row["sealed_address"] is not None}
        wrapped: dict[str, bytes] = {}
        if holders:
            sql, params = spread(self._sql["holder_keys"], (), sorted(holders))
            wrapped = {row["holder_id"]: row["wrapped"] for row in await self._engine.read(sql, *params)}
        return [item_of(row, self._vault, wrapped.get(row["key_holder_id"])) for row in rows]

    async def item(self, item_id: str) -> Item | None:
        row = await self._first("item", item_id)
        return item_of(row, self._vault, row["wrapped"]) if row else None

    async def content(self, item: Item, admit: Callable[[int], None] | None = None) -> StoredContent | None:
        row = await self._first("content_of_message", item.message_id)
        if row is None:
            return None
        notice = item.kind is ItemKind.NOTICE
        if admit is not None and not notice and row["size_bytes"] > THREAD_BYTES:
            admit(row["size_bytes"])
        try:
            contents = await self._contents.read(
                item.id if notice else item.message_id, 0 if notice else row["size_bytes"]
            )
        except UnreadableError:
            return None
        return StoredContent(
            original=contents.original,
            header=contents.relayed.header,
            edits=contents.relayed.edits,
            pair=await self._pairs.get(row["pair_id"]) if row["pair_id"] is not None else None,
        )

    async def settle(self, settlement: Settlement) -> bool:
        waits_for_nothing = settlement.state is ItemState.HELD and settlement.item.hold is None
        if settlement.state not in TRANSITIONS[ItemState.LEASED] or waits_for_nothing:
            raise ValueError(f"a leased item cannot become {settlement.state}")
        return await self._engine.write_together(self._settle_all, await self._outcome(settlement))

    async def _outcome(self, settlement: Settlement) -> _Outcome:
        item, due_at = settlement.item, to_us(settlement.due_at)
        state, hold = after_attempt(item, settlement.state)
        rows = Rows(
            events=[event_row(event) for event in settlement.events],
            report=partial(self._event_log.settled, settlement),
        )
        await self._enclose(rows, settlement.notice)
        await self._enclose_answer(rows, settlement)
        return _Outcome(
            item=(
                item.id,
                settlement.owner,
                state.value,
                hold and hold.value,
                due_at,
                wake_at(state, hold, due_at),
                int(settlement.delay_noticed),
                int(not settlement.dialled),
                item.destination,
            ),
            message=_message_move(item, state),
            rows=rows,
            settlement=settlement,
        )

    async def _enclose(self, rows: Rows, notice: OutgoingNotice | None) -> None:
        if notice is not None:
            rows.add_notice(notice, self._vault, await self._holder_keys.of(notice.key_holder_id))

    async def _enclose_answer(self, rows: Rows, settlement: Settlement) -> None:
        """Seals the server's words with the holder of the record. Without its key they are not kept."""
        if settlement.answer is None:
            return
        message = await self._first("message_holder", settlement.item.message_id)
        if message is None:
            return
        holder_id = message["key_holder_id"]
        try:
            holder = await self._holder_keys.of(holder_id)
        except UnreadableError:
            return
        rows.add(seal_answer(settlement.events[0].id, holder_id, settlement.answer, self._vault, holder))

    def _settle_all(self, batch: Sequence[_Outcome]) -> Work[Sequence[bool]]:
        """Settles all items with one statement, and writes the further rows of the items that were settled.

        The statement skips the items that are no longer leased to the owner. Returns for each settlement whether it was
        written.
        """
        first = {outcome.item[0]: outcome for outcome in reversed(batch)}
        settled = yield values(self._sql["settle_items"], _SETTLED, [outcome.item for outcome in first.values()])
        won = [first[row["id"]] for row in settled]
        moves = [outcome.message for outcome in won if outcome.message is not None]
        if moves:
            yield values(self._sql["settle_messages"], ("TEXT", "TEXT"), moves)
        yield from _write_rows(self._engine, [outcome.rows for outcome in won])
        winners = set(map(id, won))
        for lost in (outcome for outcome in batch if id(outcome) not in winners):
            self._engine.after_commit(partial(self._event_log.lease_lost, lost.settlement))
        return [id(outcome) in winners for outcome in batch]

    async def renew(self, owner: str, item_ids: Sequence[str], until: datetime) -> None:
        def write() -> Work[None]:
            yield spread(self._sql["renew"], (owner, to_us(until)), item_ids)

        if item_ids:
            await self._engine.write(write)

    async def release(self, owner: str | None) -> int:
        return await self._count("release", owner)

    async def flush(self, destination: str | None = None) -> int:
        now, flushed = to_us(self._clock.now()), 0
        while part := await self._count("flush", now, destination, _FLUSHED):
            flushed += part
        return flushed

    async def _count(self, name: str, *params: object) -> int:
        def change() -> Work[int]:
            return len((yield self._sql[name], params))

        return await self._engine.write(change)

    async def domain(self, item: Item) -> str:
        if item.destination in MAIL_DOMAINS:
            return item.destination
        key = self._vault.secret("destination")
        addresses = await self._mailboxes(item.recipient_id) if item.address is None else [item.address]
        return next((one for one in map(domain_of, addresses) if name_of(key, one) == item.destination), "")

    async def _mailboxes(self, party_id: str | None) -> Sequence[str]:
        """Returns the mailboxes that a party has and had, none if its key is destroyed."""
        try:
            return [
                self._vault.holder(party_id or "", row["wrapped"])
                .open(identity("mailbox", row["id"]), row["sealed"])
                .decode()
                for row in await self._read("mailboxes", party_id)
            ]
        except UnreadableError:
            return []

    async def lines(self) -> Sequence[QueueLine]:
        return [
            QueueLine(
                destination=row["destination"],
                item_id=row["item_id"],
                state=ItemState(row["state"]),
                count=row["items"],
                oldest_at=from_us(row["oldest_at"]),
                next_due_at=from_us(row["next_due_at"]),
            )
            for row in await self._engine.read_bulk(self._sql["queue"])
        ]


def _message_move(item: Item, state: ItemState) -> tuple[str, str] | None:
    """Returns the id of the message and its new state.

    Returns None for a notice, because it does not change the state of the message that it is about.
    """
    if item.kind is ItemKind.NOTICE or state not in MESSAGE_STATES:
        return None
    return item.message_id, MESSAGE_STATES[state].value


def _write_rows(engine: Engine, all_rows: Sequence[Rows]) -> Work[None]:
    yield from insert(MESSAGE_KEY, [row for rows in all_rows for row in rows.keys])
    yield from insert(BODY, [row for rows in all_rows for row in rows.bodies])
    yield from insert(ITEM, [row for rows in all_rows for row in rows.items])
    yield from insert(EVENT, [row for rows in all_rows for row in rows.events])
    report(engine, all_rows)
