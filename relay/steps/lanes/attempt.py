"""One delivery by the courier, within the time that it may take."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final, Self

from relay.ports import Delivery
from relay.steps.lanes.lane import Lane, LaneState, SharedLanes
from relay.steps.lanes.places import SOON_S, ItemInHand, LanePlaces

_BYTES_A_SECOND: Final = 131_072
"""The speed in bytes per second above which the sending of a content never makes an attempt slow."""


class LaneAttempt:
    """Implements `ports.Attempt` for an item in hand.

    With `is_alone` the item exists for this attempt only, which waits for its turn and leaves its lanes.
    """

    def __init__(self, shared: SharedLanes, in_hand: ItemInHand, *, is_alone: bool) -> None:
        self.again_s = SOON_S
        self._shared = shared
        self._owner: LanePlaces = in_hand.owner
        self._is_alone = is_alone
        self._in_hand = in_hand
        self._began_s = 0.0
        self._taken_bytes = 0
        self._timeout = asyncio.timeout(None)
        self._timer: asyncio.TimerHandle | None = None
        self._at: Lane | None = None
        self._at_since_s = 0.0
        self.may_be_accepted = False

    async def __aenter__(self) -> Self:
        if self._is_alone:
            await self._own_turn()
        limits, loop = self._owner.limits, asyncio.get_running_loop()
        self._timeout = asyncio.timeout(limits.attempt_s)
        await self._timeout.__aenter__()
        if not self._in_hand.destination.routed:
            self._began_s = loop.time()
            self._timer = loop.call_at(self._began_s + limits.slow_after_s, self._turn_slow)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._is_alone:
            self._in_hand.leave()
        await self._timeout.__aexit__(kind, error, trace)

    async def _own_turn(self) -> None:
        closed_s = await self._in_hand.turn()
        if closed_s:
            await asyncio.sleep(closed_s)
            await self._own_turn()

    def place(self, address: str) -> bool:
        in_hand, owner = self._in_hand, self._owner
        if in_hand.destination.routed:
            return True
        lane = self._shared.address(address)
        in_hand.destination.address = lane
        if lane in in_hand.places:
            self._begin_at(lane)
            return True
        closed_s = lane.closed_until_s - owner.clock.monotonic_s()
        if closed_s > 0:
            self.again_s = max(self.again_s, closed_s)
            return False
        if lane.running >= lane.window or not in_hand.has_memory_in(lane):
            return False
        if lane.state is LaneState.SLOW and not owner.count_as_slow(in_hand):
            return False
        in_hand.move_to(lane)
        self._begin_at(lane)
        return True

    def _begin_at(self, lane: Lane) -> None:
        self._at, self._at_since_s = lane, asyncio.get_running_loop().time()

    @contextmanager
    def own_work(self) -> Iterator[None]:
        loop, timeout, timer = asyncio.get_running_loop(), self._timeout, self._timer
        paused_s, until_s = loop.time(), timeout.when()
        if timeout.expired():
            yield
            return
        timeout.reschedule(None)
        if timer is not None:
            timer.cancel()
        try:
            yield
        finally:
            took_s = loop.time() - paused_s
            self._began_s += took_s
            self._at_since_s += took_s
            if until_s is not None:
                timeout.reschedule(until_s + took_s)
            if timer is not None and not self._in_hand.late:
                self._timer = loop.call_at(timer.when() + took_s, self._turn_slow)

    def taken(self, size_bytes: int) -> None:
        self._taken_bytes += size_bytes

    def may_finish(self) -> bool:
        if self._timeout.expired():
            return False
        self.may_be_accepted = True
        self._timeout.reschedule(None)
        return True

    def timed_out(self) -> None:
        if self._at is not None:
            self._owner.shrink(self._at)
            self._at = None

    def ended(self, delivery: Delivery) -> None:
        if delivery.timed_out:
            if not self._timeout.expired() or self._used_most_time():
                self.timed_out()
        elif delivery.code and self._at is not None:
            self._owner.answered(self._at, late=self._in_hand.late and self._used_most_time())
        if self._is_alone:
            self._in_hand.ended(delivery)

    def _used_most_time(self) -> bool:
        """Returns whether the attempt has been at the present address for at least half of its time.

        The MX records of a domain may name servers of others. If the first server uses up the time of the attempt, the
        next one is not slow.
        """
        now_s = asyncio.get_running_loop().time()
        return 2 * (now_s - self._at_since_s) >= now_s - self._began_s

    def _turn_slow(self) -> None:
        in_hand, owner, loop = self._in_hand, self._owner, asyncio.get_running_loop()
        slow_at_s = self._began_s + owner.limits.slow_after_s + self._taken_bytes / _BYTES_A_SECOND
        if loop.time() < slow_at_s:
            self._timer = loop.call_at(slow_at_s, self._turn_slow)
            return
        in_hand.late = True
        if owner.count_as_slow(in_hand) or (self.may_be_accepted and owner.count_as_unanswered(in_hand)):
            return
        if not self._timeout.expired():
            owner.observer.count("delivery_cuts")
            self._timeout.reschedule(loop.time())
