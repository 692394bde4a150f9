"""Claims of due items past the worker, for tests that settle them themselves."""

from datetime import datetime

from relay.core.model.item import Item
from relay.ports import QueueStore


async def claimed(
    queue: QueueStore, owner: str, now: datetime, *, limit: int = 50, lease_s: float = 60, horizon_s: float = 10_000_000
) -> list[Item]:
    """Leases at most `limit` due items of any destination, and returns them, the first due first."""
    items: list[Item] = []
    after = ""
    while True:
        destinations, after = await queue.lanes(now, horizon_s=horizon_s, after=after)
        for destination in destinations:
            if room := limit - len(items):
                items += await queue.claim(owner, now, {destination: room}, lease_s=lease_s)
        if not after:
            return sorted(items, key=lambda item: (item.due_at, item.id))
