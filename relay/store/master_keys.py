"""The store's part for the values that the master keys encrypt, and for the rotation of the keys (R-REC-04)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

from relay.store.base import StorePart
from relay.store.crypto import MASTER_ID_BYTES, identity
from relay.store.engine import Work


class _Wrapped(NamedTuple):
    """A table with a column `wrapped`, which holds values that a master key has encrypted.

    `key` has the columns of the primary key, which bind a value to its row. The other fields are names of queries.
    """

    table: str
    key: tuple[str, ...]
    counts: str
    of_others: str
    rewrap: str


_TABLES: Final = (
    _Wrapped("secret", ("name",), "count_wrapped_secret", "wrapped_by_others_secret", "rewrap_secret"),
    _Wrapped(
        "holder_key", ("holder_id",), "count_wrapped_holder_key", "wrapped_by_others_holder_key", "rewrap_holder_key"
    ),
    _Wrapped(
        "dkim_key", ("domain", "selector"), "count_wrapped_dkim_key", "wrapped_by_others_dkim_key", "rewrap_dkim_key"
    ),
)


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
            for row in await self._engine.read_bulk(self._sql[table.counts], MASTER_ID_BYTES):
                found[bytes(row["key_id"]).hex()] += row["wrapped"]
        return found

    async def rewrap(self, limit: int) -> int:
        current = self._vault.master.ids[0]
        done = 0
        for table in _TABLES:
            if done < limit:
                done += await self._engine.write(partial(self._rewrap, table, current, limit - done))
        return done

    def _rewrap(self, table: _Wrapped, current: bytes, limit: int) -> Work[int]:
        rows = yield self._sql[table.of_others], (MASTER_ID_BYTES, current, limit)
        master = self._vault.master
        for row in rows:
            names = [row[column] for column in table.key]
            bound = identity(table.table, *names)
            wrapped = bytes(row["wrapped"])
            fresh = master.wrap(bound, master.unwrap(bound, wrapped))
            yield self._sql[table.rewrap], (*names, wrapped, fresh)
        return len(rows)
