"""Whether the store takes writes, as `ping` says it and the log tells it, on both engines (R-IN-07, R-UI-11)."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog

from relay import store
from relay.ports import StoreError, StoreFault, StoreUnavailableError
from relay.steps.event_log import EventLog
from relay.store import SqlStore
from relay.store.availability import Availability
from relay.store.engine import Row, Work
from relay.store.sqlite import SqliteEngine
from tests.store import cluster as servers
from tests.store.cluster import Cluster
from tests.store.world import Place, RisingIds, World, execute
from tests.support.log import Written, written
from tests.support.narrowing import not_none
from tests.support.stand_ins import HandClock, Tally

AWAY = StoreUnavailableError("PostgreSQL: the database system is shutting down", code="57P03")
FULL = StoreUnavailableError("SQLite: database or disk is full", code="SQLITE_FULL", fault=StoreFault.FULL)


@pytest.fixture
def log() -> Iterator[Written]:
    with written() as log:
        yield log


def logged(place: Place, tally: Tally | None = None) -> SqlStore:
    """A node that reports to the log."""
    event_log = EventLog(tally or Tally())
    node = store.connect(place.url, place.directory, place.master, place.clock, RisingIds("9"), event_log=event_log)
    assert isinstance(node, SqlStore)
    return node


def sqlite_engine(node: SqlStore) -> SqliteEngine:
    engine = node.base.engine
    assert isinstance(engine, SqliteEngine)
    return engine


# ---------------------------------------------------------------- one line when it begins, one when it is over


def test_a_store_that_is_unavailable_has_one_line_and_one_when_it_is_back(log: Written) -> None:
    clock, tally = HandClock(), Tally()
    availability = Availability(clock, EventLog(tally))
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


def test_small_writes_that_pass_on_a_full_disk_make_no_lines(log: Written) -> None:
    clock = HandClock()
    availability = Availability(clock, EventLog(Tally()))
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


def test_a_transaction_that_lost_against_another_is_counted_and_no_outage(log: Written) -> None:
    tally = Tally()
    availability = Availability(HandClock(), EventLog(tally))
    availability.failed(StoreUnavailableError("PostgreSQL: deadlock detected", code="40P01"))
    assert log.lines() == []
    assert tally.of("store_put_off", code="40") == 1


# ---------------------------------------------------------------- a real write


async def _heartbeats(node: SqlStore) -> list[int]:
    return [row["written_at"] for row in await node.base.engine.read("SELECT written_at FROM heartbeat ORDER BY id")]


async def test_a_ping_is_a_row_that_is_overwritten(place: Place, node: SqlStore) -> None:
    await node.ping()
    before = await _heartbeats(node)
    place.clock.forward(1)
    await node.ping()
    after = await _heartbeats(node)
    assert len(before) == len(after) == 1
    assert after > before


async def test_a_ping_shares_no_transaction_with_mail_that_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, transactions = world.store.base.engine, []
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
    bad = world.acceptance(world.record(), events=(world.event("no such record"),))
    first, ping, second = await asyncio.gather(
        world.store.acceptances.add(bad), world.store.ping(), world.store.acceptances.add(bad), return_exceptions=True
    )
    assert (type(first), ping, type(second)) == (ValueError, None, ValueError)
    assert [one for one in transactions if "heartbeat" in one] == [["heartbeat"]]
    assert any("message" in one for one in transactions)


@contextmanager
def _locked(place: Place) -> Iterator[None]:
    other = sqlite3.connect(place.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


async def test_sqlites_words_and_name_are_in_the_log_once(sqlite_place: Place, log: Written) -> None:
    tally = Tally()
    node = logged(sqlite_place, tally)
    await node.open()
    world = await World.of(sqlite_place, node)
    sqlite_engine(node)._busy_s = 0
    with _locked(sqlite_place):
        for _ in range(3):
            with pytest.raises(StoreUnavailableError) as caught:
                await world.accepted(world.record())
        assert (caught.value.code, caught.value.fault) == ("SQLITE_BUSY", StoreFault.UNAVAILABLE)
    sqlite_place.clock.forward(6)
    await node.ping()
    await node.close()
    begun, over = (log.lines("store_unavailable"), log.lines("store_available"))
    assert [line["words"] for line in begun] == ["SQLite: database is locked"]
    assert [line["put_off"] for line in over] == [3]
    assert tally.of("store_put_off", code="SQLITE_BUSY") == 3


@pytest.fixture
async def sqlite_world(sqlite_place: Place) -> AsyncIterator[World]:
    async with sqlite_place.node() as node:
        yield await World.of(sqlite_place, node)


async def test_a_full_sqlite_is_called_so_though_a_heartbeat_still_fits(sqlite_world: World) -> None:
    world = sqlite_world
    writer = not_none(sqlite_engine(world.store)._writer)
    await world.store.ping()
    writer.execute(f"PRAGMA max_page_count = {writer.execute('PRAGMA page_count').fetchone()[0]}")
    with pytest.raises(StoreUnavailableError):
        await world.store.acceptances.add(world.acceptance(world.record(original=RisingIds().entropy(100_000))))
    with pytest.raises(StoreUnavailableError, match="full") as caught:
        await world.store.ping()
    assert caught.value.fault is StoreFault.FULL
    writer.execute("PRAGMA max_page_count = 1000000")
    world.place.clock.forward(6)
    await world.store.ping()


async def test_a_read_only_sqlite_is_called_so(sqlite_world: World) -> None:
    world = sqlite_world
    not_none(sqlite_engine(world.store)._writer).execute("PRAGMA query_only = ON")
    with pytest.raises(StoreUnavailableError) as caught:
        await world.store.ping()
    assert (caught.value.fault, caught.value.code) == (StoreFault.READ_ONLY, "SQLITE_READONLY")


@pytest.mark.parametrize(
    "statement", ["SELECT no_such_column FROM message", "SELEC", "INSERT INTO heartbeat VALUES (1)"]
)
async def test_an_error_in_a_statement_is_a_bug_and_no_outage(place: Place, log: Written, statement: str) -> None:
    node = logged(place)
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
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def buggy(*_: object) -> None:
        raise AttributeError("'NoneType' object has no attribute 'id'")

    monkeypatch.setattr(world.store.acceptances, "_message_row", buggy)
    with pytest.raises(AttributeError):
        await world.accepted(world.record())


# ---------------------------------------------------------------- PostgreSQL


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    """One that may be stopped without harm to other tests."""
    with servers.running() as cluster:
        yield cluster


def _name(place: Place) -> str:
    return place.url.rpartition("/")[2]


_OTHERS_END = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    " AND datname = current_database()"
)


@pytest.mark.peer("postgresql")
async def test_a_postgresql_that_takes_no_writes_is_called_so_and_told_once(
    cluster: Cluster, tmp_path: Path, log: Written
) -> None:
    place = Place(cluster.database(), tmp_path)
    tally = Tally()
    node = logged(place, tally)
    await node.open()
    world = await World.of(place, node)
    async with place.node() as operator:
        await operator.base.engine.read(f"ALTER DATABASE {_name(place)} SET default_transaction_read_only = on")
        await operator.base.engine.read(_OTHERS_END)
        for _ in range(2):
            with pytest.raises(StoreUnavailableError):
                await world.accepted(world.record())
        with pytest.raises(StoreUnavailableError) as caught:
            await node.ping()
        assert (caught.value.code, caught.value.fault) == ("25006", StoreFault.READ_ONLY)
        assert "cannot execute INSERT in a read-only transaction" in caught.value.words
        await operator.base.engine.read(f"ALTER DATABASE {_name(place)} RESET default_transaction_read_only")
        await operator.base.engine.read(_OTHERS_END)
    place.clock.forward(6)
    for _ in range(3):
        try:
            await node.ping()
        except StoreUnavailableError:
            place.clock.forward(6)
    await node.close()
    assert len(log.lines("store_unavailable")) == len(log.lines("store_available")) == 1
    assert tally.of("store_put_off", code="25") >= 1


@pytest.mark.peer("postgresql")
async def test_a_server_that_stops_is_told_once_with_its_code(
    own_cluster: Cluster, tmp_path: Path, log: Written
) -> None:
    place = Place(own_cluster.database(), tmp_path)
    node = logged(place)
    await node.open()
    world = await World.of(place, node)
    await asyncio.to_thread(own_cluster.stop)
    for _ in range(5):
        with pytest.raises(StoreUnavailableError):
            await world.accepted(world.record())
        with pytest.raises(StoreUnavailableError):
            await node.pairs.get(world.pair.id)
    await asyncio.to_thread(own_cluster.start)
    place.clock.forward(6)
    await node.ping()
    await node.close()
    [begun] = log.lines("store_unavailable")
    [over] = log.lines("store_available")
    assert begun["words"].startswith("PostgreSQL: ")
    assert over["put_off"] >= 5
    assert {code[:2] for code in over["codes"]} <= {"08", "57"}
    assert len(log.lines()) == 2


@pytest.mark.peer("postgresql")
async def test_a_refused_rows_values_are_in_no_error(cluster: Cluster, tmp_path: Path, log: Written) -> None:
    place = Place(cluster.database(), tmp_path)
    async with place.node() as node:
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
    place = Place(cluster.database(), tmp_path)
    async with place.node() as node:
        await node.base.engine.read(f"ALTER DATABASE {_name(place)} SET synchronous_commit = off")
    import asyncpg  # noqa: PLC0415

    create_pool = asyncpg.create_pool
    monkeypatch.setattr(asyncpg, "create_pool", lambda url, **more: create_pool(url, **more | {"server_settings": {}}))
    with pytest.raises(StoreError, match="synchronous_commit is off"):
        await place.unopened().open()
