"""The store's part for the audit log: a row for each action, added and never changed."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from relay.ports import Ids
from relay.ports.audit import AuditAction, AuditEntry, Way
from relay.store.base import from_us, to_us
from relay.store.engine import Engine, Row, Work
from relay.store.statements import Table, insert

_AUDIT: Final = Table(
    "audit", ("id", "at", "marketplace_id", "actor", "way", "action", "party_id", "subject_id", "data")
)


class SqlAuditLog:
    """Implements `relay.ports.audit.AuditLog` for SQLite and PostgreSQL."""

    def __init__(self, engine: Engine, ids: Ids, sql: Mapping[str, str]) -> None:
        self._engine = engine
        self._ids = ids
        self._sql = sql

    async def add(self, entries: Sequence[AuditEntry]) -> None:
        rows = [(self._ids.new(), *_row(entry)) for entry in entries]

        def add() -> Work[None]:
            yield from insert(_AUDIT, rows)

        await self._engine.write(add)

    async def newest(self, marketplace_id: str | None = None, *, limit: int = 50) -> Sequence[AuditEntry]:
        if marketplace_id is None:
            rows = await self._engine.read_bulk(self._sql["audit"], limit)
        else:
            rows = await self._engine.read_bulk(self._sql["audit_of_marketplace"], limit, marketplace_id)
        return [_entry(row) for row in rows]


def _row(entry: AuditEntry) -> tuple[object, ...]:
    return (
        to_us(entry.at),
        entry.marketplace_id,
        entry.actor,
        entry.way.value,
        entry.action.value,
        entry.party_id,
        entry.subject_id,
        msgspec.json.encode(entry.data).decode(),
    )


def _entry(row: Row) -> AuditEntry:
    return AuditEntry(
        at=from_us(row["at"]),
        marketplace_id=row["marketplace_id"],
        actor=row["actor"],
        way=Way(row["way"]),
        action=AuditAction(row["action"]),
        party_id=row["party_id"],
        subject_id=row["subject_id"],
        data=msgspec.json.decode(row["data"], type=dict[str, str | int]),
    )
