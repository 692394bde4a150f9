"""The lanes: how many items each destination may have in hand, and how that follows from the answers of its servers."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace

import pytest

from relay.core.destination import name_of
from relay.ports import Delivery, NoRoomError
from relay.steps.lanes import ItemInHand, LaneLimits, ProcessLanes
from tests.support.fakes import CountingObserver, ManualClock
from tests.support.market_env import ACCEPTED

LIMITS = LaneLimits(concurrency=40, per_destination=8, slow_after_s=60, attempt_s=600, back_off_s=60)
SILENT = replace(ACCEPTED, accepted=False, code=0, text="no answer", phase="connect", timed_out=True)
REFUSED_FOR_NOW = replace(ACCEPTED, accepted=False, code=0, text="refused", phase="connect")
LATER = replace(ACCEPTED, accepted=False, code=451, text="later", phase="rcpt")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def lanes(clock: ManualClock) -> ProcessLanes:
    return ProcessLanes(LIMITS, clock, CountingObserver(), {"routed.example": "smarthost:25"})


def named(domain: str) -> str:
    """Returns the name of a domain as a destination."""
    return name_of(b"key", domain)


async def one(lanes: ProcessLanes, destination: str, delivery: Delivery | None) -> None:
    """Makes an attempt with this outcome."""
    in_hand = lanes.take(destination)
    assert await in_hand.turn() == 0
    in_hand.ended(delivery)
    in_hand.leave()


async def opened(lanes: ProcessLanes, *destinations: str) -> None:
    for destination in destinations:
        for _ in range(4):
            await one(lanes, destination, ACCEPTED)


def taken(lanes: ProcessLanes, destinations: Sequence[str]) -> list[ItemInHand]:
    """Takes all for which there is room."""
    return [lanes.take(destination) for destination in destinations if lanes.room(destination)]


async def test_a_lane_begins_with_one_and_doubles_with_each_answer(lanes: ProcessLanes) -> None:  # R-OUT-01
    rooms = [lanes.room("shop.example")]
    for delivery in (ACCEPTED, LATER, ACCEPTED, ACCEPTED):
        await one(lanes, "shop.example", delivery)
        rooms.append(lanes.room("shop.example"))
    assert rooms == [1, 8, 16, 32, 32], "four items in hand for each place"


async def test_a_lane_that_times_out_shrinks_to_one_is_closed_and_grows_again(  # R-OUT-02
    lanes: ProcessLanes, clock: ManualClock
) -> None:
    await opened(lanes, "shop.example")
    await one(lanes, "shop.example", SILENT)
    for pause_s in (60, 120, 240, 480, 480):
        clock.forward(pause_s - 1)
        assert lanes.room("shop.example") == 0
        clock.forward(1)
        assert lanes.room("shop.example") == 1
        await one(lanes, "shop.example", SILENT)
    clock.forward(480)
    await one(lanes, "shop.example", ACCEPTED)
    assert lanes.room("shop.example") == 8


async def test_a_host_that_refuses_connections_is_left_alone_for_a_while(  # R-OUT-02
    lanes: ProcessLanes, clock: ManualClock
) -> None:
    await opened(lanes, "shop.example", "routed.example")
    for destination in ("shop.example", "routed.example"):
        await one(lanes, destination, REFUSED_FOR_NOW)
        assert lanes.room(destination) == 0
        clock.forward(60)
        assert lanes.room(destination) == 32


async def test_the_names_of_one_organization_share_its_lane(lanes: ProcessLanes) -> None:  # R-OUT-01
    names = [named(f"tar{number}.tarpit.example") for number in range(30)]
    (first,) = taken(lanes, names)
    first.leave()
    await one(lanes, names[0], SILENT)
    assert [lanes.room(name) for name in names] == [0] * 30
    assert lanes.room("other.example") == 1


async def test_a_name_that_answers_does_not_suffer_from_another_of_its_organization(lanes: ProcessLanes) -> None:
    # R-OUT-01
    mail, students, more = (named(f"{name}.university.example") for name in ("mail", "students", "more"))
    await opened(lanes, mail)
    await one(lanes, students, SILENT)
    assert lanes.room(more) == 0
    assert lanes.room(mail) == 32


async def test_lanes_without_an_answer_leave_a_quarter_of_the_places(lanes: ProcessLanes) -> None:  # R-OUT-01
    await opened(lanes, "good.example")
    silent = taken(lanes, [f"s.tar{number}.example" for number in range(100)])
    assert [await in_hand.turn() for in_hand in silent] == [0] * 30
    assert lanes.room("new.example") == 0
    good = taken(lanes, ["good.example"] * 8)
    assert [await in_hand.turn() for in_hand in good] == [0] * 8


async def test_lanes_that_lately_timed_out_have_a_quarter_of_the_places(  # R-OUT-01
    lanes: ProcessLanes, clock: ManualClock
) -> None:
    names = [f"s.tar{number}.example" for number in range(30)]
    for name in names:
        await one(lanes, name, SILENT)
    clock.forward(60)
    slow = taken(lanes, names)
    assert len(slow) == 10
    assert lanes.room("new.example") == 1


MB = 1_000_000
BIG = 7 * MB


def holds(lanes: ProcessLanes, destination: str, size_bytes: int) -> bool:
    """Takes an item in hand, and memory for its content; returns whether there was room."""
    in_hand = lanes.take(destination)
    try:
        in_hand.take_memory(size_bytes)
    except NoRoomError:
        in_hand.leave()
        return False
    return True


async def test_slow_lanes_have_a_share_of_the_memory(lanes: ProcessLanes, clock: ManualClock) -> None:
    # R-IN-06, R-OUT-01: 32 MiB in all, a quarter for slow ones, a quarter kept for open ones.
    slow = [f"s.tar{number}.example" for number in range(8)]
    new = [f"n.new{number}.example" for number in range(8)]
    good = [f"good{number}.example" for number in range(8)]
    await opened(lanes, *good)
    for name in slow:
        await one(lanes, name, SILENT)
    clock.forward(60)
    assert [holds(lanes, name, BIG) for name in slow].count(True) == 1
    assert [holds(lanes, name, BIG) for name in new].count(True) == 2
    assert [holds(lanes, name, BIG) for name in good].count(True) == 1
    assert holds(lanes, "more.example", MB), "what is left"


@pytest.mark.parametrize("state", ["slow", "new", "open"])
async def test_one_huge_content_of_each_state_has_room(lanes: ProcessLanes, clock: ManualClock, state: str) -> None:
    # R-IN-06
    names = {"slow": "s.tar.example", "new": "n.new.example", "open": "good.example"}
    await opened(lanes, names["open"], "second.example")
    await one(lanes, names["slow"], SILENT)
    clock.forward(60)
    huge = names.pop(state)
    assert holds(lanes, huge, 26 * MB)
    assert [holds(lanes, name, 26 * MB) for name in names.values()] == [True, True]
    assert not holds(lanes, "second.example", BIG)


@pytest.mark.parametrize("neighbour", ["good.example", "mail.good.example", "same.address.example"])
async def test_one_lane_has_a_quarter_of_the_memory(lanes: ProcessLanes, neighbour: str) -> None:  # R-OUT-01
    good, near = named("good.example"), named(neighbour)
    await opened(lanes, good, near, "other.example")
    for destination in (good, near):
        in_hand = lanes.take(destination)
        assert await in_hand.turn() == 0
        lanes.attempt(destination).place("192.0.2.1" if neighbour.startswith("same") else f"192.0.2.{len(destination)}")
        in_hand.ended(ACCEPTED)
        in_hand.leave()
    assert holds(lanes, good, 5 * MB)
    assert not holds(lanes, near, 5 * MB)
    assert holds(lanes, "other.example", 5 * MB)
    assert holds(lanes, "routed.example", 5 * MB)
    assert holds(lanes, "routed.example", 5 * MB), "the administrator has chosen its server"


async def test_memory_is_free_again(lanes: ProcessLanes) -> None:  # R-IN-06
    for _ in range(10):
        with lanes.content("new.example") as take_memory:
            take_memory(30 * MB)
            with lanes.content("other.example") as second, pytest.raises(NoRoomError):
                second(MB)
    assert lanes.places.spare == 160


@pytest.mark.parametrize("is_big", [False, True])
async def test_what_waits_for_a_last_answer_is_bounded(clock: ManualClock, is_big: bool) -> None:  # R-OUT-01
    limits = replace(LIMITS, concurrency=4, slow_after_s=0.01, memory_bytes=40 * MB)
    observer = CountingObserver()
    lanes = ProcessLanes(limits, clock, observer)

    async def wait(destination: str) -> None:
        in_hand = lanes.take(destination)
        try:
            assert await in_hand.turn() == 0
            if is_big:
                in_hand.take_memory(5 * MB)
            async with lanes.attempt(destination) as attempt:
                assert attempt.may_finish()
                await asyncio.Event().wait()
        except TimeoutError:
            assert attempt.may_be_accepted
        finally:
            in_hand.ended(None)
            in_hand.free_memory()
            in_hand.leave()

    tasks = []
    for number in range(10):
        tasks.append(asyncio.create_task(wait(f"s.tar{number}.example")))
        await asyncio.sleep(0.03)
    waiting = [task for task in tasks if not task.done()]
    # One is slow. Four, or as many big ones as a quarter of the memory holds, wait beside the places.
    assert len(waiting) == (1 + 2 if is_big else 1 + 4)
    assert (lanes.places.running, observer.of("delivery_cuts")) == (1, 10 - len(waiting))
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert (lanes.places.running, lanes.places.spare) == (0, 16)
    assert holds(lanes, "s.tar0.example", 30 * MB)


async def test_a_server_that_takes_the_content_quickly_is_not_slow() -> None:  # R-OUT-01
    limits = replace(LIMITS, concurrency=1, slow_after_s=0.1)
    lanes = ProcessLanes(limits, ManualClock(), CountingObserver())
    states = []
    for taken_bytes in (0, 20 * MB):
        in_hand = lanes.take(f"{taken_bytes}.example")
        assert await in_hand.turn() == 0
        async with lanes.attempt(f"{taken_bytes}.example") as attempt:
            attempt.taken(taken_bytes)
            await asyncio.sleep(0.2)
            states.append(in_hand.late)
        in_hand.ended(ACCEPTED)
        in_hand.leave()
    assert states == [True, False]


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8:1:2::3"])
async def test_the_domains_behind_one_address_share_its_lane(lanes: ProcessLanes, address: str) -> None:
    # R-OUT-01: the courier learns the address, and the next claim knows it.
    first, second = taken(lanes, ["a.one.example", "a.two.example"])
    attempts = []
    for in_hand in (first, second):
        assert await in_hand.turn() == 0
        attempts.append(lanes.attempt("any.example"))
    neighbour = address + "4" if ":" in address else address
    assert [attempts[0].place(address), attempts[1].place(neighbour)] == [True, False]
    second.ended(None)
    second.leave()
    assert lanes.room("a.two.example") == 0, "the address is busy"
    attempts[0].ended(SILENT)
    first.ended(SILENT)
    first.leave()
    assert lanes.room("a.two.example") == 0, "the address is closed"
    assert lanes.room("a.three.example") == 1


OF_ANOTHER = "192.0.2.9"
"""The address of a server to which the MX records of a hostile domain lead, after a server that takes its time."""


async def known(lanes: ProcessLanes) -> None:
    """Delivers to the domain of that server, until its lanes are open."""
    for _ in range(4):
        in_hand = lanes.take("good.example")
        assert await in_hand.turn() == 0
        attempt = lanes.attempt("good.example")
        assert attempt.place(OF_ANOTHER)
        attempt.ended(ACCEPTED)
        in_hand.ended(ACCEPTED)
        in_hand.leave()


@pytest.mark.parametrize("delivery", [SILENT, LATER, ACCEPTED])
async def test_a_server_is_not_blamed_for_the_time_of_another(delivery: Delivery) -> None:  # R-OUT-01, R-OUT-02
    is_cut = delivery is SILENT
    limits = replace(LIMITS, slow_after_s=0.1, attempt_s=0.25 if is_cut else 600)
    lanes = ProcessLanes(limits, ManualClock(), CountingObserver())
    await known(lanes)
    hostile = lanes.take("a.tar.example")
    assert await hostile.turn() == 0
    attempt = lanes.attempt("a.tar.example")
    with contextlib.suppress(TimeoutError):
        async with attempt:
            assert attempt.place("192.0.2.1")
            await asyncio.sleep(0.2)
            assert attempt.place(OF_ANOTHER)
            if is_cut:
                await asyncio.Event().wait()
    attempt.ended(delivery)
    hostile.ended(delivery)
    hostile.leave()
    assert lanes.room("good.example") == 32


@pytest.mark.parametrize("delivery", [SILENT, LATER])
async def test_a_server_that_was_not_asked_is_neither_blamed_nor_opened(
    lanes: ProcessLanes, clock: ManualClock, delivery: Delivery
) -> None:  # R-OUT-01, R-OUT-02
    await known(lanes)
    first, hostile = lanes.take("good.example"), lanes.take("a.tar.example")
    assert await first.turn() == 0
    attempt = lanes.attempt("good.example")
    assert attempt.place(OF_ANOTHER)
    attempt.ended(SILENT)
    first.ended(None)
    first.leave()
    assert await hostile.turn() == 0
    attempt = lanes.attempt("a.tar.example")
    assert attempt.place("192.0.2.1")
    if delivery is SILENT:
        attempt.timed_out()
    assert not attempt.place(OF_ANOTHER), "its lane is closed for 60 seconds"
    attempt.ended(delivery)
    hostile.ended(delivery)
    hostile.leave()
    assert lanes.room("good.example") == 0
    clock.forward(60)
    assert lanes.room("good.example") == 1


async def test_a_domain_whose_dns_leads_elsewhere_leaves_its_earlier_server(lanes: ProcessLanes) -> None:  # R-OUT-01
    await known(lanes)
    domains = [f"{number}.example" for number in range(8)]
    for domain in domains:
        hostile = lanes.take(domain)
        assert await hostile.turn() == 0
        assert lanes.attempt(domain).place(OF_ANOTHER)
        hostile.ended(LATER)
        hostile.leave()
    for domain in domains:
        hostile = lanes.take(domain)
        assert await hostile.turn() == 0
        if domain == domains[0]:
            hostile.take_memory(BIG)
        assert lanes.attempt(domain).place(f"192.0.2.1{domain[0]}")
    assert lanes.room("good.example") == 32
    good = lanes.take("good.example")
    assert await asyncio.wait_for(good.turn(), 1) == 0
    good.take_memory(BIG)


async def test_a_slow_dns_look_up_takes_nothing_of_the_server_before(lanes: ProcessLanes) -> None:  # R-OUT-01
    await known(lanes)
    for _ in range(4):
        in_hand = lanes.take("a.tar.example")
        assert await in_hand.turn() == 0
        assert lanes.attempt("a.tar.example").place(OF_ANOTHER)
        in_hand.ended(ACCEPTED)
        in_hand.leave()
    looked_up = taken(lanes, ["a.tar.example"] * 8)
    for in_hand in looked_up:
        assert await in_hand.turn() == 0
    looked_up[0].take_memory(BIG)
    assert lanes.room("good.example") == 32
    good = lanes.take("good.example")
    assert await asyncio.wait_for(good.turn(), 1) == 0
    good.take_memory(BIG)
    attempt = lanes.attempt("good.example")
    assert attempt.place(OF_ANOTHER)
    for in_hand in looked_up:
        in_hand.leave()
    good.leave()
    assert lanes.room("good.example") == 32


async def test_a_lane_that_closes_puts_off_those_that_wait_for_a_turn(lanes: ProcessLanes) -> None:  # R-OUT-02
    await one(lanes, "shop.example", ACCEPTED)
    items = taken(lanes, ["shop.example"] * 8)
    turns = [asyncio.create_task(in_hand.turn()) for in_hand in items]
    await asyncio.sleep(0)
    assert sum(turn.done() for turn in turns) == 2
    items[0].ended(SILENT)
    assert await asyncio.gather(*turns) == [0, 0] + [60] * 6


async def test_a_waiting_item_that_is_let_go_gives_its_turn_to_the_next(lanes: ProcessLanes) -> None:  # R-OUT-01
    await one(lanes, "shop.example", ACCEPTED)
    items = taken(lanes, ["shop.example"] * 4)
    turns = [asyncio.create_task(in_hand.turn()) for in_hand in items]
    await asyncio.sleep(0)
    turns[2].cancel()
    items[2].leave()
    items[0].leave()
    assert await turns[3] == 0
    for in_hand in items:
        in_hand.leave()
    assert lanes.places.spare == 160


async def test_a_route_of_the_operator_has_its_whole_window_always(lanes: ProcessLanes) -> None:  # R-OUT-01
    assert lanes.room("routed.example") == 32
    await one(lanes, "routed.example", replace(SILENT, phase="data"))
    assert lanes.room("routed.example") == 32


async def test_two_deliveries_to_a_destination_keep_their_distance_and_others_do_not_wait() -> None:  # R-OUT-01
    clock = ManualClock()
    limits = replace(LIMITS, interval_s=0.01)
    lanes = ProcessLanes(limits, clock, CountingObserver(), {"routed.example": "smarthost:25"})
    items = taken(lanes, ["routed.example", "routed.example", "b.example"])
    turns = [asyncio.create_task(in_hand.turn()) for in_hand in items]
    await asyncio.sleep(0)
    assert [turn.done() for turn in turns] == [True, False, True]
    clock.forward(1)
    assert await turns[1] == 0


async def test_the_lanes_of_the_past_are_forgotten(lanes: ProcessLanes) -> None:  # R-OUT-01
    for number in range(10_100):
        lanes.take(f"{number}.example").leave()
    assert len(lanes._destinations) <= 10_000
    assert len(lanes._shared) <= 10_000
