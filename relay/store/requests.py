"""The store's part for questions to the owners of accounts, about pending senders and unproven mail (R-SND-02)."""

from collections.abc import Iterator, Sequence
from typing import Final

from relay.core.signed_link import Purpose
from relay.ports import OpenRequest, OwnerRequest
from relay.store.base import StorePart, from_us, to_us
from relay.store.crypto import UnreadableError
from relay.store.engine import Row, Work
from relay.store.senders import sender_of
from relay.store.statements import Table, spread

REQUEST: Final = Table(
    "owner_request",
    ("subject_id", "party_id", "pair_id", "purpose", "since"),
    "(subject_id) DO UPDATE SET since = excluded.since, pair_id = excluded.pair_id, asked_at = NULL"
    " WHERE owner_request.asked_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM message"
    " WHERE message.sender_id = excluded.subject_id AND message.state = 'held'"
    " AND message.received_at < excluded.since)",
)
_LEFT_OUT: Final = 0


def request_row(request: OwnerRequest) -> tuple[object, ...]:
    return request.subject_id, request.party_id, request.pair_id, request.purpose.value, to_us(request.since)


class SqlRequests(StorePart):
    async def parties(self) -> Sequence[str]:
        return [row["party_id"] for row in await self._engine.read_bulk(self._sql["request_parties"])]

    async def waiting(self, party_id: str) -> Sequence[OpenRequest]:
        return list(self._opened(await self._read("requests", party_id)))

    def _opened(self, rows: Sequence[Row]) -> Iterator[OpenRequest]:
        for row in rows:
            try:
                sender = sender_of(row, self._vault.holder(row["party_id"], row["wrapped"]))
            except UnreadableError:
                continue
            request = OwnerRequest(
                subject_id=row["subject_id"],
                party_id=row["party_id"],
                pair_id=row["pair_id"],
                purpose=Purpose(row["purpose"]),
                since=from_us(row["since"]),
            )
            yield OpenRequest(request=request, sender=sender, held=row["held"])

    async def leave_out(self, subject_ids: Sequence[str]) -> None:
        def write() -> Work[None]:
            yield spread(self._sql["asked"], (_LEFT_OUT,), subject_ids)

        if subject_ids:
            await self._engine.write(write)

    async def was_asked(self, message_id: str) -> bool:
        return bool(await self._read("was_asked", message_id))
