"""Base and Part: the engine, the keys, the clock and the SQL texts of one store, and the class of its parts."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from relay.ports import Clock, EventLog, Ids
from relay.store.crypto import MasterKeys, Vault
from relay.store.engine import Engine, Row
from relay.store.statements import queries

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def to_us(at: datetime) -> int:
    """Returns microseconds since 1970, as times are stored."""
    return (at - _EPOCH) // _MICROSECOND


def from_us(at: int) -> datetime:
    """Returns the time, in UTC, that is stored as `at`."""
    return _EPOCH + timedelta(microseconds=at)


class Base:
    """Everything that the parts of one store share. There is one per store."""

    def __init__(self, engine: Engine, master: MasterKeys, clock: Clock, ids: Ids, event_log: EventLog) -> None:
        self.engine = engine
        self.event_log = event_log
        self.vault = Vault(master, ids.entropy)
        self.clock = clock
        self.ids = ids
        self.sql = queries(engine.dialect)

    async def read(self, name: str, *params: object) -> Sequence[Row]:
        """Returns the rows of the named query, which must be an indexed look-up of few rows."""
        return await self.engine.read(self.sql[name], *params)

    async def first(self, name: str, *params: object) -> Row | None:
        """Returns the first row of the named query, None if it has none."""
        rows = await self.engine.read(self.sql[name], *params)
        return rows[0] if rows else None


class StorePart:
    """A part of the store: the operations on one noun.

    A part that uses another part is given it when it is made. The contracts of the public methods are in
    `relay.ports.store`.
    """

    def __init__(self, base: Base) -> None:
        self._engine = base.engine
        self._event_log = base.event_log
        self._vault = base.vault
        self._clock = base.clock
        self._ids = base.ids
        self._sql = base.sql
        self._read = base.read
        self._first = base.first
