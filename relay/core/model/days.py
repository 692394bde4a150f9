"""Days and hours on the wall clock of a time zone: when a day's quota begins anew (R-POL-11), when quiet hours end
(R-POL-12).

A wall time that the clock shows twice (the end of summer time) is, for the end of a stretch, the first of the two that
is still to come; one that it skips is the time that it shows instead.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from relay.core.model.policy import Policy


@lru_cache(maxsize=256)
def zone(name: str) -> tzinfo:
    """An IANA time zone. Raises ValueError for a name that is none."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # a key that is no relative path, a directory, or unknown
        raise ValueError(f"no time zone {name!r}") from None


@lru_cache(maxsize=256)
def stretch(text: str) -> tuple[time, time]:
    """`22:00-07:00` as its two times. Raises ValueError."""
    start, _, end = text.partition("-")
    if len(start) != 5 or len(end) != 5 or start == end:
        raise ValueError(f"not like 22:00-07:00: {text!r}")
    return time.fromisoformat(start), time.fromisoformat(end)


def day_of(now: datetime, policy: Policy) -> date:
    """The day whose quota a message at that time uses up, in the policy's time zone."""
    return now.astimezone(zone(policy.hours.time_zone)).date()


def reset_at(now: datetime, policy: Policy) -> datetime:
    """The next midnight there."""
    return datetime.combine(day_of(now, policy) + timedelta(days=1), time(), zone(policy.hours.time_zone))


def after_stretch(at: datetime, where: tzinfo, start: time, end: time) -> datetime:
    """When the daily stretch that `at` falls into is over; `at` itself when it falls into none."""
    local = at.astimezone(where)
    clock = local.time()
    if not (start <= clock < end if start < end else clock >= start or clock < end):
        return at
    over = datetime.combine(local.date() + timedelta(days=clock >= end), end, where)
    return next((late for late in (over.astimezone(UTC), over.replace(fold=1).astimezone(UTC)) if late > at), at)
