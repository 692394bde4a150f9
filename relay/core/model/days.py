"""The days of a policy's quotas (R-POL-11): they begin at midnight in the time zone of the policy."""

from datetime import date, datetime, time, timedelta

from relay.core.model.policy import Policy
from relay.core.wall_clock import zone


def day_of(now: datetime, policy: Policy) -> date:
    """The day to which a message at that time counts."""
    return now.astimezone(zone(policy.hours.time_zone)).date()


def reset_at(now: datetime, policy: Policy) -> datetime:
    """The next midnight in the policy's time zone."""
    return datetime.combine(day_of(now, policy) + timedelta(days=1), time(), zone(policy.hours.time_zone))
