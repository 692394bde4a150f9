"""The engine for SQLite, the default (R-SCL-01): one directory, and no database server.

There are three connections. The writer's commits run in a thread of its own. The reader serves small look-ups in the
event loop's thread. A connection of aiosqlite serves reads that may be big. In WAL mode readers never wait for the
writer, in this process or in another. `synchronous` is FULL, because in WAL mode NORMAL does not sync at a commit.
"""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal, TypeVar

import aiosqlite

from relay.ports import Clock, StoreError, StoreFault, StoreUnavailableError
from relay.store.availability import Availability
from relay.store.base import to_us
from relay.store.engine import Engine, Row, Work
from relay.store.statements import check_version, migrations

T = TypeVar("T")

_READ_WAIT_S: Final = 0.05
"""The number of seconds that the event loop may wait for a lock.

In WAL mode a reader meets a lock only while SQLite recovers its log after a crash.
"""
_WAL_RETRY_S: Final = 0.01
_STATEMENTS: Final = 512
_FAULTS: Final = dict.fromkeys(
    (
        "SQLITE_PERM",
        "SQLITE_BUSY",
        "SQLITE_LOCKED",
        "SQLITE_NOMEM",
        "SQLITE_INTERRUPT",
        "SQLITE_IOERR",
        "SQLITE_CORRUPT",
        "SQLITE_CANTOPEN",
        "SQLITE_PROTOCOL",
        "SQLITE_SCHEMA",
        "SQLITE_NOTADB",
    ),
    StoreFault.UNAVAILABLE,
) | {"SQLITE_READONLY": StoreFault.READ_ONLY, "SQLITE_FULL": StoreFault.FULL}
"""The errors about the database itself, by the names of SQLite's primary result codes."""


class SqliteEngine(Engine):
    """A database in one file. `busy_s` is the time that a write waits for the lock of another process."""

    dialect: Literal["sqlite", "postgres"] = "sqlite"

    def __init__(self, path: Path, clock: Clock, availability: Availability, *, busy_s: float = 5) -> None:
        super().__init__(availability)
        self._path = path
        self._clock = clock
        self._busy_s = busy_s
        self._thread: ThreadPoolExecutor | None = None
        self._writer: sqlite3.Connection | None = None
        self._bulk: aiosqlite.Connection | None = None
        self._reader: sqlite3.Connection | None = None

    async def open(self) -> None:
        self._thread = ThreadPoolExecutor(1, "relay-store-writer")
        try:
            self._writer = await self._in_thread(self._prepare)
            self._bulk = await self._open_bulk()
            self._reader = self._connect(_READ_WAIT_S, query_only=True)
        except BaseException as error:
            await self.close()
            if isinstance(error, (sqlite3.Error, OSError)):
                raise StoreError(_cause(self._path, error)) from error
            raise

    async def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
        if self._bulk is not None:
            await self._bulk.close()
        if self._writer is not None:
            await self._in_thread(self._writer.close)
        if self._thread is not None:
            self._thread.shutdown()
        self._reader = self._bulk = self._writer = self._thread = None

    async def read(self, sql: str, *params: object) -> Sequence[Row]:
        try:
            return _run(self._reader, sql, params)
        except sqlite3.Error as error:
            raise self._unread(error) from error

    async def read_bulk(self, sql: str, *params: object) -> Sequence[Row]:
        if self._bulk is None:
            raise _closed()
        try:
            return list(await self._bulk.execute_fetchall(_numbered(sql), params))
        except sqlite3.Error as error:
            raise self._unread(error) from error

    def _unread(self, error: sqlite3.Error) -> Exception:
        judged = _judged(error)
        if isinstance(judged, StoreUnavailableError):
            self.availability.failed(judged)
        return judged

    async def transact(self, work: Callable[[], Work[T]], *, heavy: bool = False) -> T:
        """Runs `work` in one transaction, and returns its result after a durable commit.

        Light work runs in the event loop's thread, because a few rows cost less than many switches between threads; its
        commit runs in the writer's thread, because it waits for the disk. Heavy work runs completely in the writer's
        thread, and so does work that finds the write lock taken by another process.
        """
        try:
            if heavy or not self._begin():
                return await self._in_thread(lambda: self._transact_patiently(work))
            with _rolled_back(self._writer):
                result = _worked(self._writer, work)
                await self._in_thread(lambda: _run(self._writer, "COMMIT"))
                return result
        except sqlite3.Error as error:
            raise _judged(error) from error

    async def compact(self) -> None:
        try:
            await self._in_thread(self._compact)
        except sqlite3.Error as error:
            raise _judged(error) from error

    def _compact(self) -> None:
        """Writes a new form of the file, and empties the write-ahead log. Runs in the writer's thread."""
        _run(self._writer, f"PRAGMA busy_timeout = {int(self._busy_s * 1_000)}")
        try:
            _run(self._writer, "VACUUM")
            _run(self._writer, "PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            _run(self._writer, "PRAGMA busy_timeout = 0")

    def _begin(self) -> bool:
        """Returns whether the write lock is free, and takes it if it is. Never waits."""
        try:
            _run(self._writer, "BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        return True

    def _transact_patiently(self, work: Callable[[], Work[T]]) -> T:
        """Returns the result of `work`, run in the writer's thread, the only thread that may wait for a lock."""
        _run(self._writer, f"PRAGMA busy_timeout = {int(self._busy_s * 1_000)}")
        try:
            return _transact(self._writer, work)
        finally:
            _run(self._writer, "PRAGMA busy_timeout = 0")

    async def _in_thread(self, call: Callable[[], T]) -> T:
        if self._thread is None:
            raise _closed()
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    async def _open_bulk(self) -> aiosqlite.Connection:
        connection = await aiosqlite.connect(
            self._path, timeout=self._busy_s, isolation_level=None, cached_statements=_STATEMENTS
        )
        connection.row_factory = sqlite3.Row
        try:
            await connection.execute("PRAGMA query_only = ON")
        except BaseException:
            await connection.close()
            raise
        return connection

    def _connect(self, busy_s: float, *, query_only: bool = False) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=busy_s, isolation_level=None, check_same_thread=False, cached_statements=_STATEMENTS
        )
        connection.row_factory = sqlite3.Row
        try:
            if query_only:
                connection.execute("PRAGMA query_only = ON")
            else:
                connection.execute("PRAGMA foreign_keys = ON")
                self._to_wal(connection)
                connection.execute("PRAGMA synchronous = FULL")
        except BaseException:  # also if the file is not a database
            connection.close()
            raise
        return connection

    def _to_wal(self, connection: sqlite3.Connection) -> None:
        """Switches the connection to WAL mode, with retries.

        SQLite itself does not wait when several nodes open a new file at the same time.
        """
        for tries_left in reversed(range(int(self._busy_s / _WAL_RETRY_S) + 1)):
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if not tries_left or "locked" not in str(error):
                    raise
                time.sleep(_WAL_RETRY_S)
            else:
                return

    def _prepare(self) -> sqlite3.Connection:
        """Returns the writer connection after migrating the schema. Raises StoreError, sqlite3.Error or OSError."""
        if not self._path.parent.is_dir():
            raise StoreError(f"{self._path.parent}: no such directory; make it or correct `data_dir` or `store`")
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = self._connect(self._busy_s)
        try:
            _transact(connection, self._migrate)
            connection.execute("PRAGMA busy_timeout = 0")
        except BaseException:
            connection.close()
            raise
        return connection

    def _migrate(self) -> Work[None]:
        tables = yield "SELECT name FROM sqlite_master WHERE type = 'table'", ()
        names = {row["name"] for row in tables}
        if names and "schema_version" not in names:
            raise StoreError(f"{self._path}: another program's database; give `store` a path of its own")
        yield "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, applied_at BIGINT NOT NULL)", ()
        version = (yield "SELECT COALESCE(MAX(version), 0) AS version FROM schema_version", ())[0]["version"]
        check_version(str(self._path), version, len(migrations(self.dialect)))
        for number, script in enumerate(migrations(self.dialect)[version:], version + 1):
            for statement in _statements(script):
                yield statement, ()
            yield "INSERT INTO schema_version VALUES ($1, $2)", (number, to_us(self._clock.now()))


def _transact(connection: sqlite3.Connection | None, work: Callable[[], Work[T]]) -> T:
    _run(connection, "BEGIN IMMEDIATE")
    with _rolled_back(connection):
        result = _worked(connection, work)
        _run(connection, "COMMIT")
    return result


def _worked(connection: sqlite3.Connection | None, work: Callable[[], Work[T]]) -> T:
    statements = work()
    try:
        sql, params = next(statements)
        while True:
            sql, params = statements.send(_run(connection, sql, params))
    except StopIteration as end:
        result: T = end.value
    return result


@contextmanager
def _rolled_back(connection: sqlite3.Connection | None) -> Iterator[None]:
    """Rolls back the open transaction if the block raises any exception."""
    try:
        yield
    except BaseException:
        if connection is not None and connection.in_transaction:
            with suppress(sqlite3.Error):  # a full disk may have rolled back already
                connection.execute("ROLLBACK")
        raise


def _run(connection: sqlite3.Connection | None, sql: str, params: Sequence[object] = ()) -> Sequence[Row]:
    if connection is None:
        raise _closed()
    return connection.execute(_numbered(sql), params).fetchall()


@lru_cache(4_096)
def _numbered(sql: str) -> str:
    """Returns the statement with `?1` in place of `$1`, because SQLite takes `$1` for a named parameter."""
    return sql.replace("$", "?")


def _statements(script: str) -> Iterator[str]:
    """Yields the statements of a script one by one, because `executescript` would commit the open transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _closed() -> StoreUnavailableError:
    return StoreUnavailableError("the store is closed", code="CLOSED")


def _judged(error: sqlite3.Error) -> Exception:
    """Returns the error to raise for an error of SQLite.

    The result is ValueError for a row that is refused, and StoreUnavailableError if the database reports that it cannot
    use its file, its lock or its disk. Any other error is a programming error, for instance in a statement, and is
    returned unchanged.
    """
    if isinstance(error, (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError)):
        return ValueError(f"SQLite refuses the row: {error}")
    name: str = getattr(error, "sqlite_errorname", "")
    primary = "_".join(name.split("_")[:2])  # SQLITE_IOERR_WRITE has more detail than the metrics need
    if primary not in _FAULTS:
        return error
    return StoreUnavailableError(f"SQLite: {error}", code=name, fault=_FAULTS[primary])


def _cause(path: Path, error: Exception) -> str:
    text = str(error)
    if isinstance(error, PermissionError) or "readonly" in text or "unable to open" in text:
        return f"{path}: no permission to read and write it; check the owner and mode of the file and its directory"
    if "not a database" in text or "malformed" in text:
        return f"{path}: not a readable database; move it away, or restore it from a backup"
    if "locked" in text:
        return f"{path}: locked by another program; end it, or wait for it"
    return f"{path}: cannot be opened ({text}); check the disk and the file"
