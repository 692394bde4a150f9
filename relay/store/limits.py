"""The store's part for quota use, and for the points that misused marks of importance cost (R-POL-06, R-POL-11)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from relay.core.model.facts import QuotaScope
from relay.ports import Misuse, MisuseCause, Restoration, Use
from relay.store.base import StorePart, from_us, to_us
from relay.store.engine import Row, Work
from relay.store.statements import Table, values

QUOTA_USE: Final = Table(
    "quota_use",
    ("scope", "subject_id", "day", "used"),
    "(scope, subject_id, day) DO UPDATE SET used = quota_use.used + excluded.used"
    " RETURNING scope, subject_id, day, used",
)
QUOTA_MARK: Final = Table(
    "quota_mark", ("scope", "subject_id", "day", "mark"), "DO NOTHING RETURNING scope, subject_id, day"
)
MISUSE: Final = Table("misuse", ("id", "message_id", "seller_id", "cause", "points", "at"), "DO NOTHING")


_RESTORED_BY: Final = "restored by "
"""The prefix of the cause in the row of a restoration; the name of the actor follows.

Such a row has no message and no points.
"""


def misuse_row(line_id: str, line: Misuse | Restoration) -> tuple[object, ...]:
    at = to_us(line.at)
    match line:
        case Misuse():
            return line_id, line.message_id, line.seller_id, line.cause.value, line.points, at
        case Restoration():
            return line_id, None, line.seller_id, f"{_RESTORED_BY}{line.by}", 0, at


def _of_row(row: Row) -> Misuse | Restoration:
    message_id, seller_id, cause, at = row["message_id"], row["seller_id"], row["cause"], from_us(row["at"])
    if message_id is None:
        return Restoration(seller_id=seller_id, by=cause.removeprefix(_RESTORED_BY), at=at)
    return Misuse(message_id=message_id, seller_id=seller_id, cause=MisuseCause(cause), points=row["points"], at=at)


class SqlLimits(StorePart):
    async def used(self, uses: Sequence[Use]) -> Sequence[int]:
        keys = [(use.scope.value, use.subject_id, use.day) for use in uses]
        if not keys:
            return []
        sql, params = values(self._sql["used"], ("TEXT", "TEXT", "TEXT"), keys)
        rows = await self._engine.read(sql, *params)
        counted: dict[tuple[str, str, str], int] = {(r["scope"], r["subject_id"], r["day"]): r["used"] for r in rows}
        return [counted.get(key, 0) for key in keys]

    async def drop_counts(self, scopes: Sequence[QuotaScope], before: str) -> None:
        def write() -> Work[None]:
            for scope in scopes:
                yield self._sql["drop_counts"], (scope.value, before)

        await self._engine.write(write)

    async def add_misuse(self, misuse: Misuse) -> bool:
        return await self._add(misuse)

    async def restore_bypass(self, seller_id: str, by: str) -> None:
        await self._add(Restoration(seller_id=seller_id, by=by, at=self._clock.now()))

    async def _add(self, line: Misuse | Restoration) -> bool:
        row = misuse_row(self._ids.new(), line)

        def write() -> Work[bool]:
            return bool((yield self._sql["add_misuse"], row))

        return await self._engine.write(write)

    async def misuse_history(self, seller_id: str) -> Sequence[Misuse | Restoration]:
        return [_of_row(row) for row in await self._read("misuse_history", seller_id)]

    async def misuse_score(self, seller_id: str, since: datetime) -> int:
        return int((await self._read("misuse_score", seller_id, to_us(since)))[0]["score"])
