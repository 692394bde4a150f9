"""Every test of the contract runs on both engines."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from relay.store import SqlStore
from tests.store import cluster as servers
from tests.store.cluster import Cluster
from tests.store.store_env import Database, StoreEnv


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with servers.running() as cluster:
        yield cluster


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer("postgresql"))])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    if request.param == "sqlite":
        return Database("sqlite:relay.db", tmp_path)
    return Database(request.getfixturevalue("cluster").database(), tmp_path)


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Database:
    return Database("sqlite:relay.db", tmp_path)


@pytest.fixture
async def node(database: Database) -> AsyncIterator[SqlStore]:
    async with database.node() as node:
        yield node


@pytest.fixture
async def env(database: Database, node: SqlStore) -> StoreEnv:
    return await StoreEnv.of(database, node)
