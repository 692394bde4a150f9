"""The store's part for orders. Each order belongs to one pair."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

import msgspec

from relay.core.model.order import FulfilledBy, Order, OrderUpdate
from relay.core.model.pair import Pair
from relay.store.base import Base, StorePart
from relay.store.crypto import UnreadableError, identity
from relay.store.engine import Row, Work
from relay.store.pairs import SqlPairs

_PAGE: Final = 200


class SqlOrders(StorePart):
    def __init__(self, base: Base, pairs: SqlPairs) -> None:
        super().__init__(base)
        self._pairs = pairs

    async def put(self, update: OrderUpdate) -> Order:
        row = (
            self._ids.new(),
            update.marketplace_id,
            update.external_id,
            update.pair_id,
            None if update.items is None else msgspec.json.encode(update.items).decode(),
            update.state,
            update.fulfilled_by and update.fulfilled_by.value,
        )

        def write() -> Work[Order]:
            pair = yield self._sql["pair_of_order"], (update.pair_id,)
            if not pair or pair[0]["marketplace_id"] != update.marketplace_id:
                raise ValueError("an order belongs to a pair of its own marketplace")
            known = None if update.known is None else b""
            if update.known:
                key = self._vault.holder(pair[0]["buyer_id"], pair[0]["wrapped"])
                name = _order_row(update.marketplace_id, update.external_id)
                known = key.seal(name, msgspec.json.encode(update.known))
            rows = yield self._sql["put_order"], (*row, known)
            if rows[0]["pair_id"] != update.pair_id:
                raise ValueError("the order belongs to another pair already")
            rows = yield self._sql["order"], (update.marketplace_id, update.external_id)
            return self._order_of(rows[0])

        return await self._engine.write(write)

    async def get(self, marketplace_id: str, external_id: str) -> Order | None:
        row = await self._first("order", marketplace_id, external_id)
        return self._order_of(row) if row else None

    async def of_pair(self, pair_id: str) -> Sequence[Order]:
        return [self._order_of(row) for row in await self._read("orders_of", pair_id)]

    async def in_marketplace(self, marketplace_id: str) -> AsyncIterator[tuple[Order, Pair]]:
        last = ""
        while rows := await self._engine.read_bulk(self._sql["orders"], marketplace_id, last, _PAGE):
            orders = [self._order_of(row) for row in rows]
            pairs = await self._pairs.by_ids(sorted({order.pair_id for order in orders}))
            for order in orders:
                yield order, pairs[order.pair_id]
            last = orders[-1].external_id

    def _order_of(self, row: Row) -> Order:
        """Returns the order of a row of the table `order_entry`. `known` is empty if the buyer is erased."""
        known: tuple[str, ...] = ()
        if row["sealed_known"]:
            try:
                key = self._vault.holder(row["buyer_id"], row["wrapped"])
                plain = key.open(_order_row(row["marketplace_id"], row["external_id"]), row["sealed_known"])
                known = msgspec.json.decode(plain, type=tuple[str, ...])
            except UnreadableError:
                known = ()
        return Order(
            id=row["id"],
            marketplace_id=row["marketplace_id"],
            pair_id=row["pair_id"],
            external_id=row["external_id"],
            items=msgspec.json.decode(row["items"], type=tuple[str, ...]),
            state=row["state"],
            fulfilled_by=FulfilledBy(row["fulfilled_by"]),
            known=known,
        )


def _order_row(marketplace_id: str, external_id: str) -> bytes:
    return identity("order", marketplace_id, external_id)
