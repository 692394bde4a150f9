"""What every group of verbs stands on: the engine, the vault, the clock and the ids; opening and the secrets."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from relay.ports import Clock, EventLog, Ids, StoreError, UnavailableError
from relay.store.crypto import Key, MasterKeys, UnreadableError, Vault
from relay.store.engine import Engine, Row, Work
from relay.store.statements import queries

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def to_us(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def from_us(at: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at)


class Base:
    """The verbs are mixed into one class, each group in a file of its own; this is what they share."""

    def __init__(self, engine: Engine, master: MasterKeys, clock: Clock, ids: Ids, event_log: EventLog) -> None:
        self._engine = engine
        self._event_log = event_log
        self._vault = Vault(master, ids.entropy)
        self._clock = clock
        self._ids = ids
        self._sql = queries(engine.dialect)
        self._heartbeat_id = ids.entropy(1)[0]

    async def open(self) -> None:
        await self._engine.open()
        try:
            self._vault.unlock(await self._engine.write(self._root_secret))
        except BaseException as error:
            await self.close()
            if isinstance(error, UnavailableError):
                problem = f"the store cannot be written ({error}); check its disk and who else uses it"
                raise StoreError(problem) from error
            raise

    async def close(self) -> None:
        await self._engine.finish()
        await self._engine.close()

    async def ping(self) -> None:
        await self._engine.write(self._heartbeat, alone=True)
        if (error := self._engine.availability.lasting_error()) is not None:
            raise error.copy()

    def _heartbeat(self) -> Work[None]:
        """Overwrites a row. Each process has its own, as far as 256 of them go: none waits for another's."""
        yield self._sql["heartbeat"], (self._heartbeat_id, to_us(self._clock.now()))

    def secret(self, name: str) -> bytes:
        return self._vault.secret(name)

    def _root_secret(self) -> Work[bytes]:
        """The wrapped root, made by whoever opens a fresh database first."""
        if not (yield self._sql["secret"], ("root",)):
            yield self._sql["add_secret"], ("root", self._vault.new_root())
        rows = yield self._sql["secret"], ("root",)
        return bytes(rows[0]["wrapped"])

    async def _read(self, name: str, *params: object) -> Sequence[Row]:
        return await self._engine.read(self._sql[name], *params)

    async def _first(self, name: str, *params: object) -> Row | None:
        rows = await self._engine.read(self._sql[name], *params)
        return rows[0] if rows else None

    async def _holder(self, holder_id: str) -> Key:
        """The key of a party, or of a marketplace, whose first use makes it. Raises UnreadableError once destroyed."""
        row = await self._first("holder_key", holder_id)
        if row is None:
            await self._engine.write(lambda: self._new_marketplace_key(holder_id))
            row = await self._first("holder_key", holder_id)
        if row is None:
            raise UnreadableError("the holder's key is destroyed")
        return self._vault.holder(holder_id, row["wrapped"])

    def _new_marketplace_key(self, holder_id: str) -> Work[None]:
        if not (yield self._sql["party"], (holder_id,)):  # a party whose key is gone was erased: it gets no other
            yield self._sql["add_marketplace_key"], (holder_id, self._vault.new_holder(holder_id))
