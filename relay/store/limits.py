"""What a seller may send: the buyers' opt-outs, quotas, the price of marks of importance (R-POL-02, -06, -11)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from relay.core.model.kind import Kind
from relay.core.model.optout import OptOut
from relay.ports import Misuse, OptOutChange, Use
from relay.store.base import Base, from_us, to_us
from relay.store.engine import Row, Work
from relay.store.statements import Table, values

QUOTA_USE: Final = Table(
    "quota_use",
    ("scope", "subject_id", "day", "used"),
    "(scope, subject_id, day) DO UPDATE SET used = quota_use.used + excluded.used"
    " RETURNING scope, subject_id, day, used",
)
MISUSE: Final = Table("misuse", ("id", "message_id", "seller_id", "cause", "points", "at"), "DO NOTHING")


def misuse_row(line_id: str, misuse: Misuse) -> tuple[object, ...]:
    """A line without a message is a restoration."""
    message_id = misuse.message_id or None
    return line_id, message_id, misuse.seller_id, misuse.cause, misuse.points, to_us(misuse.at)


class LimitVerbs(Base):
    async def put_opt_out(self, opt_out: OptOut, *, out: bool) -> None:
        row = (
            opt_out.buyer_id,
            opt_out.seller_id or "",
            opt_out.kind.value if opt_out.kind else "",
            int(out),
            opt_out.source,
            to_us(opt_out.changed_at),
        )

        def put() -> Work[None]:
            yield self._sql["put_opt_out"], row
            yield self._sql["log_opt_out"], (self._ids.new(), *row)

        await self._engine.write(put)

    async def opt_outs(self, buyer_id: str, seller_id: str) -> Sequence[OptOut]:
        return [_opt_out_of(row) for row in await self._read("opt_outs", buyer_id, seller_id)]

    async def opt_out_history(self, buyer_id: str) -> Sequence[OptOutChange]:
        return [
            OptOutChange(opt_out=_opt_out_of(row), out=bool(row["in_force"]))
            for row in await self._read("opt_out_history", buyer_id)
        ]

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

        def add() -> Work[bool]:
            return bool((yield self._sql["add_misuse"], row))

        return await self._engine.write(add)

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


def _opt_out_of(row: Row) -> OptOut:
    """From an `opt_out` or `opt_out_change` row."""
    return OptOut(
        buyer_id=row["buyer_id"],
        seller_id=row["seller_id"] or None,
        kind=Kind(row["kind"]) if row["kind"] else None,
        source=row["source"],
        changed_at=from_us(row["changed_at"]),
    )
