"""The instant of a Date field is read in every form that programs write."""

from datetime import UTC, datetime

import pytest

from relay.core.mail import date

INSTANT = datetime(2026, 7, 6, 1, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        "Mon, 06 Jul 2026 10:00:00 +0900",
        "Mon,06 Jul 2026 10:00:00 +0900",
        "6 Jul 26 10:00 +0900",
        "Mon, 06-Jul-2026 10:00:00 JST",
        "Monday, 6 July 2026 10:00:00 GMT+0900",
        "Mon Jul  6 01:00:00 2026",
        "Mon Jul 6 10:00:00 JST 2026",
        "Jul 6, 2026 10:00 AM +09:00",
        "2026-07-06 10:00:00 +0900",
        "2026-07-06T01:00:00.000Z",
        "Mon, 06 Jul 2026 10.00.00 +0900",
        "Mon, 06 Jul 2026 10:00:00 +0900 (Japan Standard Time)",
    ],
)
def test_one_instant_in_many_forms(written: str) -> None:  # R-REW-10
    assert date.read(written.encode()) == INSTANT


@pytest.mark.parametrize(
    "written", ["", "today", "99 Jul 2026 10:00:00 +0000", "6 Foo 2026 10:00:00 +0000", "6 Jul 10:00"]
)
def test_what_names_no_instant_is_none(written: str) -> None:
    assert date.read(written.encode()) is None
