"""How many notices one person gets (R-OUT-07)."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Final

from relay.ports import Store

_PARTIES: Final = 10_000


class StoredNoticeQuota:
    """At most so many notices an hour per person (R-OUT-07): more are not lost but wait for the next hour. Counted by
    the store, so that it holds over restarts and for all nodes; what is not committed yet is remembered here."""

    def __init__(self, store: Store, per_hour: int) -> None:
        self._store = store
        self._gap = timedelta(hours=1)
        self._per_hour = per_hour
        self._promised: dict[str, list[datetime]] = {}

    async def next_free(self, party_id: str, now: datetime) -> datetime:
        since = now - self._gap
        stored = await self._store.notices_since(party_id, since)
        promised = [at for at in self._promised.get(party_id, ()) if at > since]
        due = sorted((Counter(stored) | Counter(promised)).elements())
        at = now if len(due) < self._per_hour else max(now, due[-self._per_hour] + self._gap)
        if len(self._promised) >= _PARTIES:
            self._promised.clear()
        self._promised[party_id] = [*promised, at]
        return at
