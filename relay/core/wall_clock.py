"""Time zones, and daily stretches of hours on the wall clock of a time zone.

At an ambiguous local time (the end of summer time) a stretch ends at the first occurrence after the given time; a local
time that is skipped is shifted forward.
"""

from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo


@lru_cache(maxsize=256)
def zone(name: str) -> tzinfo:
    """The IANA time zone of that name. Raises ValueError if there is none."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # a key that is no relative path, a directory, or unknown
        raise ValueError(f"no time zone {name!r}") from None


@lru_cache(maxsize=256)
def stretch(text: str) -> tuple[time, time]:
    """Returns the two times of a text such as `22:00-07:00`. Raises ValueError for other texts, or two equal times."""
    start, _, end = text.partition("-")
    if len(start) != 5 or len(end) != 5 or start == end:
        raise ValueError(f"not like 22:00-07:00: {text!r}")
    return time.fromisoformat(start), time.fromisoformat(end)


def after_stretch(at: datetime, where: tzinfo, start: time, end: time) -> datetime:
    """The end of the daily stretch that contains `at`; `at` itself if none does."""
    local = at.astimezone(where)
    clock = local.time()
    if not (start <= clock < end if start < end else clock >= start or clock < end):
        return at
    over = datetime.combine(local.date() + timedelta(days=clock >= end), end, where)
    return next((late for late in (over.astimezone(UTC), over.replace(fold=1).astimezone(UTC)) if late > at), at)
