"""The store's part for the opt-outs of buyers and their history (R-POL-02)."""

from collections.abc import Sequence

from relay.core.model.kind import Kind
from relay.core.model.optout import OptOut
from relay.ports import OptOutChange
from relay.store.base import StorePart, from_us, to_us
from relay.store.engine import Row, Work


class SqlOptOuts(StorePart):
    async def put(self, opt_out: OptOut, *, out: bool) -> None:
        row = (
            opt_out.buyer_id,
            opt_out.seller_id or "",
            opt_out.kind.value if opt_out.kind else "",
            int(out),
            opt_out.source,
            to_us(opt_out.changed_at),
        )

        def write() -> Work[None]:
            yield self._sql["put_opt_out"], row
            yield self._sql["log_opt_out"], (self._ids.new(), *row)

        await self._engine.write(write)

    async def in_force(self, buyer_id: str, seller_id: str) -> Sequence[OptOut]:
        return [_opt_out_of(row) for row in await self._read("opt_outs", buyer_id, seller_id)]

    async def history(self, buyer_id: str) -> Sequence[OptOutChange]:
        return [
            OptOutChange(opt_out=_opt_out_of(row), out=bool(row["in_force"]))
            for row in await self._read("opt_out_history", buyer_id)
        ]


def _opt_out_of(row: Row) -> OptOut:
    """Returns the opt-out of a row of the table `opt_out` or `opt_out_change`."""
    return OptOut(
        buyer_id=row["buyer_id"],
        seller_id=row["seller_id"] or None,
        kind=Kind(row["kind"]) if row["kind"] else None,
        source=row["source"],
        changed_at=from_us(row["changed_at"]),
    )
