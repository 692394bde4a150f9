"""When a deferred item is tried again, as a value: from arguments only, no clock and no randomness.

Delays grow by `factor` from `first_s` to `longest_s`; after `expire_s` the item has failed. A wall clock that jumps by
days must not fail an item that was hardly tried, nor tell its sender that it is late: both also ask for a share of
the attempts that the schedule would have made by then (R-OUT-02).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Annotated, Final

from relay.core.setting import Bounds, Duration, Wait

_MOST_LEAST_ATTEMPTS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The settings of `delivery.retry` in the configuration. `jitter` is the share by which a delay may be longer or
    shorter."""

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
    """When to try again after `attempts` failed ones, or None: expired. `jitter` is in [0, 1).

    The last attempt falls on the expiry itself, so that the whole time is used.
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
    """Whether the sender is to be told that the message is late, which is done once (`item.delay_noticed`)."""
    late = now - queued_at >= timedelta(seconds=schedule.delayed_notice_s)
    return late and attempts >= _least_attempts(schedule, schedule.delayed_notice_s)


def horizon_s(schedule: Schedule) -> float:
    """The furthest ahead that a deferred item can be due; one beyond it saw the clock jump back."""
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
    """Half of the attempts that an undisturbed schedule makes in that time: slow hosts and jitter make fewer."""
    attempts, elapsed_s = 1, _delay_s(schedule, 1)
    while elapsed_s < within_s and attempts < _MOST_LEAST_ATTEMPTS * 2:
        attempts += 1
        elapsed_s += _delay_s(schedule, attempts)
    return max(1, attempts // 2)
