"""What is PostgreSQL's own: a server that goes away, and one that was never there."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.ports import StoreError, UnavailableError
from relay.store import connect
from tests.store import cluster as servers
from tests.store.cluster import Cluster
from tests.store.store_env import Database, RisingIds, StoreEnv, select

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
