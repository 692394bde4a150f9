"""The objects that all parts of one store share, and the base class of the parts."""

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
    """Returns the time as microseconds since 1970, the form in which times are stored."""
    return (at - _EPOCH) // _MICROSECOND


def from_us(at: int) -> datetime:
    """Returns the stored time `at`, in microseconds since 1970, as a datetime in UTC."""
    return _EPOCH + timedelta(microseconds=at)


class Base:
    """The objects that the parts of one store share: engine, keys, clock and SQL texts. Each store has one."""

    def __init__(self, engine: Engine, master: MasterKeys, clock: Clock, ids: Ids, event_log: EventLog) -> None:
        self.engine = engine
        self.event_log = event_log
        self.vault = Vault(master, ids.entropy)
        self.clock = clock
        self.ids = ids
        self.sql = queries(engine.dialect)

    async def read(self, name: str, *params: object) -> Sequence[Row]:
        """Returns the rows of the named query, which must be a look-up of a few rows by an index.

        Raises StoreUnavailableError.
        """
        return await self.engine.read(self.sql[name], *params)

    async def first(self, name: str, *params: object) -> Row | None:
        """Returns the first row of the named query, or None. Raises StoreUnavailableError."""
        rows = await self.engine.read(self.sql[name], *params)
        return rows[0] if rows else None


class StorePart:
    """A part of the store: the operations on one noun.

    A part that uses another part gets it as an argument of its constructor. The contracts of the public methods are in
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
