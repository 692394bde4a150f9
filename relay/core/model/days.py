"""Computes the days and hours for which the quotas count (R-POL-11).

The days begin at midnight in the policy's time zone. The hours are those of UTC.
"""

from datetime import UTC, date, datetime, time, timedelta

from relay.core.model.policy import Policy
from relay.core.wall_clock import zone


def day_of(now: datetime, policy: Policy) -> date:
    """Returns the date, in the policy's time zone, of the day for which a message at the time `now` is counted."""
    return now.astimezone(zone(policy.hours.time_zone)).date()


def hour_of(now: datetime) -> str:
    """Returns the hour for which a message at the time `now` is counted, such as "2026-11-30T09"."""
    return now.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="hours")


def reset_at(now: datetime, policy: Policy) -> datetime:
    """Returns the first midnight after `now` in the policy's time zone, when the counts of a day begin at 0 again."""
    return datetime.combine(day_of(now, policy) + timedelta(days=1), time(), zone(policy.hours.time_zone))
