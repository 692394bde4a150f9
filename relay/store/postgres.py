"""The engine for PostgreSQL, which several nodes can share (R-SCL-02).

Every node writes by group commit on one connection of its pool. A claim skips rows that another node has locked. A
broken connection is replaced at the next call.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Literal, TypeVar

import asyncpg

from relay.ports import Clock, StoreError, StoreFault, StoreUnavailableError
from relay.store.availability import Availability
from relay.store.base import to_us
from relay.store.engine import Engine, Row, Work
from relay.store.statements import check_version, migrations

T = TypeVar("T")

_CONNECTIONS: Final = 5
_CONNECT_S: Final = 5
_COMMAND_S: Final = 30
_MIGRATING: Final = 0x72656C61
"""The advisory lock that a node holds while it migrates the schema. Other nodes wait for the lock."""

_UNAVAILABLE: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,
    # A connection pooler before the server causes these errors if it gives each transaction another connection.
    asyncpg.InvalidSQLStatementNameError,
    asyncpg.DuplicatePreparedStatementError,
    asyncpg.InternalClientError,
)
"""The errors about the server itself or about the connection. Any other error is a programming error or a bad row."""
_FAULTS: Final = {
    "25006": StoreFault.READ_ONLY,
    "42501": StoreFault.READ_ONLY,  # no right to write
    "53100": StoreFault.FULL,
}

_REFUSED: Final = (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError)


class PostgresEngine(Engine):
    """A database on a PostgreSQL server. `url` has the form `postgresql://...`."""

    dialect: Literal["sqlite", "postgres"] = "postgres"

    def __init__(self, url: str, clock: Clock, availability: Availability) -> None:
        super().__init__(availability)
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
            async with self._pool.acquire() as connection:
                await _check_durable(connection)
                async with connection.transaction():
                    await self._migrate(connection)
        except BaseException as error:
            await self.close()
            if isinstance(error, (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError)):
                fault = _FAULTS.get(_code(error))
                raise StoreError(
                    f"{fault + ': ' if fault else ''}PostgreSQL: {_words(error)}; "
                    "check `store` (host, port, user, password, database) and the server"
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
        except StoreUnavailableError:
            # The connection may have broken long ago. The read changes nothing, so it is tried again on a new
            # connection.
            try:
                return await self._fetch(sql, params)
            except StoreUnavailableError as error:
                self.availability.failed(error)
                raise

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

    async def compact(self) -> None:
        """Does nothing: the server frees its disk by itself, or at once by the administrator's VACUUM FULL."""

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        """Yields a connection of the pool.

        Raises ValueError for a row that is refused, and StoreUnavailableError if the server cannot be reached, is
        stopping or is full; the connection is then not used again. Neither error has the driver's error as its cause,
        because the text of the driver's error contains the values of the row.
        """
        if self._pool is None:
            raise StoreUnavailableError("the store is closed", code="CLOSED")
        try:
            async with self._pool.acquire(timeout=_CONNECT_S) as connection:
                try:
                    yield connection
                except _UNAVAILABLE as error:
                    if not isinstance(error, ValueError):
                        connection.terminate()
                    raise
        except _REFUSED as error:
            where = getattr(error, "constraint_name", None) or getattr(error, "table_name", None) or ""
            raise ValueError(f"PostgreSQL refuses the row: {type(error).__name__} {where}".rstrip()) from None
        except _UNAVAILABLE as error:
            if isinstance(error, ValueError):  # a parameter of a wrong type, which is an InterfaceError too
                raise
            code = _code(error)
            fault = _FAULTS.get(code, StoreFault.UNAVAILABLE)
            raise StoreUnavailableError(f"PostgreSQL: {_words(error)}", code=code, fault=fault) from None

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
    """Does not reset the connection, because the store never changes a session's state.

    A reset would cost a round trip to the server.
    """


async def _check_durable(connection: Any) -> None:
    """Raises StoreError if a commit would not wait for the disk.

    A connection pooler between the relay and the server may ignore the settings that the relay requests when it
    connects.
    """
    if await connection.fetchval("SHOW synchronous_commit") == "off":
        raise StoreError(
            "PostgreSQL: synchronous_commit is off, so that mail which was answered 250 could be lost; "
            "set it to on for the relay's role (`ALTER ROLE ... SET synchronous_commit = on`)"
        )


def _code(error: BaseException) -> str:
    """Returns the SQLSTATE of a server's error, or "08/" and the error's class for a connection error."""
    state = getattr(error, "sqlstate", None)
    return state if isinstance(state, str) and state else f"08/{type(error).__name__}"


def _words(error: BaseException) -> str:
    """Returns the first line of the error's text. It contains no values of a row, which are in the error's detail."""
    return (str(error) or type(error).__name__).splitlines()[0]
