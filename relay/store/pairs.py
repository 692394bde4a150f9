"""Pairs with their aliases, and orders."""

from collections.abc import AsyncIterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import groupby
from typing import Final

import msgspec

from relay.core import alias
from relay.core.mail.address import fold_domain
from relay.core.model.order import FulfilledBy, Order, OrderUpdate
from relay.core.model.pair import Alias, Pair, Side
from relay.core.model.party import Role
from relay.core.model.sender import Sender
from relay.ports import Clock, EventLog, Ids
from relay.store.base import Base, from_us, to_us
from relay.store.crypto import MasterKeys, UnreadableError, identity
from relay.store.engine import Engine, Row, Work
from relay.store.parties import name_of, named_party
from relay.store.senders import sender_of
from relay.store.statements import spread

_PAGE: Final = 200
_SEEN: Final = 4_096


class PairVerbs(Base):
    def __init__(self, engine: Engine, master: MasterKeys, clock: Clock, ids: Ids, event_log: EventLog) -> None:
        super().__init__(engine, master, clock, ids, event_log)
        self._pairs_seen: dict[object, Pair] = {}

    async def put_pair(self, marketplace_id: str, buyer_id: str, seller_id: str, domains: dict[Role, str]) -> Pair:
        def put() -> Work[str]:
            rows = yield self._sql["pair_parties"], (marketplace_id, buyer_id, seller_id)
            if {(row["id"], row["role"]) for row in rows} != {(buyer_id, Role.BUYER), (seller_id, Role.SELLER)}:
                raise ValueError("a pair is one buyer and one seller of the marketplace")
            pair_id = self._ids.new()
            now = to_us(self._clock.now())
            if not (yield self._sql["add_pair"], (pair_id, marketplace_id, buyer_id, seller_id, now)):
                rows = yield self._sql["pair_of"], (buyer_id, seller_id)
                return str(rows[0]["id"])
            yield from self._issue(pair_id, buyer_id, Role.BUYER, domains[Role.BUYER])
            yield from self._issue(pair_id, seller_id, Role.SELLER, domains[Role.SELLER])
            return pair_id

        pair = await self.pair(await self._engine.write(put))
        if pair is None:
            raise ValueError("the pair has vanished")
        return pair

    def _issue(self, pair_id: str, party_id: str, role: Role, domain: str) -> Work[None]:
        """A new alias, never one that was there before (R-ADR-02)."""
        domain = fold_domain(domain)
        issued: Sequence[Row] = ()
        while not issued:
            local_part = alias.issue(self._ids.entropy(alias.ENTROPY_BYTES), domain, self._vault.secret("alias"))
            issued = yield self._sql["add_alias"], (local_part, domain, pair_id, party_id, role.value)

    async def pair(self, pair_id: str) -> Pair | None:
        return await self._one_pair(await self._read("pair", pair_id))

    async def pair_by_alias(self, local_part: str, domain: str) -> Pair | None:
        return await self._one_pair(await self._read("pair_by_alias", local_part, domain))

    async def alias(self, local_part: str, domain: str) -> Alias | None:
        row = await self._first("alias", local_part, domain)
        return _alias_of(row) if row else None

    async def pairs(self, marketplace_id: str) -> Sequence[Pair]:
        return await self._pairs(await self._engine.read_bulk(self._sql["pairs"], marketplace_id))

    async def _one_pair(self, rows: Sequence[Row]) -> Pair | None:
        """On the way of every message, so what these rows once opened to is kept, under the rows themselves: changed
        ones, keys included, are other rows."""
        if not rows:
            return None
        listed = await self._entries({row["party_id"] for row in rows})
        opened: tuple[object, ...] = (tuple(map(tuple, rows)), tuple(map(tuple, listed)))
        pair = self._pairs_seen.get(opened)
        if pair is None:
            (pair,) = self._assembled(rows, listed)
            while len(self._pairs_seen) >= _SEEN:
                self._pairs_seen.pop(next(iter(self._pairs_seen)))
            self._pairs_seen[opened] = pair
        return pair

    async def _pairs(self, rows: Sequence[Row]) -> Sequence[Pair]:
        """From `pair_side` rows in order of their pairs."""
        return self._assembled(rows, await self._entries({row["party_id"] for row in rows}))

    async def _entries(self, parties: AbstractSet[str]) -> Sequence[Row]:
        found: list[Row] = []
        party_ids = sorted(parties)
        for start in range(0, len(party_ids), _PAGE):
            sql, params = spread(self._sql["entries"], (), party_ids[start : start + _PAGE])
            found += await self._engine.read(sql, *params)
        return found

    def _assembled(self, rows: Sequence[Row], listed: Sequence[Row]) -> Sequence[Pair]:
        senders: dict[str, list[Sender]] = {}
        keys = {row["party_id"]: row["wrapped"] for row in rows}
        for row in listed:
            try:
                key = self._vault.holder(row["party_id"], keys[row["party_id"]])
                senders.setdefault(row["party_id"], []).append(sender_of(row, key))
            except UnreadableError:
                continue
        pairs = []
        for pair_id, group in groupby(rows, key=lambda row: row["pair_id"]):
            # Retired aliases come first, so the one in force is the last word.
            sides = {row["role"]: row for row in group}
            buyer, seller = sides[Role.BUYER], sides[Role.SELLER]
            pairs.append(
                Pair(
                    id=pair_id,
                    marketplace_id=buyer["marketplace_id"],
                    created_at=from_us(buyer["created_at"]),
                    buyer=self._side(buyer, senders.get(buyer["party_id"], ())),
                    seller=self._side(seller, senders.get(seller["party_id"], ())),
                )
            )
        return pairs

    def _side(self, row: Row, senders: Sequence[Sender]) -> Side:
        name, mailbox = "", None
        try:
            key = self._vault.holder(row["party_id"], row["wrapped"])
            name = name_of(row["party_id"], row["sealed_name"], key)
            if row["mailbox_id"] is not None:
                mailbox = key.open(identity("mailbox", row["mailbox_id"]), row["sealed_mailbox"]).decode()
        except UnreadableError:
            pass  # erased: no name, no mailbox
        return Side(
            party=named_party(row["party_id"], row, name),
            alias=_alias_of(row),
            mailbox=mailbox,
            addresses=frozenset(one.address for one in senders if one.is_decided and not one.is_domain),
            senders=tuple(senders),
        )

    async def put_order(self, update: OrderUpdate) -> Order:
        row = (
            self._ids.new(),
            update.marketplace_id,
            update.external_id,
            update.pair_id,
            None if update.items is None else msgspec.json.encode(update.items).decode(),
            update.state,
            update.fulfilled_by and update.fulfilled_by.value,
        )

        def put() -> Work[Order]:
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

        return await self._engine.write(put)

    async def order(self, marketplace_id: str, external_id: str) -> Order | None:
        row = await self._first("order", marketplace_id, external_id)
        return self._order_of(row) if row else None

    async def orders_of(self, pair_id: str) -> Sequence[Order]:
        return [self._order_of(row) for row in await self._read("orders_of", pair_id)]

    async def orders(self, marketplace_id: str) -> AsyncIterator[tuple[Order, Pair]]:
        return self._all_orders(marketplace_id)

    async def _all_orders(self, marketplace_id: str) -> AsyncIterator[tuple[Order, Pair]]:
        last = ""
        while rows := await self._engine.read_bulk(self._sql["orders"], marketplace_id, last, _PAGE):
            orders = [self._order_of(row) for row in rows]
            sql, params = spread(self._sql["pairs_by_id"], (), sorted({order.pair_id for order in orders}))
            pairs = {pair.id: pair for pair in await self._pairs(await self._engine.read(sql, *params))}
            for order in orders:
                yield order, pairs[order.pair_id]
            last = orders[-1].external_id

    def _order_of(self, row: Row) -> Order:
        """From an `order_entry` row; of an erased buyer's nothing more is known."""
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


def _alias_of(row: Row) -> Alias:
    return Alias(
        local_part=row["local_part"], domain=row["domain"], role=Role(row["role"]), retired=bool(row["retired"])
    )


def _order_row(marketplace_id: str, external_id: str) -> bytes:
    return identity("order", marketplace_id, external_id)
