"""Whether the store takes writes, as `ping` says it and the log tells it, on both engines (R-IN-07, R-UI-11)."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest
import structlog

from relay import store
from relay.ports import StoreError, StoreFault, StoreUnavailableError
from relay.steps.event_log import StructuredEventLog
from relay.store import SqlStore
from relay.store.availability import Availability
from relay.store.engine import Row, Work
from relay.store.sqlite import SqliteEngine
from tests.store import cluster as servers
from tests.store.cluster import Cluster
from tests.store.store_env import Database, RisingIds, StoreEnv, execute
from tests.support.fakes import CountingObserver, ManualClock
from tests.support.log import CapturedLog, captured_log
from tests.support.narrowing import not_none

AWAY = StoreUnavailableError("PostgreSQL: the database system is shutting down", code="57P03")
FULL = StoreUnavailableError("SQLite: database or disk is full", code="SQLITE_FULL", fault=StoreFault.FULL)


@pytest.fixture
def log() -> Iterator[CapturedLog]:
    with captured_log() as log:
        yield log


def logged(database: Database, tally: CountingObserver | None = None) -> SqlStore:
    """A node that reports to the log."""
    event_log = StructuredEventLog(tally or CountingObserver())
    node = store.connect(
        database.url, database.directory, database.master, database.clock, RisingIds("9"), event_log=event_log
    )
    assert isinstance(node, SqlStore)
    return node


def sqlite_engine(node: SqlStore) -> SqliteEngine:
    engine = node.base.engine
    assert isinstance(engine, SqliteEngine)
    return engine


# ---------------------------------------------------------------- one line when it begins, one when it is over


def test_a_store_that_is_unavailable_has_one_line_and_one_when_it_is_back(log: CapturedLog) -> None:
    clock, tally = ManualClock(), CountingObserver()
    availability = Availability(clock, StructuredEventLog(tally))
    availability.wrote()
    for operations in (1, 200, 3):
        availability.failed(AWAY, operations)
        clock.forward(0.5)
    availability.failed(StoreUnavailableError("PostgreSQL: refused", code="08/ConnectionRefusedError"))
    clock.forward(1)
    availability.wrote()
    clock.forward(20)
    availability.wrote()
    availability.wrote()
    begun, over = log.lines()
    assert (begun["event"], begun["level"], begun["code"]) == ("store_unavailable", "error", "57P03")
    assert begun["words"] == "PostgreSQL: the database system is shutting down"
    assert (over["event"], over["unavailable_s"], over["put_off"]) == ("store_available", 2.5, 205)
    assert over["codes"] == ["57P03", "08/ConnectionRefusedError"]
    assert (tally.of("store_put_off", code="57"), tally.of("store_put_off", code="08")) == (204, 1)


def test_small_writes_that_pass_on_a_full_disk_make_no_lines(log: CapturedLog) -> None:
    clock = ManualClock()
    availability = Availability(clock, StructuredEventLog(CountingObserver()))
    for _ in range(50):
        availability.failed(FULL)
        clock.forward(0.1)
        availability.wrote()
        assert availability.lasting_error() is FULL
        clock.forward(0.1)
    assert [line["event"] for line in log.lines()] == ["store_unavailable"]
    clock.forward(5)
    assert availability.lasting_error() is None
    availability.wrote()
    assert log.lines()[-1]["put_off"] == 50


def test_a_transaction_that_lost_against_another_is_counted_and_no_outage(log: CapturedLog) -> None:
    tally = CountingObserver()
    availability = Availability(ManualClock(), StructuredEventLog(tally))
    availability.failed(StoreUnavailableError("PostgreSQL: deadlock detected", code="40P01"))
    assert log.lines() == []
    assert tally.of("store_put_off", code="40") == 1


# ---------------------------------------------------------------- a real write


async def _heartbeats(node: SqlStore) -> list[int]:
    return [row["written_at"] for row in await node.base.engine.read("SELECT written_at FROM heartbeat ORDER BY id")]


async def test_a_ping_is_a_row_that_is_overwritten(database: Database, node: SqlStore) -> None:
    await node.ping()
    before = await _heartbeats(node)
    database.clock.forward(1)
    await node.ping()
    after = await _heartbeats(node)
    assert len(before) == len(after) == 1
    assert after > before


async def test_a_ping_shares_no_transaction_with_mail_that_fails(
    env: StoreEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, transactions = env.store.base.engine, []
    transact = engine.transact

    async def watched(work: Callable[[], Work[object]], *, heavy: bool = False) -> object:
        statements: list[str] = []
        transactions.append(statements)

        def spied() -> Work[object]:
            inner = work()
            rows: Sequence[Row] | None = None
            while True:
                try:
                    statement = next(inner) if rows is None else inner.send(rows)
                except StopIteration as end:
                    return end.value
                statements.append(statement[0].split()[2])
                rows = yield statement

        return await transact(spied, heavy=heavy)

    monkeypatch.setattr(engine, "transact", watched)
    bad = env.acceptance(env.record(), events=(env.event("no such record"),))
    first, ping, second = await asyncio.gather(
        env.store.acceptances.add(bad), env.store.ping(), env.store.acceptances.add(bad), return_exceptions=True
    )
    assert (type(first), ping, type(second)) == (ValueError, None, ValueError)
    assert [one for one in transactions if "heartbeat" in one] == [["heartbeat"]]
    assert any("message" in one for one in transactions)


@contextmanager
def _locked(database: Database) -> Iterator[None]:
    other = sqlite3.connect(database.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


async def test_sqlites_words_and_name_are_in_the_log_once(sqlite_database: Database, log: CapturedLog) -> None:
    tally = CountingObserver()
    node = logged(sqlite_database, tally)
    await node.open()
    env = await StoreEnv.of(sqlite_database, node)
    sqlite_engine(node)._busy_s = 0
    with _locked(sqlite_database):
        for _ in range(3):
            with pytest.raises(StoreUnavailableError) as caught:
                await env.accepted(env.record())
        assert (caught.value.code, caught.value.fault) == ("SQLITE_BUSY", StoreFault.UNAVAILABLE)
    sqlite_database.clock.forward(6)
    await node.ping()
    await node.close()
    begun, over = (log.lines("store_unavailable"), log.lines("store_available"))
    assert [line["words"] for line in begun] == ["SQLite: database is locked"]
    assert [line["put_off"] for line in over] == [3]
    assert tally.of("store_put_off", code="SQLITE_BUSY") == 3


@pytest.fixture
async def sqlite_env(sqlite_database: Database) -> AsyncIterator[StoreEnv]:
    async with sqlite_database.node() as node:
        yield await StoreEnv.of(sqlite_database, node)


async def test_a_full_sqlite_is_called_so_though_a_heartbeat_still_fits(sqlite_env: StoreEnv) -> None:
    env = sqlite_env
    writer = not_none(sqlite_engine(env.store)._writer)
    await env.store.ping()
    writer.execute(f"PRAGMA max_page_count = {writer.execute('PRAGMA page_count').fetchone()[0]}")
    with pytest.raises(StoreUnavailableError):
        await env.store.acceptances.add(env.acceptance(env.record(original=RisingIds().entropy(100_000))))
    with pytest.raises(StoreUnavailableError, match="full") as caught:
        await env.store.ping()
    assert caught.value.fault is StoreFault.FULL
    writer.execute("PRAGMA max_page_count = 1000000")
    env.database.clock.forward(6)
    await env.store.ping()


async def test_a_read_only_sqlite_is_called_so(sqlite_env: StoreEnv) -> None:
    env = sqlite_env
    not_none(sqlite_engine(env.store)._writer).execute("PRAGMA query_only = ON")
    with pytest.raises(StoreUnavailableError) as caught:
        await env.store.ping()
    assert (caught.value.fault, caught.value.code) == (StoreFault.READ_ONLY, "SQLITE_READONLY")


@pytest.mark.parametrize(
    "statement", ["SELECT no_such_column FROM message", "SELEC", "INSERT INTO heartbeat VALUES (1)"]
)
async def test_an_error_in_a_statement_is_a_bug_and_no_outage(
    database: Database, log: CapturedLog, statement: str
) -> None:
    node = logged(database)
    await node.open()
    try:
        for attempt in (node.base.engine.read(statement), execute(node, statement)):
            with pytest.raises(Exception, match=r".") as caught:
                await attempt
            assert not isinstance(caught.value, StoreUnavailableError)
        assert log.lines("store_unavailable") == []
    finally:
        await node.close()


async def test_a_bug_on_the_way_into_the_store_is_raised_as_it_is(
    env: StoreEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    def buggy(*_: object) -> None:
        raise AttributeError("'NoneType' object has no attribute 'id'")

    monkeypatch.setattr(env.store.acceptances, "_message_row", buggy)
    with pytest.raises(AttributeError):
        await env.accepted(env.record())


# ---------------------------------------------------------------- PostgreSQL


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    """One that may be stopped without harm to other tests."""
    with servers.running() as cluster:
        yield cluster


def _name(database: Database) -> str:
    return database.url.rpartition("/")[2]


_OTHERS_END = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    " AND datname = current_database()"
)


@pytest.mark.peer("postgresql")
async def test_a_postgresql_that_takes_no_writes_is_called_so_and_told_once(
    cluster: Cluster, tmp_path: Path, log: CapturedLog
) -> None:
    database = Database(cluster.database(), tmp_path)
    tally = CountingObserver()
    node = logged(database, tally)
    await node.open()
    env = await StoreEnv.of(database, node)
    async with database.node() as operator:
        await operator.base.engine.read(f"ALTER DATABASE {_name(database)} SET default_transaction_read_only = on")
        await operator.base.engine.read(_OTHERS_END)
        for _ in range(2):
            with pytest.raises(StoreUnavailableError):
                await env.accepted(env.record())
        with pytest.raises(StoreUnavailableError) as caught:
            await node.ping()
        assert (caught.value.code, caught.value.fault) == ("25006", StoreFault.READ_ONLY)
        assert "cannot execute INSERT in a read-only transaction" in caught.value.words
        await operator.base.engine.read(f"ALTER DATABASE {_name(database)} RESET default_transaction_read_only")
        await operator.base.engine.read(_OTHERS_END)
    database.clock.forward(6)
    for _ in range(3):
        try:
            await node.ping()
        except StoreUnavailableError:
            database.clock.forward(6)
    await node.close()
    assert len(log.lines("store_unavailable")) == len(log.lines("store_available")) == 1
    assert tally.of("store_put_off", code="25") >= 1


@pytest.mark.peer("postgresql")
async def test_a_server_that_stops_is_told_once_with_its_code(
    own_cluster: Cluster, tmp_path: Path, log: CapturedLog
) -> None:
    database = Database(own_cluster.database(), tmp_path)
    node = logged(database)
    await node.open()
    env = await StoreEnv.of(database, node)
    await asyncio.to_thread(own_cluster.stop)
    for _ in range(5):
        with pytest.raises(StoreUnavailableError):
            await env.accepted(env.record())
        with pytest.raises(StoreUnavailableError):
            await node.pairs.get(env.pair.id)
    await asyncio.to_thread(own_cluster.start)
    database.clock.forward(6)
    await node.ping()
    await node.close()
    [begun] = log.lines("store_unavailable")
    [over] = log.lines("store_available")
    assert begun["words"].startswith("PostgreSQL: ")
    assert over["put_off"] >= 5
    assert {code[:2] for code in over["codes"]} <= {"08", "57"}
    assert len(log.lines()) == 2


@pytest.mark.peer("postgresql")
async def test_a_refused_rows_values_are_in_no_error(cluster: Cluster, tmp_path: Path, log: CapturedLog) -> None:
    database = Database(cluster.database(), tmp_path)
    async with database.node() as node:
        secret = "kaoru at hidden"
        for statement, params in (
            ("INSERT INTO secret (name, wrapped) VALUES ($1, $2)", (secret, b"")),
            ("INSERT INTO quota_use (scope, subject_id, day, used) VALUES ('seller', $1, 'x', 1)", (secret,)),
        ):
            for _ in range(2):
                try:
                    await execute(node, statement, *params)
                except ValueError as error:
                    structlog.get_logger().error("refused", exc_info=error)
    refused = log.lines("refused")
    assert len(refused) == 2
    assert all("UniqueViolationError" in line["exception"] for line in refused)
    assert "kaoru" not in log.text


@pytest.mark.peer("postgresql")
async def test_a_role_whose_commits_do_not_wait_for_the_disk_is_refused(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As behind a pool that leaves out what we ask for as we connect."""
    database = Database(cluster.database(), tmp_path)
    async with database.node() as node:
        await node.base.engine.read(f"ALTER DATABASE {_name(database)} SET synchronous_commit = off")
    create_pool = asyncpg.create_pool
    monkeypatch.setattr(asyncpg, "create_pool", lambda url, **more: create_pool(url, **more | {"server_settings": {}}))
    with pytest.raises(StoreError, match="synchronous_commit is off"):
        await database.unopened().open()
