"""Quota use, and the points that misuse of importance marks costs a seller (R-POL-06, R-POL-11)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from relay.ports import Misuse, Use
from relay.store.base import Part, from_us, to_us
from relay.store.engine import Work
from relay.store.statements import Table, values

QUOTA_USE: Final = Table(
    "quota_use",
    ("scope", "subject_id", "day", "used"),
    "(scope, subject_id, day) DO UPDATE SET used = quota_use.used + excluded.used"
    " RETURNING scope, subject_id, day, used",
)
MISUSE: Final = Table("misuse", ("id", "message_id", "seller_id", "cause", "points", "at"), "DO NOTHING")


def misuse_row(line_id: str, misuse: Misuse) -> tuple[object, ...]:
    """Returns the row of a line; a line without a message is a restoration."""
    message_id = misuse.message_id or None
    return line_id, message_id, misuse.seller_id, misuse.cause, misuse.points, to_us(misuse.at)


class Limits(Part):
    async def used(self, uses: Sequence[Use]) -> Sequence[int]:
        keys = [(use.scope, use.subject_id, use.day) for use in uses]
        if not keys:
            return []
        sql, params = values(self._sql["used"], ("TEXT", "TEXT", "TEXT"), keys)
        rows = await self._engine.read(sql, *params)
        counted: dict[tuple[str, str, str], int] = {(r["scope"], r["subject_id"], r["day"]): r["used"] for r in rows}
        return [counted.get(key, 0) for key in keys]

    async def add_misuse(self, misuse: Misuse) -> bool:
        row = misuse_row(self._ids.new(), misuse)

        def write() -> Work[bool]:
            return bool((yield self._sql["add_misuse"], row))

        return await self._engine.write(write)

    async def restore_bypass(self, seller_id: str, by: str) -> None:
        at = self._clock.now()
        await self.add_misuse(Misuse(message_id="", seller_id=seller_id, cause=f"restored by {by}", points=0, at=at))

    async def misuse_history(self, seller_id: str) -> Sequence[Misuse]:
        return [
            Misuse(
                message_id=row["message_id"] or "",
                seller_id=row["seller_id"],
                cause=row["cause"],
                points=row["points"],
                at=from_us(row["at"]),
            )
            for row in await self._read("misuse_history", seller_id)
        ]

    async def misuse_score(self, seller_id: str, since: datetime) -> int:
        return int((await self._read("misuse_score", seller_id, to_us(since)))[0]["score"])
