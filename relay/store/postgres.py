"""PostgreSQL, for many nodes (R-SCL-02). Every node writes by group commit on one connection of its pool; claims skip
rows that another node has locked. A connection that breaks is made anew by the next call.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Literal, TypeVar

import asyncpg

from relay.ports import Clock, Ids, StoreError, UnavailableError
from relay.store.base import to_us
from relay.store.crypto import MasterKeys
from relay.store.engine import Engine, Row, Work
from relay.store.records import RecordVerbs
from relay.store.statements import check_version, migrations

T = TypeVar("T")

_CONNECTIONS: Final = 5
_CONNECT_S: Final = 5
_COMMAND_S: Final = 30
_MIGRATING: Final = 0x72656C61
"""The advisory lock under which one node migrates while the others wait."""

_AWAY: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.PostgresIOError,
    asyncpg.InternalClientError,
)

_REFUSED: Final = (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError)


class PostgresStore(RecordVerbs):
    """`relay.ports.Store` on a server."""

    def __init__(self, url: str, master: MasterKeys, clock: Clock, ids: Ids) -> None:
        super().__init__(PostgresEngine(url, clock), master, clock, ids)


class PostgresEngine(Engine):
    dialect: Literal["sqlite", "postgres"] = "postgres"

    def __init__(self, url: str, clock: Clock) -> None:
        super().__init__()
        self._url = url
        self._clock = clock
        self._pool: Any = None

    async def open(self) -> None:
        try:
            self._pool = await asyncpg.create_pool(
                self._url,
                min_size=1,
                max_size=_CONNECTIONS,
                timeout=_CONNECT_S,
                command_timeout=_COMMAND_S,
                reset=_keep,
                server_settings={"application_name": "relay", "synchronous_commit": "on"},
            )
            async with self._pool.acquire() as connection, connection.transaction():
                await self._migrate(connection)
        except BaseException as error:
            await self.close()
            if isinstance(error, (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError)):
                raise StoreError(
                    f"PostgreSQL: {_words(error)}; check `store` (host, port, user, password, database) and the server"
                ) from error
            raise

    async def close(self) -> None:
        if self._pool is not None:
            try:
                await asyncio.wait_for(self._pool.close(), _CONNECT_S)
            except TimeoutError:
                self._pool.terminate()
        self._pool = None

    async def read(self, sql: str, *params: object) -> Sequence[Row]:
        try:
            return await self._fetch(sql, params)
        except UnavailableError:
            # The connection may have been dead for long: one more try, on a new one. A read changes nothing.
            return await self._fetch(sql, params)

    read_bulk = read

    async def _fetch(self, sql: str, params: Sequence[object]) -> Sequence[Row]:
        async with self._connection() as connection:
            rows: Sequence[Row] = await connection.fetch(sql, *params)
            return rows

    async def transact(self, work: Callable[[], Work[T]], *, heavy: bool = False) -> T:  # noqa: ARG002 - it awaits
        async with self._connection() as connection, connection.transaction():
            statements = work()
            try:
                sql, params = next(statements)
                while True:
                    sql, params = statements.send(await connection.fetch(sql, *params))
            except StopIteration as end:
                result: T = end.value
        return result

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        """One of the pool's. A bad row is its writer's ValueError; an absent, stopping or full server is
        UnavailableError, and the connection that said so is not used again."""
        if self._pool is None:
            raise UnavailableError("the store is closed")
        try:
            async with self._pool.acquire(timeout=_CONNECT_S) as connection:
                try:
                    yield connection
                except _AWAY as error:
                    if not isinstance(error, ValueError):
                        connection.terminate()
                    raise
        except _REFUSED as error:
            raise ValueError(f"PostgreSQL refuses the row: {type(error).__name__}") from error
        except _AWAY as error:
            if isinstance(error, ValueError):  # an InterfaceError too: a parameter that is not what the column takes
                raise
            raise UnavailableError(f"PostgreSQL: {_words(error)}") from error

    async def _migrate(self, connection: Any) -> None:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _MIGRATING)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, applied_at BIGINT NOT NULL)"
        )
        version = await connection.fetchval("SELECT COALESCE(MAX(version), 0) FROM schema_version")
        check_version("PostgreSQL", version, len(migrations(self.dialect)))
        for number, script in enumerate(migrations(self.dialect)[version:], version + 1):
            await connection.execute(script)
            await connection.execute("INSERT INTO schema_version VALUES ($1, $2)", number, to_us(self._clock.now()))


async def _keep(_connection: Any) -> None:
    """No session state is ever changed, so none has to be reset: that saves a round trip per call."""


def _words(error: BaseException) -> str:
    """The error's first line, which names no values (those are in its detail)."""
    return (str(error) or type(error).__name__).splitlines()[0]
