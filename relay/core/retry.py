"""The retry schedule of deferred items as pure functions, without clock and random numbers.

Delays grow by `factor` from `first_s` to `longest_s`; after `expire_s` the item has failed. When the wall clock jumps
by days, an item that was hardly tried must not fail, and its sender must get no delay notice. So both also need a share
of the attempts that the schedule makes in that time (R-OUT-02).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Annotated, Final

from relay.core.setting import Bounds, Duration, Wait

_MOST_LEAST_ATTEMPTS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The settings of `delivery.retry` in the configuration.

    `jitter` is the share by which a delay may be longer or shorter.
    """

    first_s: Duration = 60
    factor: Annotated[float, Bounds(ge=1)] = 2
    longest_s: Duration = 14_400
    jitter: Annotated[float, Bounds(ge=0, le=1)] = 0.2
    expire_s: Duration = 432_000
    delayed_notice_s: Duration = 14_400
    domain_back_off_s: Wait = 60


def next_attempt(
    schedule: Schedule, attempts: int, queued_at: datetime, now: datetime, jitter: float
) -> datetime | None:
    """Returns the time of the next attempt after `attempts` failed ones, None when the item has expired.

    `jitter` is in [0, 1). The last attempt is at the expiry itself, so that the whole time is used.
    """
    expires_at = queued_at + timedelta(seconds=schedule.expire_s)
    spread = 1 + schedule.jitter * (2 * jitter - 1)
    due_at = now + timedelta(seconds=_delay_s(schedule, attempts) * spread)
    if now < expires_at:
        return min(due_at, expires_at)
    if attempts >= _least_attempts(schedule, schedule.expire_s):
        return None
    return due_at


def delayed_notice_due(schedule: Schedule, attempts: int, queued_at: datetime, now: datetime) -> bool:
    """Whether the sender should now get the notice that the message is late; `item.delay_noticed` keeps it to one."""
    late = now - queued_at >= timedelta(seconds=schedule.delayed_notice_s)
    return late and attempts >= _least_attempts(schedule, schedule.delayed_notice_s)


def horizon_s(schedule: Schedule) -> float:
    """Returns the longest time ahead at which a deferred item can be due.

    A later one means that the clock jumped back.
    """
    return max(schedule.longest_s, schedule.domain_back_off_s) * (1 + schedule.jitter)


def _delay_s(schedule: Schedule, attempts: int) -> float:
    delay_s = min(schedule.first_s, schedule.longest_s)
    for _ in range(attempts - 1):
        if delay_s >= schedule.longest_s or schedule.factor <= 1:
            break
        delay_s = min(delay_s * schedule.factor, schedule.longest_s)
    return delay_s


@lru_cache(maxsize=64)
def _least_attempts(schedule: Schedule, within_s: float) -> int:
    """Returns half of the attempts that an undisturbed schedule makes in that time.

    Slow hosts and jitter reduce them.
    """
    attempts, elapsed_s = 1, _delay_s(schedule, 1)
    while elapsed_s < within_s and attempts < _MOST_LEAST_ATTEMPTS * 2:
        attempts += 1
        elapsed_s += _delay_s(schedule, attempts)
    return max(1, attempts // 2)
