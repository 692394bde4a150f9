"""The store's part for pairs and their aliases."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import groupby
from typing import Final

from relay.core import alias
from relay.core.mail.address import fold_domain
from relay.core.model.pair import Alias, Pair, Side
from relay.core.model.party import Role
from relay.core.model.sender import Sender
from relay.store.base import Base, StorePart, from_us, to_us
from relay.store.crypto import Key, UnreadableError, identity
from relay.store.engine import Row, Work
from relay.store.parties import name_of, named_party
from relay.store.senders import sender_of
from relay.store.statements import spread

_PAGE: Final = 200
_MOST_OPENED: Final = 4_096


class SqlPairs(StorePart):
    """The pairs. The last decrypted pairs are kept in memory, because every message needs its pair.

    Each pair is kept with the rows from which it was made. If a later look-up finds different rows, for example another
    key, the pair is made again from these rows.
    """

    def __init__(self, base: Base) -> None:
        super().__init__(base)
        self._opened: dict[str, tuple[object, Pair]] = {}

    def forget(self) -> None:
        """Drops the pairs that are kept in memory."""
        self._opened.clear()

    async def put(self, marketplace_id: str, buyer_id: str, seller_id: str, domains: dict[Role, str]) -> Pair:
        def write() -> Work[str]:
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

        pair = await self.get(await self._engine.write(write))
        if pair is None:
            raise ValueError("the pair has vanished")
        return pair

    async def renew(self, pair_id: str, domains: Mapping[Role, str | None]) -> Pair | None:
        def write() -> Work[None]:
            owners = yield self._sql["pair_owners"], (pair_id,)
            for row in owners:
                for role, domain in domains.items():
                    yield self._sql["retire_aliases"], (pair_id, role.value)
                    if domain is not None:
                        yield from self._issue(pair_id, row[f"{role}_id"], role, domain)

        await self._engine.write(write)
        return await self.get(pair_id)

    def _issue(self, pair_id: str, party_id: str, role: Role, domain: str) -> Work[None]:
        """Adds an alias that was never used before (R-ADR-02)."""
        domain = fold_domain(domain)
        issued: Sequence[Row] = ()
        while not issued:
            local_part = alias.issue(self._ids.entropy(alias.ENTROPY_BYTES), domain, self._vault.secret("alias"))
            issued = yield self._sql["add_alias"], (local_part, domain, pair_id, party_id, role.value)

    async def get(self, pair_id: str) -> Pair | None:
        return await self._one(await self._read("pair", pair_id))

    async def by_alias(self, local_part: str, domain: str) -> Pair | None:
        return await self._one(await self._read("pair_by_alias", local_part, domain))

    async def between(self, buyer_id: str, seller_id: str) -> Pair | None:
        return await self._one(await self._read("pair_between", buyer_id, seller_id))

    async def alias(self, local_part: str, domain: str) -> Alias | None:
        row = await self._first("alias", local_part, domain)
        return _alias_of(row) if row else None

    async def in_marketplace(self, marketplace_id: str) -> Sequence[Pair]:
        rows = await self._engine.read_bulk(self._sql["pairs"], marketplace_id)
        return self._assembled(rows, await self._entries({row["party_id"] for row in rows}))

    async def by_ids(self, pair_ids: Sequence[str]) -> dict[str, Pair]:
        """Returns the pairs with these ids, by id. There must be only a few ids."""
        sql, params = spread(self._sql["pairs_by_id"], (), pair_ids)
        rows = await self._engine.read(sql, *params)
        return {pair.id: pair for pair in self._assembled(rows, await self._entries({row["party_id"] for row in rows}))}

    async def _one(self, rows: Sequence[Row]) -> Pair | None:
        if not rows:
            return None
        listed = await self._entries({row["party_id"] for row in rows})
        source = (tuple(map(tuple, rows)), tuple(map(tuple, listed)))
        known = self._opened.get(rows[0]["pair_id"])
        if known is not None and known[0] == source:
            return known[1]
        (pair,) = self._assembled(rows, listed)
        if known is None and len(self._opened) >= _MOST_OPENED:
            self._opened.pop(next(iter(self._opened)))
        self._opened[pair.id] = source, pair
        return pair

    async def _entries(self, parties: AbstractSet[str]) -> Sequence[Row]:
        found: list[Row] = []
        party_ids = sorted(parties)
        for start in range(0, len(party_ids), _PAGE):
            sql, params = spread(self._sql["entries"], (), party_ids[start : start + _PAGE])
            found += await self._engine.read(sql, *params)
        return found

    def _assembled(self, rows: Sequence[Row], listed: Sequence[Row]) -> Sequence[Pair]:
        """Returns the pairs that the rows describe, in the order of `rows`.

        `rows` has the two sides of each pair, one pair after the other. `listed` has the senders of all their parties.
        """
        senders: dict[str, list[Sender]] = {}
        keys = {row["party_id"]: row["wrapped"] for row in rows}
        opened: dict[str, Key] = {}
        for row in listed:
            party_id = row["party_id"]
            try:
                if party_id not in opened:
                    opened[party_id] = self._vault.holder(party_id, keys[party_id])
                senders.setdefault(party_id, []).append(sender_of(row, opened[party_id]))
            except UnreadableError:
                continue
        pairs = []
        for pair_id, group in groupby(rows, key=lambda row: row["pair_id"]):
            # Retired aliases are first in the group, so that the alias in force stays in the dictionary.
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
            pass  # the party is erased, and has neither a name nor a mailbox
        return Side(
            party=named_party(row["party_id"], row, name),
            alias=_alias_of(row),
            mailbox=mailbox,
            addresses=frozenset([one.address for one in senders if one.is_decided and one.address[0] != "@"]),
            senders=tuple(senders),
        )


def _alias_of(row: Row) -> Alias:
    return Alias(
        local_part=row["local_part"], domain=row["domain"], role=Role(row["role"]), retired=bool(row["retired"])
    )
