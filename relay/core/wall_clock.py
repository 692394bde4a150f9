"""Looks up time zones, and computes with daily periods such as 22:00-07:00 in local time.

When summer time ends, a local time occurs twice. If a period ends at such a time, it ends at the first of the two that
is later than the given time. When summer time begins, some local times are skipped. If a period ends at a skipped time,
its end moves forward by the length of the gap.
"""

from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo


@lru_cache(maxsize=256)
def zone(name: str) -> tzinfo:
    """Returns the IANA time zone called `name`. Raises ValueError if there is no such time zone."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # the name is no relative path, is a directory, or is unknown
        raise ValueError(f"no time zone {name!r}") from None


@lru_cache(maxsize=256)
def daily_period(text: str) -> tuple[time, time]:
    """Returns the start and the end of a daily period that is written like `22:00-07:00`.

    Raises ValueError for a text of another form, and if start and end are equal.
    """
    start, _, end = text.partition("-")
    if len(start) != 5 or len(end) != 5 or start == end:
        raise ValueError(f"not like 22:00-07:00: {text!r}")
    return time.fromisoformat(start), time.fromisoformat(end)


def end_of_period(at: datetime, where: tzinfo, start: time, end: time) -> datetime:
    """Returns the end of the daily period from `start` to `end` if `at` is within the period, else `at` itself.

    `start` and `end` are local times of the time zone `where`. A period whose start is later than its end goes past
    midnight.
    """
    local = at.astimezone(where)
    clock = local.time()
    if not (start <= clock < end if start < end else clock >= start or clock < end):
        return at
    over = datetime.combine(local.date() + timedelta(days=clock >= end), end, where)
    return next((late for late in (over.astimezone(UTC), over.replace(fold=1).astimezone(UTC)) if late > at), at)
