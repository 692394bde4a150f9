"""A budget of bytes for each day in UTC, counted in the memory of this process."""

from datetime import UTC, date, datetime


class CountedDailyBudget:
    """Implements `DailyBudget`. A restart of the process restores the whole budget of the day."""

    def __init__(self, bytes_per_day: int) -> None:
        self._bytes_per_day = bytes_per_day
        self._day = date.min
        self._left_bytes = 0

    def take(self, size_bytes: int, now: datetime) -> bool:
        if (day := _day_of(now)) != self._day:
            self._day, self._left_bytes = day, self._bytes_per_day
        if size_bytes > self._left_bytes:
            return False
        self._left_bytes -= size_bytes
        return True

    def release(self, size_bytes: int, taken_at: datetime) -> None:
        if _day_of(taken_at) == self._day:
            self._left_bytes += size_bytes


def _day_of(at: datetime) -> date:
    return at.astimezone(UTC).date()
