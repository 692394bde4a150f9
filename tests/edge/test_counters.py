"""Counters are bounded, and a flood of keys displaces only those that nobody uses."""

import pytest

from relay.core.networks import client_key, network_key
from relay.edge import counters
from relay.edge.clients import client_address
from relay.edge.counters import ProcessCounters
from tests.support.fakes import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def test_a_full_table_forgets_the_key_that_was_not_used_for_the_longest_time(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counters, "MOST_KEYS", 100)
    counts = ProcessCounters(clock)
    for _ in range(7):
        counts.add("guess", "busy", 60)
    counts.add("guess", "idle", 60)
    for number in range(1_000):
        counts.add("guess", f"flood-{number}", 60)
        assert counts.count("guess", "busy", 60) == 7
    assert counts.count("guess", "idle", 60) == 0
    assert sum(counts.count("guess", f"flood-{number}", 60) for number in range(1_000)) == 99


def test_a_flood_of_one_kind_leaves_the_others(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "MOST_KEYS", 10)
    counts = ProcessCounters(clock)
    counts.add("login", "key", 60)
    for number in range(100):
        counts.add("guess", f"flood-{number}", 60)
    assert counts.count("login", "key", 60) == 1


def test_a_window_opens_with_the_first_event_and_ends(clock: ManualClock) -> None:
    counts = ProcessCounters(clock)
    assert [counts.add("guess", "key", 10) for _ in range(2)] == [1, 2]
    clock.forward(9)
    assert counts.add("guess", "key", 10) == 3
    clock.forward(1)
    assert counts.count("guess", "key", 10) == 0
    assert counts.add("guess", "key", 10) == 1


def test_a_flood_that_is_over_leaves_nothing_in_memory(clock: ManualClock) -> None:
    counts = ProcessCounters(clock)
    for number in range(1_000):
        counts.add("guess", f"flood-{number}", 60)
    clock.forward(60)
    for number in range(600):
        counts.add("guess", f"later-{number % 10}", 60)
    assert len(counts._events["guess"]) == 10


def test_what_is_withdrawn_does_not_count(clock: ManualClock) -> None:
    counts = ProcessCounters(clock)
    counts.withdraw("guess", "key")
    counts.add("guess", "key", 10)
    counts.add("guess", "key", 10)
    counts.withdraw("guess", "key")
    assert counts.count("guess", "key", 10) == 1


def test_places_are_taken_and_freed(clock: ManualClock) -> None:
    counts = ProcessCounters(clock)
    assert [counts.take("smtp", "a"), counts.take("smtp", "a"), counts.take("smtp", "b")] == [1, 2, 1]
    counts.free("smtp", "a")
    assert (counts.taken("smtp", "a"), counts.taken("smtp", "b"), counts.taken("web", "a")) == (1, 1, 0)


@pytest.mark.parametrize(
    ("one", "other", "is_one_client", "are_neighbours"),
    [
        ("192.0.2.1", "::ffff:192.0.2.1", True, True),
        ("192.0.2.1", "192.0.2.2", False, True),
        ("192.0.2.1", "192.0.3.1", False, False),
        ("2001:db8::1", "2001:db8::ffff:2", True, True),
        ("2001:db8::1", "2001:db8:0:1::1", False, False),
        ("::1", "0.0.0.1", False, False),
    ],
)
def test_one_client_is_an_ipv4_address_or_an_ipv6_network(
    one: str, other: str, *, is_one_client: bool, are_neighbours: bool
) -> None:
    first, second = client_address(one), client_address(other)
    assert (client_key(first) == client_key(second)) is is_one_client
    assert (network_key(first) == network_key(second)) is are_neighbours
