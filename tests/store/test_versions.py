"""The schema's version on both engines."""

import pytest

from relay.ports import StoreError
from tests.store.world import Place, execute


async def test_a_newer_database_is_refused_with_both_versions_and_the_fix(place: Place) -> None:
    async with place.node() as node:
        await execute(node, "INSERT INTO schema_version VALUES ($1, $2)", 7, 0)
    node = place.unopened()
    with pytest.raises(StoreError, match=r"version 7 is from a newer relay, this one knows up to 6; install the newer"):
        await node.open()
    await node.close()


async def test_opening_again_migrates_nothing(place: Place) -> None:
    async with place.node() as node:
        before = [tuple(row) for row in await node._engine.read("SELECT * FROM schema_version")]
    async with place.node() as node:
        assert [tuple(row) for row in await node._engine.read("SELECT * FROM schema_version")] == before
