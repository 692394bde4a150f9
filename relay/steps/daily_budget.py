"""A budget of bytes for each day in UTC, counted in the memory of this process."""

from collections import Counter
from datetime import UTC, date, datetime
from typing import Final

_SHARE: Final = 4
_SLOTS: Final = 1_024
"""The number of counts of clients. Clients whose names have the same hash share one; nobody outside can aim at that."""


class CountedDailyBudget:
    """Implements `DailyBudget`. A restart of the process restores the whole budget of the day.

    No client gets more than a quarter of the bytes that the others have left.
    """

    def __init__(self, bytes_per_day: int) -> None:
        self._bytes_per_day = bytes_per_day
        self._day = date.min
        self._left_bytes = 0
        self._taken_bytes: Counter[int] = Counter()

    def take(self, client: str, size_bytes: int, now: datetime) -> bool:
        if (day := _day_of(now)) != self._day:
            self._day, self._left_bytes, self._taken_bytes = day, self._bytes_per_day, Counter()
        taken_bytes = self._taken_bytes[_slot_of(client)]
        if taken_bytes + size_bytes > (self._left_bytes + taken_bytes) // _SHARE:
            return False
        self._add(client, size_bytes)
        return True

    def release(self, client: str, size_bytes: int, taken_at: datetime) -> None:
        if _day_of(taken_at) == self._day:
            self._add(client, -size_bytes)

    def _add(self, client: str, size_bytes: int) -> None:
        self._left_bytes -= size_bytes
        self._taken_bytes[_slot_of(client)] += size_bytes


def _slot_of(client: str) -> int:
    return hash(client) % _SLOTS


def _day_of(at: datetime) -> date:
    return at.astimezone(UTC).date()
