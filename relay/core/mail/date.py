"""Reads the Date field (RFC 5322 §3.3, §4.3) and writes it in UTC.

The instant stays the same. The offset, and the time zone's name in the comment after it, are removed, because they show
where the writer lives. Mail programs show the time in the reader's own time zone in any case.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from functools import lru_cache
from typing import Final

_MONTHS: Final = (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec")
_USUAL: Final = re.compile(
    rb"(?:[A-Za-z]{3}, )?(\d{1,2}) ([A-Za-z]{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})(?: |\Z)"
)
"""The form in which nearly all programs write it; it is read in less time than the other ones."""
_DATE: Final = re.compile(
    rb"""
    (?: [A-Za-z]{2,9} (?: [,.] [ ]* | [ ]+ ) )?  # the day of the week
    (?: (?P<day>\d{1,2}) [ ,/.-]+ (?P<month>[A-Za-z]{3}) [a-z]{0,6} [ ,/.-]+ (?P<year>\d{4}|\d{2,3}(?![\d:]))
        | (?P<month_first>[A-Za-z]{3}) [a-z]{0,6} [ .]+ (?P<day_second>\d{1,2}) (?: [ ,]+ (?P<year_third>\d{4}) )?
        | (?P<iso_year>\d{4}) [-/] (?P<iso_month>\d{1,2}) [-/] (?P<iso_day>\d{1,2})
    )
    (?: [ ,]+ | T )
    (?P<hour>\d{1,2}) [:.] (?P<minute>\d{2}) (?: [:.] (?P<second>\d{2}) )? (?: [.,] \d{1,9} )?
    (?: [ ]* (?P<half>[AaPp][Mm](?![A-Za-z])) )?
    (?: [ ]* (?:GMT|UTC|Z)? [ ]? (?P<sign>[+-]) (?P<hours>\d{1,2}) (?: :? (?P<minutes>\d{2}) )?
        | [ ]* (?P<zone>[A-Za-z]{1,4})
    )?
    (?: [ ]+ (?P<year_last>\d{4}) )?
    """,
    re.VERBOSE,
)
_ZONES: Final = {"est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7, "jst": 9}


def read(raw: bytes) -> datetime | None:
    """Returns the instant, in UTC, of an unfolded Date value; None if the value is not a valid date and time.

    A missing or unknown time zone counts as UTC (§4.3).
    """
    if usual := _USUAL.match(raw):
        day, year, hour, minute, second, hours, minutes = map(int, usual.group(1, 3, 4, 5, 6, 8, 9))
        offset = timedelta(hours=hours, minutes=minutes)
        name = usual[2].lower()
        month = _MONTHS.index(name) + 1 if name in _MONTHS else 0
        return _instant(year, month, day, hour, minute, second, -offset if usual[7] == b"-" else offset)
    found = _DATE.match(b" ".join(raw.split()))
    if found is None:
        return None
    part = {name: value.decode("ascii") for name, value in found.groupdict(b"").items()}
    written = part["year"] or part["year_third"] or part["iso_year"] or part["year_last"]
    name = (part["month"] or part["month_first"]).lower().encode("ascii")
    if not written or (name not in _MONTHS and not part["iso_month"]):
        return None
    year = int(written)
    if len(written) < 4:
        year += 1900 if year >= 50 else 2000
    month = int(part["iso_month"] or 0) or _MONTHS.index(name) + 1
    day = int(part["day"] or part["day_second"] or part["iso_day"])
    hour = int(part["hour"])
    if part["half"] and 1 <= hour <= 12:
        hour = hour % 12 + (12 if part["half"].lower() == "pm" else 0)
    if part["sign"]:
        minutes = int(part["hours"]) * 60 + int(part["minutes"] or 0)
        offset = timedelta(minutes=-minutes if part["sign"] == "-" else minutes)
    else:
        offset = timedelta(hours=_ZONES.get(part["zone"].lower(), 0))
    minute, second = int(part["minute"]), int(part["second"] or 0)
    return _instant(year, month, day, hour, minute, second, offset)


def _instant(
    year: int, month: int, day: int, hour: int, minute: int, second: int, offset: timedelta
) -> datetime | None:
    try:
        # A leap second (60) is read as second 59, because datetime has no leap seconds.
        return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=timezone(offset)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def write(instant: datetime) -> str:
    """Returns an instant as the value of a Date field, such as `Mon, 23 Nov 2026 01:00:00 +0000`."""
    return _written(int(instant.timestamp()))


@lru_cache(256)
def _written(second: int) -> str:
    """Returns a time (seconds since 1970) as a Date value; it is cached, because many mails are sent in each second."""
    return format_datetime(datetime.fromtimestamp(second, UTC))
