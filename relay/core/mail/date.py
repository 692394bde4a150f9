"""Reads the Date field (RFC 5322 §3.3, §4.3) and writes it in UTC.

The instant stays the same. The offset, and the time zone's name in the comment after it, are removed, because they show
where the writer lives. Mail programs show the time in the reader's own time zone in any case.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from functools import lru_cache
from typing import Final

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE: Final = re.compile(
    rb"(?:[A-Za-z]{2,9}[,.]?[ \t]+)?(\d{1,2})[ \t-]+([A-Za-z]{3})[a-z]{0,6}[ \t-]+(\d{2,4})[ \t]+"
    rb"(\d{1,2}):(\d{2})(?::(\d{2}))?(?:[.]\d{1,6})?[ \t]*(?:([+-])(\d{2}):?(\d{2})|([A-Za-z]{1,4}))?"
)
_ZONES: Final = {"est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7, "jst": 9}


def read(raw: bytes) -> datetime | None:
    """Returns the instant, in UTC, of an unfolded Date value; None if the value is not a valid date and time.

    A missing or unknown time zone counts as UTC (§4.3).
    """
    match = _DATE.match(raw)
    if match is None or match[2].decode().lower() not in _MONTHS:
        return None
    year = int(match[3])
    if len(match[3]) < 4:
        year += 1900 if year >= 50 else 2000
    if match[7]:
        minutes = int(match[8]) * 60 + int(match[9])
        offset = timedelta(minutes=-minutes if match[7] == b"-" else minutes)
    else:
        offset = timedelta(hours=_ZONES.get((match[10] or b"").decode().lower(), 0))
    month = _MONTHS.index(match[2].decode().lower()) + 1
    # A leap second (60) is read as second 59, because datetime has no leap seconds.
    second = min(int(match[6] or 0), 59)
    try:
        local = datetime(year, month, int(match[1]), int(match[4]), int(match[5]), second, tzinfo=timezone(offset))
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def write(instant: datetime) -> str:
    """Returns an instant as the value of a Date field, such as `Mon, 23 Nov 2026 01:00:00 +0000`."""
    return _written(int(instant.timestamp()))


@lru_cache(256)
def _written(second: int) -> str:
    """Returns a time (seconds since 1970) as a Date value; it is cached, because many mails are sent in each second."""
    return format_datetime(datetime.fromtimestamp(second, UTC))
