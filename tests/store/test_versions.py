"""The schema's version on both engines."""

import pytest

from relay.ports import StoreError
from relay.store.statements import migrations
from tests.store.store_env import Database, execute, select


async def test_a_newer_database_is_refused_with_both_versions_and_the_fix(database: Database) -> None:
    known = len(migrations("sqlite"))
    async with database.node() as node:
        await execute(node, "INSERT INTO schema_version VALUES ($1, $2)", known + 2, 0)
    node = database.unopened()
    said = f"version {known + 2} is from a newer relay, this one knows up to {known}; install the newer"
    with pytest.raises(StoreError, match=said):
        await node.open()
    await node.close()


async def test_opening_again_migrates_nothing(database: Database) -> None:
    async with database.node() as node:
        before = [tuple(row) for row in await select(node, "SELECT * FROM schema_version")]
    async with database.node() as node:
        assert [tuple(row) for row in await select(node, "SELECT * FROM schema_version")] == before
