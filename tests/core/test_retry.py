"""The retry schedule as a value."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.retry import Schedule, delayed_notice_due, horizon_s, next_attempt

DEFAULT = Schedule()
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def play(schedule: Schedule, *, jitter: float = 0.5, slow_s: float = 0) -> list[float]:
    """The times of all attempts of an item that never gets through, in seconds after it was queued."""
    at, times = NOW, [0.0]
    while (due_at := next_attempt(schedule, len(times), NOW, at, jitter)) is not None:
        at = due_at + timedelta(seconds=slow_s)
        times.append((at - NOW).total_seconds())
    return times


def test_delays_double_up_to_the_longest_and_end_on_the_fifth_day() -> None:
    # R-OUT-02
    times = play(DEFAULT)
    delays = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert delays[:9] == [60, 120, 240, 480, 960, 1920, 3840, 7680, 14_400]
    assert set(delays[8:-1]) == {14_400}
    assert times[-1] == 432_000


@given(st.floats(0, 1, exclude_max=True), st.floats(0, 600))
def test_every_schedule_ends_within_its_time_and_an_attempt(jitter: float, slow_s: float) -> None:
    # R-OUT-02
    times = play(DEFAULT, jitter=jitter, slow_s=slow_s)
    assert 432_000 <= times[-1] <= 432_001 + slow_s
    assert len(times) > 20


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_jitter_spreads_by_its_share_and_nothing_is_due_past_the_horizon(attempts: int, jitter: float) -> None:
    # R-OUT-02
    due_at = next_attempt(DEFAULT, attempts, NOW, NOW, jitter)
    assert due_at is not None
    base_s = min(60 * 2 ** min(attempts - 1, 20), 14_400)
    assert 0.8 * base_s - 1 <= (due_at - NOW).total_seconds() <= 1.2 * base_s + 1
    assert (due_at - NOW).total_seconds() <= horizon_s(DEFAULT)


def test_a_clock_that_jumped_days_ahead_fails_no_item_that_was_hardly_tried() -> None:
    # R-OUT-02
    later = NOW + timedelta(days=30)
    due_at = next_attempt(DEFAULT, 2, NOW, later, 0.5)
    assert due_at == later + timedelta(seconds=120)
    assert not delayed_notice_due(DEFAULT, 1, NOW, later)


def test_a_clock_that_jumped_back_fails_nothing_and_keeps_the_delay() -> None:
    # R-OUT-02
    earlier = NOW - timedelta(days=30)
    assert next_attempt(DEFAULT, 3, NOW, earlier, 0.5) == earlier + timedelta(seconds=240)
    assert not delayed_notice_due(DEFAULT, 3, NOW, earlier)


def test_an_item_tried_often_enough_expires() -> None:
    # R-OUT-02
    assert next_attempt(DEFAULT, 30, NOW, NOW + timedelta(days=5), 0.5) is None
    assert next_attempt(DEFAULT, 30, NOW, NOW + timedelta(days=5, seconds=-1), 0.5) == NOW + timedelta(days=5)


def test_the_delayed_notice_is_due_four_hours_after_the_message_was() -> None:
    # R-OUT-02
    attempts = sum(1 for time_s in play(DEFAULT) if time_s < 14_400)
    assert not delayed_notice_due(DEFAULT, attempts, NOW, NOW + timedelta(hours=4, seconds=-1))
    assert delayed_notice_due(DEFAULT, attempts, NOW, NOW + timedelta(hours=4))


@pytest.mark.parametrize(
    "values",
    [
        {"first_s": 1, "expire_s": 3, "delayed_notice_s": 1},
        {"first_s": 0.1, "expire_s": 0.5, "delayed_notice_s": 0.2},
        {"first_s": 1, "expire_s": 0},
        {"first_s": 60, "factor": 1, "expire_s": 3_600},
        {"first_s": 60, "factor": 0.5, "expire_s": 3_600},
        {"first_s": 9_999, "longest_s": 5, "expire_s": 60},
        {"first_s": 0.001, "factor": 1, "longest_s": 0.001, "expire_s": 0.1},
    ],
)
def test_any_configured_schedule_ends(values: dict[str, float]) -> None:
    # R-UI-15
    schedule = Schedule(**values)
    times = play(schedule)
    assert times[-1] >= values["expire_s"]
    assert times[-1] <= values["expire_s"] + schedule.longest_s
    if "delayed_notice_s" in values:
        assert delayed_notice_due(schedule, len(times), NOW, NOW + timedelta(seconds=times[-1]))
