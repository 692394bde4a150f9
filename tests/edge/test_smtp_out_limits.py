"""The limits per destination, on a clock that stands still."""

import asyncio

import pytest

from relay.edge.smtp_pool import Destinations
from tests.support.fakes import ManualClock


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    taken: list[float] = []

    async def sleep(delay: float) -> None:
        taken.append(delay)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return taken


async def test_deliveries_to_one_destination_keep_their_distance_and_others_do_not_wait(naps: list[float]) -> None:
    # R-OUT-01
    clock = ManualClock()
    destinations = Destinations(concurrency=9, interval_s=5, clock=clock)
    for name in ("a.example", "a.example", "b.example", "a.example"):
        async with destinations.turn(name):
            pass
    assert naps == [5, 10]
    clock.forward(60)
    async with destinations.turn("a.example"):
        pass
    assert naps == [5, 10]


async def test_places_are_given_back_when_a_delivery_fails() -> None:
    # R-OUT-01
    destinations = Destinations(concurrency=1, interval_s=0, clock=ManualClock())
    for _ in range(3):
        with pytest.raises(ValueError, match="broken"):
            async with asyncio.timeout(5), destinations.turn("a.example"):
                raise ValueError("broken")


@pytest.mark.parametrize("interval_s", [0, 0.5])
async def test_destinations_of_the_past_are_forgotten(naps: list[float], interval_s: float) -> None:
    # R-OUT-01: memory stays flat however many domains are written to
    clock = ManualClock()
    destinations = Destinations(concurrency=1, interval_s=interval_s, clock=clock)
    for i in range(5_000):
        clock.forward(1)
        async with destinations.turn(f"{i}.example"):
            pass
    assert len(destinations._known) <= 1_001
