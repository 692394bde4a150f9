"""Computes the retry times of deferred items. The caller gives the current time and the random number for the jitter.

The delay before the next attempt grows by `factor` from `first_s` to `longest_s`. The item fails `expire_s` after it
was queued. But if the wall clock jumps by days, an item must not fail after few attempts, and its writer must not get a
delay notice. So an item also needs a minimum number of attempts before it fails or is reported as late (R-OUT-02).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Annotated, Final

from relay.core.setting import Bounds, Duration, Wait

_MOST_LEAST_ATTEMPTS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The settings of `delivery.retry` in the configuration; durations are in seconds.

    `jitter` is the fraction by which a delay may be longer or shorter. `delayed_notice_s` is the time after which the
    writer gets a notice that the message is late. `domain_back_off_s` is the pause before the next attempt to a domain
    that has deferred all mail.
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
    """Returns the time of the next attempt after `attempts` failed attempts; None if the item has expired.

    `jitter` is a random number in [0, 1). The last attempt is made exactly at the expiry, so that no part of
    `expire_s` is lost.
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
    """Returns whether the writer should get the notice that the message is late.

    The caller stores in `item.delay_noticed` that the notice was sent, so that it is sent only once.
    """
    late = now - queued_at >= timedelta(seconds=schedule.delayed_notice_s)
    return late and attempts >= _least_attempts(schedule, schedule.delayed_notice_s)


def horizon_s(schedule: Schedule) -> float:
    """Returns the longest time, in seconds from now, after which a deferred item can be due.

    If an item is due later than that, the clock has jumped back.
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
    """Returns the minimum number of attempts for `within_s` seconds: half of those that the schedule plans.

    It is only half, because slow hosts and jitter reduce the number of attempts. It is at least 1, at most
    _MOST_LEAST_ATTEMPTS.
    """
    attempts, elapsed_s = 1, _delay_s(schedule, 1)
    while elapsed_s < within_s and attempts < _MOST_LEAST_ATTEMPTS * 2:
        attempts += 1
        elapsed_s += _delay_s(schedule, attempts)
    return max(1, attempts // 2)
