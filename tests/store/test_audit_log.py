"""The audit log: rows are added, listed and never changed, on both engines."""

from datetime import timedelta

import pytest

from relay.ports.audit import AuditAction, AuditEntry, Way
from relay.store import SqlStore
from tests.store.store_env import START, Database, execute


def entry(minutes: int, marketplace_id: str | None = "m") -> AuditEntry:
    return AuditEntry(
        at=START + timedelta(minutes=minutes),
        actor="dana",
        way=Way.COMMAND_LINE,
        action=AuditAction.QUEUE_FLUSHED,
        marketplace_id=marketplace_id,
        party_id="p",
        subject_id="s",
        data={"flushed": minutes, "destinations": "all"},
    )


async def test_entries_are_listed_newest_first_and_by_marketplace(node: SqlStore) -> None:  # R-ADR-09
    first, second, other, nobodys = entry(1), entry(2), entry(3, "other"), entry(4, None)
    await node.audit_log.add([first, second])
    await node.audit_log.add([other, nobodys])
    assert await node.audit_log.newest() == [nobodys, other, second, first]
    assert await node.audit_log.newest("m") == [second, first]
    assert await node.audit_log.newest("m", limit=1) == [second]
    assert await node.audit_log.newest("nothing") == []


async def test_an_entry_is_neither_changed_nor_removed(node: SqlStore) -> None:  # R-REC-02
    await node.audit_log.add([entry(1)])
    for sql in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit"):
        with pytest.raises(Exception, match="append-only"):
            await execute(node, sql)
    assert await node.audit_log.newest() == [entry(1)]


async def test_another_process_sees_an_entry_at_once(node: SqlStore, database: Database) -> None:
    await node.audit_log.add([entry(1)])
    async with database.node() as other:
        assert await other.audit_log.newest("m") == [entry(1)]
