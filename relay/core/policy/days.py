"""The days that quotas count by: those of the policy's time zone (R-POL-11)."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from relay.core.policy.policy import Policy


def day_of(now: datetime, policy: Policy) -> date:
    return now.astimezone(ZoneInfo(policy.hours.time_zone)).date()


def reset_at(now: datetime, policy: Policy) -> datetime:
    """The next midnight there."""
    zone = ZoneInfo(policy.hours.time_zone)
    return datetime.combine(day_of(now, policy) + timedelta(days=1), time(), zone)
