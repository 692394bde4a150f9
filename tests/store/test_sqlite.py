"""What is SQLite's own: the file, its locks, a full disk, a second process, the query plans."""

import asyncio
import re
import resource
import sqlite3
import stat
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from relay.core.model.party import Role
from relay.ports import StoreError, StoreUnavailableError, UnavailableError
from relay.store import SqlStore, connect
from relay.store.base import to_us
from relay.store.sqlite import SqliteEngine
from relay.store.statements import queries
from tests.store.store_env import Database, RisingIds, StoreEnv, execute
from tests.support.narrowing import not_none


@pytest.fixture
async def env(sqlite_database: Database) -> AsyncIterator[StoreEnv]:
    async with sqlite_database.node() as node:
        yield await StoreEnv.of(sqlite_database, node)


def engine_of(node: SqlStore) -> SqliteEngine:
    assert isinstance(node.base.engine, SqliteEngine)
    return node.base.engine


async def open_error(database: Database) -> str:
    node = database.unopened()
    with pytest.raises(StoreError) as caught:
        await node.open()
    await node.close()
    return str(caught.value)


async def accept(env: StoreEnv) -> str:
    record = env.record()
    await env.store.acceptances.add(env.acceptance(record, env.item(record)))
    return record.id


# ---------------------------------------------------------------- opening


async def test_the_file_is_ours_alone_and_synced_at_each_commit(env: StoreEnv) -> None:  # R-IN-03
    assert stat.S_IMODE(env.database.file.stat().st_mode) == 0o600
    writer = not_none(engine_of(env.store)._writer)
    found = {name: writer.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")}
    assert found == {"journal_mode": "wal", "synchronous": 2}
    assert writer.execute("PRAGMA foreign_keys").fetchone()[0] == 1


async def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    assert "absent: no such directory; make it" in await open_error(Database("sqlite:absent/relay.db", tmp_path))


async def test_a_file_that_is_no_database_is_named(sqlite_database: Database) -> None:
    sqlite_database.file.write_bytes(b"this is no database at all" * 100)
    assert "relay.db: not a readable database; move it away" in await open_error(sqlite_database)


async def test_a_directory_in_the_files_place_is_named(sqlite_database: Database) -> None:
    sqlite_database.file.mkdir()
    assert str(sqlite_database.file) in await open_error(sqlite_database)


async def test_another_programs_database_is_left_alone(sqlite_database: Database) -> None:
    with sqlite3.connect(sqlite_database.file) as foreign:
        foreign.execute("CREATE TABLE theirs (x)")
    foreign.close()
    assert "another program's database" in await open_error(sqlite_database)


async def test_a_locked_database_cannot_be_opened(sqlite_database: Database) -> None:
    async with sqlite_database.node():
        pass
    with locked(sqlite_database):
        node = sqlite_database.unopened()
        engine_of(node)._busy_s = 0
        with pytest.raises(StoreError, match="locked by another program"):
            await node.open()


@pytest.mark.parametrize("url", ["", "relay.db", "sqlite:", "mysql://x/y"])
def test_an_unknown_url_is_refused(sqlite_database: Database, url: str) -> None:
    with pytest.raises(StoreError, match="neither"):
        connect(url, sqlite_database.directory, sqlite_database.master, sqlite_database.clock, RisingIds())


async def test_a_closed_store_is_away_and_opens_again(sqlite_database: Database) -> None:
    node = sqlite_database.unopened()
    await node.open()
    await node.close()
    with pytest.raises(UnavailableError):
        await node.ping()
    with pytest.raises(UnavailableError):
        await node.parties.in_marketplace("m")
    with pytest.raises(UnavailableError):
        await node.pairs.alias("a", "b")
    await node.open()
    await node.ping()
    await node.close()


# ---------------------------------------------------------------- bulk reads

_LONG = """WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $1)
SELECT COUNT(*) AS numbers FROM numbers"""


async def test_a_bulk_read_holds_up_neither_the_loop_nor_look_ups_nor_writes(env: StoreEnv) -> None:
    bulk = asyncio.create_task(env.store.base.engine.read_bulk(_LONG, 5_000_000))
    await asyncio.sleep(0)
    message_id = await accept(env)
    assert await env.store.records.summary(message_id) is not None
    assert not bulk.done()
    assert [row["numbers"] for row in await bulk] == [5_000_000]


async def test_a_cancelled_bulk_read_leaves_the_store_usable(env: StoreEnv) -> None:
    bulk = asyncio.create_task(env.store.base.engine.read_bulk(_LONG, 100_000))
    await asyncio.sleep(0)
    bulk.cancel()
    with pytest.raises(asyncio.CancelledError):
        await bulk
    message_id = await accept(env)
    assert [summary.id for summary in await env.store.records.messages()] == [message_id]


async def test_a_bulk_read_can_change_nothing(env: StoreEnv) -> None:
    with pytest.raises(UnavailableError, match="readonly"):
        await env.store.base.engine.read_bulk("DELETE FROM message RETURNING id")


async def test_a_store_closes_while_a_bulk_read_is_running(sqlite_database: Database) -> None:
    node = sqlite_database.unopened()
    await node.open()
    bulk = asyncio.create_task(node.base.engine.read_bulk(_LONG, 100_000))
    await asyncio.sleep(0)
    await node.close()
    assert len(await bulk) == 1


async def test_closing_that_is_cancelled_while_a_write_waits_still_ends_the_threads(sqlite_database: Database) -> None:
    before = set(threading.enumerate())
    async with sqlite_database.node() as node:
        env = await StoreEnv.of(sqlite_database, node)
        engine_of(node)._busy_s = 0.2
        with locked(sqlite_database):
            write = asyncio.create_task(accept(env))
            await asyncio.sleep(0.01)
            closing = asyncio.create_task(node.close())
            await asyncio.sleep(0.01)
            closing.cancel()
            outcomes = await asyncio.gather(closing, write, return_exceptions=True)
        assert [type(each) for each in outcomes] == [asyncio.CancelledError, StoreUnavailableError]
        assert set(threading.enumerate()) <= before


# ---------------------------------------------------------------- trouble while it runs


@contextmanager
def locked(database: Database) -> Iterator[None]:
    """Another program holds the write lock."""
    other = sqlite3.connect(database.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


async def test_a_locked_database_fails_every_waiter_and_recovers(sqlite_database: Database) -> None:  # R-IN-07
    async with sqlite_database.node() as node:
        env = await StoreEnv.of(sqlite_database, node)
        engine_of(node)._busy_s = 0
        with locked(sqlite_database):
            outcomes = await asyncio.gather(*(accept(env) for _ in range(5)), return_exceptions=True)
            assert [type(each) for each in outcomes] == [StoreUnavailableError] * 5
            with pytest.raises(UnavailableError):
                await node.ping()
            assert await node.records.messages() == []
        await node.ping()
        kept = await asyncio.gather(*(accept(env) for _ in range(5)))
        assert {summary.id for summary in await node.records.messages()} == set(kept)


async def test_a_full_database_fails_every_waiter_and_recovers(env: StoreEnv) -> None:  # R-IN-07
    writer = not_none(engine_of(env.store)._writer)
    pages = writer.execute("PRAGMA page_count").fetchone()[0]
    writer.execute(f"PRAGMA max_page_count = {pages}")
    big = [env.record(original=RisingIds().entropy(100_000)) for _ in range(3)]
    outcomes = await asyncio.gather(
        *(env.store.acceptances.add(env.acceptance(r)) for r in big), return_exceptions=True
    )
    assert [type(each) for each in outcomes] == [StoreUnavailableError] * 3
    assert "full" in str(outcomes[0])
    assert await env.store.records.messages() == []
    writer.execute("PRAGMA max_page_count = 1000000")
    await asyncio.gather(*(env.store.acceptances.add(env.acceptance(r)) for r in big))
    assert len(await env.store.records.messages()) == 3


@contextmanager
def no_room(size: int) -> Iterator[None]:
    """The system refuses to let any file grow beyond `size`."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_disk_that_takes_no_more_fails_every_waiter_and_recovers(env: StoreEnv) -> None:  # R-IN-07
    log = env.database.file.with_name("relay.db-wal")
    with no_room(log.stat().st_size):
        outcomes = await asyncio.gather(*(accept(env) for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in outcomes] == [StoreUnavailableError] * 3
    assert await env.store.records.messages() == []
    kept = await asyncio.gather(*(accept(env) for _ in range(3)))
    async with env.database.node() as other:
        assert {summary.id for summary in await other.records.messages()} == set(kept)


async def test_what_another_process_wrote_is_seen_at_once(env: StoreEnv) -> None:
    party = env.pair.buyer.party
    async with env.database.node() as other:
        for mailbox in ("one@mail.example", "two@mail.example"):
            await other.parties.put("m", Role.BUYER, party.external_ref, mailbox=mailbox)
            assert await env.store.parties.mailbox(party.id) == mailbox
            pair = await env.store.pairs.get(env.pair.id)
            assert pair is not None
            assert mailbox in pair.buyer.addresses


# ---------------------------------------------------------------- plans

_HOT = [
    "alias",
    "pair",
    "pair_by_alias",
    "pair_between",
    "entries",
    "sender_owner",
    "listed_elsewhere",
    "unlisted",
    "unproven",
    "listed_by_counterpart",
    "lock_party",
    "state_of_sender",
    "notices_since",
    "notices_accepted",
    "requests",
    "asked",
    "was_asked",
    "order",
    "opt_outs",
    "thread_refs_by_id",
    "thread_refs_by_original_id",
    "open_question",
    "auto_replies_since",
    "holder_key",
    "mailbox",
    "party",
    "come_due",
    "lanes",
    "claim",
    "settle_items",
    "settle_messages",
    "renew",
    "content_of_message",
    "content",
    "summary",
    "history",
    "notices",
    "held",
    "held_of_senders",
    "release_held",
    "return_held",
    "refuse_held",
    "release",
    "flush",
    "lock_senders",
    "unretire_sender",
    "flip_sender",
    "sender",
    "senders",
    "sender_entry",
    "pending",
    "opt_out_history",
    "used",
    "misuse_score",
    "misuse_history",
    "told_at",
    "notices_since",
    "lock_message",
    "marks",
    "mark_no_reply",
    "orders_of",
    "thread_last_at",
    "order_thread_last_at",
    "thread_times",
    "turns",
    "recorded",
    "app_passwords",
    "item",
    "bounce",
]


def scans(env: StoreEnv, sql: str) -> list[str]:
    """The steps of the plan that read a whole table; `own` are the statement's own rows."""
    for marker, text in (
        ("...", ""),
        ("VALUES $rows", f"VALUES ({', '.join(['NULL'] * (9 if 'owner' in sql else 3 if 'asked' in sql else 2))})"),
    ):
        sql = sql.replace(marker, text)
    params = [None] * len(set(re.findall(r"\$\d", sql)))
    plan = (
        not_none(engine_of(env.store)._reader).execute("EXPLAIN QUERY PLAN " + sql.replace("$", "?"), params).fetchall()
    )
    assert plan
    own = ("SCAN settled", "SCAN asked", "SCAN first", "SCAN lane", "SCAN CONSTANT ROW", "SCAN (subquery")
    return [row["detail"] for row in plan if row["detail"].startswith("SCAN") and not row["detail"].startswith(own)]


@pytest.mark.parametrize("name", _HOT)
async def test_no_look_up_on_the_way_of_a_message_scans_a_table(env: StoreEnv, name: str) -> None:
    assert scans(env, queries("sqlite")[name]) == []


@pytest.mark.parametrize(
    ("name", "indexes"),
    [("queue", {"item_waiting", "item_due", "item_parked"}), ("request_parties", {"owner_request_open"})],
)
async def test_what_reads_all_that_stands_reads_nothing_that_is_done(
    env: StoreEnv, name: str, indexes: set[str]
) -> None:
    found = scans(env, queries("sqlite")[name])
    assert {step.rpartition(" ")[2] for step in found} - {"standing"} == indexes


async def test_a_busy_backlog_costs_the_mail_to_others_nothing(env: StoreEnv) -> None:  # R-OUT-01, R-SCL-02
    now = env.database.clock.now()
    for destination in ("busy.example", "idle.example"):
        record = env.record()
        await env.store.acceptances.add(env.acceptance(record, env.item(record, destination=destination)))
    at, later = to_us(now), to_us(now + timedelta(days=30))
    statements: list[tuple[str, Sequence[object]]] = [
        ("come_due", (at, later, later, 1_000)),
        ("lanes", ("", 101)),
        ("claim", ("node", later, "idle.example", 5, at)),
        ("claim", ("node", later, "busy.example", 1, at)),
    ]
    costs = []
    for more in (100, 10_000):
        await execute(
            env.store,
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < $2) "
            "INSERT INTO item SELECT item.id || $1 || n, message_id, marketplace_id, kind, state, recipient_id, "
            "key_holder_id, sealed_address, destination, queued_at, due_at, wake_at, attempts, delay_noticed, owner, "
            "hold, awaits_sender, after_id, 0 FROM item, n WHERE destination = 'busy.example' AND length(id) < 30",
            f"-{more}-",
            more,
        )
        for _ in range(more // 1_000 + 1):
            await env.store.queue.lanes(now, horizon_s=864_000)
        costs.append([instructions(env, name, params) for name, params in statements])
    assert max(costs[0]) < 2_000
    assert costs[1] == costs[0], "the number of due items makes no difference"


def instructions(env: StoreEnv, name: str, params: Sequence[object]) -> int:
    """Returns how many instructions of its machine SQLite runs for a query, which changes nothing."""
    with closing(sqlite3.connect(env.database.file, isolation_level=None)) as connection:
        count = 0

        def step() -> int:
            nonlocal count
            count += 1
            return 0

        connection.execute("BEGIN")
        connection.set_progress_handler(step, 1)
        connection.execute(queries("sqlite")[name].replace("$", "?"), params).fetchall()
        connection.set_progress_handler(None, 1)
        connection.execute("ROLLBACK")
        return count


async def test_a_scan_would_be_seen(env: StoreEnv) -> None:
    assert scans(env, "SELECT * FROM event WHERE type = $1") == ["SCAN event"]


def test_every_named_query_is_used_and_every_used_one_is_named() -> None:
    source = "".join(path.read_text() for path in Path(queries.__wrapped__.__code__.co_filename).parent.glob("*.py"))
    names = set(queries("sqlite"))
    assert names == set(queries("postgres"))
    assert {name for name in names if f'"{name}"' not in source} == set()
