"""What is PostgreSQL's own: a server that goes away, and one that was never there."""

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from relay.ports import StoreError, UnavailableError
from relay.store import connect
from relay.store.base import to_us
from relay.store.statements import queries
from tests.store import cluster as servers
from tests.store.cluster import Cluster
from tests.store.store_env import Database, RisingIds, StoreEnv, execute, select

pytestmark = pytest.mark.peer("postgresql")


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    """One that may be stopped without harm to other tests."""
    with servers.running() as cluster:
        yield cluster


async def test_a_server_that_restarts_is_away_and_then_back_by_itself(
    own_cluster: Cluster, tmp_path: Path
) -> None:  # R-IN-07
    database = Database(own_cluster.database(), tmp_path)
    async with database.node() as node:
        env = await StoreEnv.of(database, node)
        await asyncio.to_thread(own_cluster.stop)
        with pytest.raises(UnavailableError):
            await node.ping()
        with pytest.raises(UnavailableError):
            await node.pairs.get(env.pair.id)
        with pytest.raises(UnavailableError):
            await env.accepted(env.record())
        await asyncio.to_thread(own_cluster.start)
        assert await node.pairs.get(env.pair.id) == env.pair
        record = env.record()
        await env.accepted(record)
        assert [summary.id for summary in await node.records.messages()] == [record.id]


async def test_a_lost_connection_is_made_anew(cluster: Cluster, tmp_path: Path) -> None:
    database = Database(cluster.database(), tmp_path)
    async with database.node() as node:
        env = await StoreEnv.of(database, node)
        async with database.node() as other:
            kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
            await select(other, kill)
        assert await node.pairs.get(env.pair.id) == env.pair
        await node.ping()


async def test_a_busy_backlog_costs_a_claim_nothing(cluster: Cluster, tmp_path: Path) -> None:  # R-OUT-01, R-SCL-02
    database = Database(cluster.database(), tmp_path)
    async with database.node() as node:
        env = await StoreEnv.of(database, node)
        for destination in ("busy.example", "idle.example"):
            record = env.record()
            await node.acceptances.add(env.acceptance(record, env.item(record, destination=destination)))
        await execute(
            node,
            "INSERT INTO item SELECT id || '-' || n, message_id, marketplace_id, kind, state, recipient_id, key_holder_id, "
            "sealed_address, destination, queued_at, due_at + n, wake_at, attempts, delay_noticed, owner, hold, "
            "awaits_sender, after_id, 1 FROM item, generate_series(1, 30000) n WHERE destination = 'busy.example'",
        )
        await execute(node, "UPDATE item SET is_due = 1")
        await execute(node, "ANALYZE item")
        later = to_us(database.clock.now() + timedelta(days=30))
        for mode in ("force_custom_plan", "force_generic_plan", "auto"):
            for destination, room in (("busy.example", 5), ("idle.example", 20)):
                claim: list[object] = ["node", later, destination, room, later]
                assert await _rows_read(database, mode, "claim", claim) <= 100
            assert await _rows_read(database, mode, "lanes", ["", 101]) <= 100
            assert await _rows_read(database, mode, "come_due", [later, later, later, 1_000]) <= 100


async def _rows_read(database: Database, mode: str, name: str, params: Sequence[object]) -> int:
    """Returns how many rows of `item` PostgreSQL reads for a query with a plan of this kind. It changes nothing."""
    connection = await asyncpg.connect(database.url)
    try:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(f"SET LOCAL plan_cache_mode = {mode}")
        values = ", ".join(f"'{value}'" if isinstance(value, str) else str(value) for value in params)
        await connection.execute(f"PREPARE asked AS {queries('postgres')[name]}")
        found = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE asked ({values})")
        await transaction.rollback()
    finally:
        await connection.close()
    return sum(map(_read_by, json.loads(found)))


def _read_by(step: Any) -> int:
    """Returns how many rows of `item` this step of a plan and the steps below it read."""
    plan = step.get("Plan", step)
    below = sum(map(_read_by, plan.get("Plans", ())))
    if plan.get("Relation Name") != "item" or "Scan" not in plan["Node Type"]:
        return below
    dropped = plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
    return below + int((plan["Actual Rows"] + dropped) * plan["Actual Loops"])


async def test_an_absent_server_is_named_with_the_fix(tmp_path: Path) -> None:
    node = Database(f"postgresql://relay@127.0.0.1:{servers.free_port()}/relay", tmp_path).unopened()
    with pytest.raises(StoreError, match=r"PostgreSQL: .*check `store`"):
        await node.open()


async def test_a_missing_database_is_named_with_the_fix(cluster: Cluster, tmp_path: Path) -> None:
    node = Database(f"postgresql://postgres@127.0.0.1:{cluster.port}/nothing", tmp_path).unopened()
    with pytest.raises(StoreError, match='database "nothing" does not exist; check `store`'):
        await node.open()


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch, sqlite_database: Database) -> None:
    monkeypatch.delitem(sys.modules, "relay.store.postgres", raising=False)
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(StoreError, match=r"install `relay\[postgres\]`"):
        connect(
            "postgresql://x/y", sqlite_database.directory, sqlite_database.master, sqlite_database.clock, RisingIds()
        )
