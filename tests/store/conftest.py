"""Every test of the contract runs on both engines."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from relay.store import SqlStore
from tests.store import cluster as servers
from tests.store.cluster import Cluster
from tests.store.world import Place, World


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with servers.running() as cluster:
        yield cluster


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer("postgresql"))])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return Place("sqlite:relay.db", tmp_path)
    return Place(request.getfixturevalue("cluster").database(), tmp_path)


@pytest.fixture
def sqlite_place(tmp_path: Path) -> Place:
    return Place("sqlite:relay.db", tmp_path)


@pytest.fixture
async def node(place: Place) -> AsyncIterator[SqlStore]:
    async with place.node() as node:
        yield node


@pytest.fixture
async def world(place: Place, node: SqlStore) -> World:
    return await World.of(place, node)
