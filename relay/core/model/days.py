"""Days and hours by the wall clock of a time zone: the reset of quotas (R-POL-11), the end of quiet hours (R-POL-12).

Where summer time ends, a local time occurs twice; an interval then ends at the first of the two that is after `at`. A
local time that is skipped is shifted forward.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from relay.core.model.policy import Policy


@lru_cache(maxsize=256)
def zone(name: str) -> tzinfo:
    """Returns an IANA time zone. Raises ValueError when the name is unknown."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # the key is not a relative path, is a directory, or is unknown
        raise ValueError(f"unknown time zone {name!r}") from None


@lru_cache(maxsize=256)
def stretch(text: str) -> tuple[time, time]:
    """Reads an interval such as `22:00-07:00` as its two times. Raises ValueError."""
    start, _, end = text.partition("-")
    if len(start) != 5 or len(end) != 5 or start == end:
        raise ValueError(f"not like 22:00-07:00: {text!r}")
    return time.fromisoformat(start), time.fromisoformat(end)


def day_of(now: datetime, policy: Policy) -> date:
    """Returns the day whose quota a message at `now` uses, in the policy's time zone."""
    return now.astimezone(zone(policy.hours.time_zone)).date()


def reset_at(now: datetime, policy: Policy) -> datetime:
    """Returns the next midnight in the policy's time zone."""
    return datetime.combine(day_of(now, policy) + timedelta(days=1), time(), zone(policy.hours.time_zone))


def after_stretch(at: datetime, where: tzinfo, start: time, end: time) -> datetime:
    """Returns the end of the daily interval that contains `at`; `at` itself when it is outside.

    `start` and `end` are local times in `where`; an interval with `end` before `start` contains midnight.
    """
    local = at.astimezone(where)
    clock = local.time()
    if not (start <= clock < end if start < end else clock >= start or clock < end):
        return at
    over = datetime.combine(local.date() + timedelta(days=clock >= end), end, where)
    return next((late for late in (over.astimezone(UTC), over.replace(fold=1).astimezone(UTC)) if late > at), at)
