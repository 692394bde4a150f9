"""The worker processes for heavy mail: what crosses over, what their limits end, and that one harms no other (R-IN-06)."""

import asyncio
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

import pytest

from relay.config import HeavyMail
from relay.core.mail.mime import MimeError, MimeLimits, split
from relay.core.rewrite.rewrite import rewrite
from relay.edge.workers.places import WorkPlaces
from relay.edge.workers.pool import WorkerPool
from relay.ports import HeavyMailError, TooHeavyError
from relay.steps.room import Room
from tests.support.fakes import CountingObserver, LoopClock
from tests.support.log import CapturedLog, captured_log
from tests.support.scrubbing import PLAN

MAIL = b"From: a@b.example\r\nSubject: x\r\n\r\nGood day, alice.buyer@example.net\r\n"
ONE = HeavyMail(workers=1)
TWO = HeavyMail(workers=2, workers_per_party=2)


@pytest.fixture
def log() -> Iterator[CapturedLog]:
    with captured_log() as log:
        yield log


class Pool(WorkerPool):
    """A pool whose observer can be asked."""

    def __init__(self, settings: HeavyMail) -> None:
        self.observer = CountingObserver()
        super().__init__(settings, clock=LoopClock(), observer=self.observer)


@asynccontextmanager
async def running(settings: HeavyMail) -> AsyncIterator[Pool]:
    pool = Pool(settings)
    pool.start()
    try:
        yield pool
    finally:
        await pool.stop()


async def pid(pool: Pool) -> int:
    return await pool.run("p", MAIL, os.getpid)


async def test_what_crosses_over_comes_back_the_same() -> None:
    async with running(ONE) as pool:
        big = MAIL + b"x" * 3_000_000 + b"\r\n"
        root = await pool.run("p", big, split, big, MimeLimits())
        assert root == split(big, MimeLimits())
        many = MAIL + b"alice.buyer@example.net\r\n" * 3_000
        root = split(many, MimeLimits())
        assert await pool.run("p", many, rewrite, many, root, PLAN) == rewrite(many, root, PLAN)
        with pytest.raises(MimeError, match="too many MIME parts") as raised:
            await pool.run("p", MAIL, split, MAIL, MimeLimits(parts=0))
        frames = [frame.name for frame in raised.traceback]
        assert frames[-1] == "part"  # the place in core is known here
        assert await pid(pool) != os.getpid()
        assert await pool.run("p", MAIL, resource.getrlimit, resource.RLIMIT_CORE) == (0, 0)  # R-REC-04
        assert await pool.run("p", MAIL, len, MAIL) == len(MAIL)
    assert pool.observer.of("heavy_workers_started") == 1


async def test_the_loop_turns_while_work_holds_its_interpreter() -> None:
    async with running(ONE) as pool:
        await pid(pool)
        # `sum` over a range does not let go of the interpreter until it is done.
        work = asyncio.create_task(pool.run("p", MAIL, sum, range(20_000_000)))
        for _ in range(2_000):
            await asyncio.sleep(0)
        assert not work.done()
        assert await work == sum(range(20_000_000))


@pytest.mark.parametrize(
    ("cause", "tries", "limits", "work"),
    [
        ("memory", 2, {"memory_bytes": 200_000_000}, partial(bytes, 500_000_000)),
        ("crash", 2, {}, partial(signal.raise_signal, signal.SIGSEGV)),
        ("cpu", 1, {"cpu_s": 1}, partial(sum, range(10**11))),
    ],
)
async def test_a_message_that_ends_each_worker_is_refused(
    log: CapturedLog, cause: str, tries: int, limits: dict[str, int], work: Callable[[], Any]
) -> None:
    async with running(HeavyMail(workers=1, tries=tries, **limits)) as pool:
        for _ in range(tries):
            with pytest.raises(HeavyMailError, match="try again later"):
                await pool.run("p", MAIL, work)
        with pytest.raises(TooHeavyError):
            await pool.run("p", MAIL, work)
        with pytest.raises(TooHeavyError):
            await pool.run("another", MAIL, len, MAIL)
        assert await pool.run("p", b"another", len, b"another") == 7
        assert pool.observer.of("heavy_work", outcome=cause) == tries
    lines = log.lines("heavy_work_failed")
    seen = [(line["cause"], line["tries"], line["size"]) for line in lines]
    assert seen == [(cause, number, len(MAIL)) for number in range(1, tries + 1)]


async def test_a_deadline_ends_the_work_and_blames_no_message(log: CapturedLog) -> None:
    async with running(HeavyMail(workers=1, tries=1, deadline_s=1)) as pool:
        with pytest.raises(HeavyMailError):
            await pool.run("p", MAIL, time.sleep, 600)
        assert await pid(pool)
    assert [line["cause"] for line in log.lines("heavy_work_failed")] == ["deadline"]


async def test_a_worker_that_dies_leaves_the_others_alone() -> None:
    async with running(TWO) as pool:
        slow = asyncio.create_task(pool.run("p", MAIL, sum, range(20_000_000)))
        with pytest.raises(HeavyMailError):
            await pool.run("p", MAIL, signal.raise_signal, signal.SIGKILL)
        assert await slow == sum(range(20_000_000))


async def test_a_worker_that_died_while_idle_is_not_used() -> None:
    async with running(TWO) as pool:
        first = await pid(pool)
        os.kill(first, signal.SIGKILL)
        while pool.observer.of("heavy_workers_started") < 3:
            await asyncio.sleep(0.01)
        assert first not in {await pid(pool) for _ in range(4)}


@pytest.mark.parametrize("signals", [(signal.SIGKILL,), (signal.SIGSTOP, signal.SIGKILL)], ids=["dead", "dying"])
async def test_no_message_is_blamed_for_a_worker_that_died_while_idle(
    log: CapturedLog, signals: tuple[signal.Signals, ...]
) -> None:
    # The system kills a process that seems to be idle; the daemon gives it work before it has heard of that.
    async with running(HeavyMail(workers=1, tries=1)) as pool:
        number = await pid(pool)
        os.kill(number, signals[0])
        work = asyncio.create_task(pool.run("p", MAIL, len, MAIL))
        for each in signals[1:]:
            await asyncio.sleep(0.05)  # the request is in the pipe
            os.kill(number, each)
        assert await work == len(MAIL)
        assert await pool.run("p", MAIL, len, MAIL) == len(MAIL)
    assert not log.lines("heavy_work_failed")


async def test_cancelled_work_ends_its_worker_and_its_answer_reaches_nobody() -> None:
    async with running(ONE) as pool:
        await pid(pool)
        work = asyncio.create_task(pool.run("p", MAIL, sum, range(20_000_000)))
        await asyncio.sleep(0.05)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert await pool.run("p", MAIL, len, MAIL) == len(MAIL)


async def test_a_worker_is_replaced_after_its_share_of_work() -> None:
    async with running(HeavyMail(workers=1, tasks_per_worker=2)) as pool:
        pids = [await pid(pool) for _ in range(4)]
    assert pids[0] == pids[1] != pids[2] == pids[3]


async def test_workers_end_with_the_pool_even_at_work() -> None:
    async with running(ONE) as pool:
        number = await pid(pool)
        work = asyncio.create_task(pool.run("p", MAIL, sum, range(10**11)))
        await asyncio.sleep(0.05)
    with pytest.raises(HeavyMailError):
        await work
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


def test_a_worker_ends_with_its_daemon_and_not_with_the_signals_of_a_service() -> None:  # also if that is killed
    command = [sys.executable, "-m", "relay.edge.workers.process", "234881024", "30"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.read(13)[8:] == b"ready"
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            process.send_signal(number)
        process.stdin.close()
        assert process.wait(30) == 0


# ---------------------------------------------------------------- places


def places(in_all: int = 2, per_party: int = 1, waiting: int = 3, waiting_per_party: int = 2) -> WorkPlaces:
    return WorkPlaces(in_all=in_all, per_party=per_party, waiting=waiting, waiting_per_party=waiting_per_party)


class Visitor:
    """A task that takes a place, says so, and holds it until it is told to leave."""

    def __init__(self, place: AbstractAsyncContextManager[None]) -> None:
        self._place = place
        self._leave = asyncio.Event()
        self.is_in = False
        self.task = asyncio.create_task(self._visit())

    async def _visit(self) -> None:
        async with self._place:
            self.is_in = True
            await self._leave.wait()
        self.is_in = False

    async def leave(self) -> None:
        self._leave.set()
        await self.task


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_party_waits_for_itself_and_keeps_nobody_else_waiting() -> None:
    room = places()
    first, second, other = (Visitor(room.place(party, 60)) for party in ("a", "a", "b"))
    await turns()
    assert (first.is_in, second.is_in, other.is_in) == (True, False, True)
    await other.leave()
    third = Visitor(room.place("c", 60))
    await turns()
    assert (second.is_in, third.is_in) == (False, True)
    await first.leave()
    await turns()
    assert second.is_in
    await second.leave()
    await third.leave()


async def test_the_queue_is_bounded_in_all_and_for_each_party() -> None:
    room = places(in_all=1)
    visitors = [Visitor(room.place("a", 60)) for _ in range(4)]
    await turns()
    with pytest.raises(HeavyMailError, match="too many"):
        await visitors[3].task
    visitors += [Visitor(room.place("b", 60)), Visitor(room.place("c", 60))]
    await turns()
    with pytest.raises(HeavyMailError, match="too many"):
        await visitors[5].task
    for visitor in (*visitors[:3], visitors[4]):
        await turns()
        assert visitor.is_in
        await visitor.leave()


async def test_a_client_of_a_party_leaves_places_to_its_other_clients() -> None:
    room = places(in_all=4, per_party=2, waiting=20, waiting_per_party=8)
    first = [Visitor(room.place("strangers a", 60)) for _ in range(4)]
    await turns()
    assert [visitor.is_in for visitor in first] == [True, False, False, False]
    with pytest.raises(HeavyMailError, match="too many"):
        await first[3].task
    second, third, seller = (Visitor(room.place(party, 60)) for party in ("strangers b", "strangers c", "seller"))
    await turns()
    assert (second.is_in, third.is_in, seller.is_in) == (True, False, True), "all strangers have a bound together"
    await second.leave()
    await turns()
    assert (third.is_in, first[1].is_in) == (True, False)
    for visitor in (third, seller, *first[:3]):
        await turns()
        await visitor.leave()


async def test_waiting_has_an_end_and_one_who_goes_leaves_no_gap() -> None:
    room = places(in_all=1)
    first = Visitor(room.place("a", 60))
    await turns()
    with pytest.raises(HeavyMailError):
        async with room.place("b", 0.01):
            pass
    cancelled, last = Visitor(room.place("b", 60)), Visitor(room.place("c", 60))
    await turns()
    cancelled.task.cancel()
    await first.leave()
    await turns()
    assert last.is_in
    await last.leave()


async def test_a_turn_that_comes_as_its_visitor_goes_is_given_on() -> None:
    room = places(in_all=1)
    first = Visitor(room.place("a", 60))
    await turns()
    cancelled, last = Visitor(room.place("b", 60)), Visitor(room.place("c", 60))
    await turns()
    await first.leave()
    cancelled.task.cancel()
    await turns()
    assert last.is_in
    await last.leave()


@pytest.mark.parametrize("make", [lambda: places(in_all=1).place, lambda: _rooms(Room(10))], ids=["places", "room"])
async def test_what_is_given_back_in_the_turn_of_a_cancellation_is_not_lost(
    make: Callable[[], Callable[[str, float], AbstractAsyncContextManager[None]]],
) -> None:
    enter = make()

    async def use(party: str) -> None:
        async with enter(party, 60):
            pass

    held = enter("a", 60)
    await held.__aenter__()
    waiter, next_one = asyncio.create_task(use("b")), asyncio.create_task(use("c"))
    await asyncio.sleep(0)
    waiter.cancel()
    await held.__aexit__(None, None, None)  # before the waiter has had a turn
    with pytest.raises(asyncio.CancelledError):
        await waiter
    async with asyncio.timeout(5):
        await next_one
        await use("d")


def _rooms(room: Room) -> Callable[[str, float], AbstractAsyncContextManager[None]]:
    return lambda _party, _longest_s: room.entered(10)
