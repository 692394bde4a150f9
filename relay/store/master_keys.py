"""The values that the master keys wrap, and their rotation (R-REC-04)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from relay.store.base import StorePart
from relay.store.crypto import MASTER_ID_BYTES, identity
from relay.store.engine import Work

_TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "secret": ("name",),
    "holder_key": ("holder_id",),
    "dkim_key": ("domain", "selector"),
}
"""The tables with a column `wrapped`, and the columns of their primary key, which bind the value to its row."""


class SqlMasterKeys(StorePart):
    def ids(self) -> Sequence[str]:
        return [key_id.hex() for key_id in self._vault.master.ids]

    def waiting(self) -> str | None:
        key_id = self._vault.master.waiting
        return key_id.hex() if key_id is not None else None

    def add(self) -> str:
        return self._vault.master.add().hex()

    def make_current(self, key_id: str) -> None:
        self._vault.master.make_current(bytes.fromhex(key_id))

    def remove(self, key_id: str) -> None:
        self._vault.master.remove(bytes.fromhex(key_id))

    async def in_use(self) -> Mapping[str, int]:
        found: Counter[str] = Counter()
        for table in _TABLES:
            for row in await self._engine.read_bulk(self._sql[f"count_wrapped_{table}"], MASTER_ID_BYTES):
                found[bytes(row["key_id"]).hex()] += row["wrapped"]
        return found

    async def rewrap(self, limit: int) -> int:
        current = self._vault.master.ids[0]
        done = 0
        for table in _TABLES:
            if done < limit:
                done += await self._engine.write(partial(self._rewrap, table, current, limit - done))
        return done

    def _rewrap(self, table: str, current: bytes, limit: int) -> Work[int]:
        rows = yield self._sql[f"wrapped_by_others_{table}"], (MASTER_ID_BYTES, current, limit)
        master = self._vault.master
        for row in rows:
            names = [row[column] for column in _TABLES[table]]
            bound = identity(table, *names)
            wrapped = bytes(row["wrapped"])
            fresh = master.wrap(bound, master.unwrap(bound, wrapped))
            yield self._sql[f"rewrap_{table}"], (*names, wrapped, fresh)
        return len(rows)
