"""The places of one process: the items in hand, their turns, and the outcome of their attempts."""

import asyncio
from collections import deque
from contextvars import ContextVar
from typing import Final

from relay.ports import Clock, Delivery, NoRoomError, Observer
from relay.steps.lanes.lane import DEPTH, DestinationLanes, Lane, LaneLimits, LaneState
from relay.steps.lanes.memory import LaneMemory

SOON_S: Final = 1.0
"""The number of seconds by which an item is put off if its lane became slow, or has no free place."""
_LONGEST_CLOSED: Final = 8
"""The longest time for which a lane is closed, as a multiple of `back_off_s`."""
_HOST_PHASES: Final = frozenset({"dns", "connect", "tls"})


class LanePlaces:
    """The attempts that may run at once, and the items in hand, counted by their state.

    `running` is the number of attempts that use a part of all places. `waiting` has the items in hand that wait for
    their turn; no destination has an empty queue.
    """

    def __init__(self, limits: LaneLimits, clock: Clock, observer: Observer) -> None:
        self.limits = limits
        self.clock = clock
        self.observer = observer
        self.waiting: dict[DestinationLanes, deque[ItemInHand]] = {}
        self.items = dict.fromkeys(LaneState, 0)
        self.memory = LaneMemory(limits.memory_bytes)
        self.running = 0
        self._timer: asyncio.TimerHandle | None = None
        quarter = limits.concurrency // 4
        self._most_slow = max(1, quarter)
        self._most_unproven = max(1, limits.concurrency - quarter)

    @property
    def spare(self) -> int:
        """Returns the number of further items, for all destinations together, that may be taken in hand."""
        items = self.items
        in_hand = items[LaneState.NEW] + items[LaneState.OPEN] + items[LaneState.SLOW]
        return self.limits.concurrency * DEPTH - in_hand

    def room(self, destination: DestinationLanes) -> int:
        """Returns how many more items for the destination may be taken in hand now; 0 if its lane is closed."""
        if destination.closed_s(self.clock.monotonic_s()):
            return 0
        return max(0, min(self.spare, destination.spare_items, self._share(destination.state)))

    def _share(self, state: LaneState) -> int:
        """Returns how many more items whose lanes are in this state may be taken in hand."""
        if state is LaneState.OPEN:
            return self.limits.concurrency * DEPTH
        unproven = self.items[LaneState.NEW] + self.items[LaneState.SLOW]
        room = self._most_unproven - unproven
        return min(room, self._most_slow - self.items[LaneState.SLOW]) if state is LaneState.SLOW else room

    # ------------------------------------------------------------ the states of lanes and items

    def shrink(self, lane: Lane) -> None:
        lane.timeouts += 1
        lane.state, lane.window = LaneState.SLOW, 1
        times = min(2 ** min(lane.timeouts - 1, 10), _LONGEST_CLOSED)
        lane.closed_until_s = self.clock.monotonic_s() + self.limits.back_off_s * times
        self.observer.count("delivery_lanes", lane=lane.kind, change="shrunk")

    def answered(self, lane: Lane, *, late: bool) -> None:
        if lane.state is LaneState.SLOW and not late:
            self.observer.count("delivery_lanes", lane=lane.kind, change="recovered")
        if late:
            lane.lag()
        else:
            lane.grow()

    def count_as_slow(self, in_hand: "ItemInHand") -> bool:
        """Counts an attempt among the slow ones, and returns True.

        Returns False if the slow ones use their whole share.
        """
        if in_hand.state is LaneState.SLOW:
            return True
        return self.items[LaneState.SLOW] < self._most_slow and self._change(in_hand, LaneState.SLOW)

    def count_as_unanswered(self, in_hand: "ItemInHand") -> bool:
        """Frees the attempt's part of all places, but not its places in its lanes, and returns True.

        Returns False if too many attempts without an answer have already done this.
        """
        is_full = self.items[LaneState.UNANSWERED] >= self.limits.concurrency
        if is_full or not self._change(in_hand, LaneState.UNANSWERED):
            return False
        self.running -= 1
        self.pump()
        return True

    def _change(self, in_hand: "ItemInHand", state: LaneState) -> bool:
        """Counts an item in state `state`, and returns True.

        Returns False if the memory of that state has no room for its content.
        """
        if in_hand.memory_bytes and not self.memory.move(in_hand.memory_bytes, in_hand.state, state):
            return False
        self.items[in_hand.state] -= 1
        self.items[state] += 1
        in_hand.state = state
        return True

    # ------------------------------------------------------------ turns

    def start(self, in_hand: "ItemInHand") -> bool:
        """Takes a place in each lane of the item but that of a server's address, and returns True.

        Returns False, with no place taken, if one of the lanes has no free place, or the destination's interval is not
        over. The attempt takes its place at an address when it knows the address. Until then a slow DNS server must not
        take places and memory from the mail to the server that was contacted last.
        """
        destination = in_hand.destination
        if self.running >= self.limits.concurrency or not destination.has_place(in_hand.address):
            return False
        if self.limits.interval_s > 0:
            timed = destination.wider if destination.routed and destination.wider is not None else destination.own
            now_s = self.clock.monotonic_s()
            if timed.next_at_s > now_s:
                if self._timer is None:
                    self._timer = asyncio.get_running_loop().call_later(timed.next_at_s - now_s, self._tick)
                return False
            timed.next_at_s = now_s + self.limits.interval_s
        in_hand.leave_address()
        for lane in in_hand.lanes:
            lane.running += 1
        in_hand.places = list(in_hand.lanes)
        in_hand.running = True
        self.running += 1
        return True

    def _tick(self) -> None:
        self._timer = None
        self.pump()

    def pump(self) -> None:
        """Starts the waiting items for which places are free, one item of each destination in turn."""
        started = True
        while started and self.waiting:
            started = False
            for first in [queue[0] for queue in self.waiting.values()]:
                if self.start(first):
                    first.call(0)
                    started = True

    def dismiss(self) -> None:
        """Puts off the waiting items whose lane was closed or became slow after they were taken in hand."""
        if not self.waiting:
            return
        now_s = self.clock.monotonic_s()
        for destination, queue in list(self.waiting.items()):
            closed_s, is_slow = destination.closed_s(now_s), destination.state is LaneState.SLOW
            for in_hand in list(queue) if closed_s or is_slow else ():
                if closed_s or in_hand.state is not LaneState.SLOW:
                    in_hand.call(closed_s or SOON_S)

    def wait(self, in_hand: "ItemInHand") -> None:
        """Puts an item at the end of its destination's queue."""
        self.waiting.setdefault(in_hand.destination, deque()).append(in_hand)

    def end_wait(self, in_hand: "ItemInHand") -> None:
        """Removes an item from its destination's queue. Does nothing if it is not there."""
        queue = self.waiting.get(in_hand.destination)
        if queue is not None and in_hand in queue:
            queue.remove(in_hand)
            if not queue:
                del self.waiting[in_hand.destination]


class ItemInHand:
    """Implements `ports.InHand`.

    `lanes` are the lanes in which the item is counted, and `places` those in which it has a place. `memory_lanes` are
    those in which its `memory_bytes` are counted. `late` is True if its attempt was slow.
    """

    __slots__ = (
        "_gone",
        "_ready",
        "_was_open",
        "address",
        "destination",
        "lanes",
        "late",
        "memory_bytes",
        "memory_lanes",
        "owner",
        "places",
        "running",
        "state",
    )

    def __init__(self, owner: LanePlaces, destination: DestinationLanes) -> None:
        """Counts a new item in the lanes of its destination, until `leave`."""
        self.owner = owner
        self.destination = destination
        self.address = destination.address
        self.lanes = [lane for lane in (destination.own, destination.wider, self.address) if lane is not None]
        self.state = destination.state
        self._was_open = destination.own.state is LaneState.OPEN
        self.places: list[Lane] = []
        self.memory_bytes = 0
        self.memory_lanes: list[Lane] = []
        self.running = False
        self.late = False
        self._ready: asyncio.Future[float] | None = None
        self._gone = False
        for lane in self.lanes:
            lane.items += 1
        owner.items[self.state] += 1

    async def turn(self) -> float:
        destination, owner = self.destination, self.owner
        closed_s = destination.closed_s(owner.clock.monotonic_s())
        if closed_s:
            return closed_s
        if destination in owner.waiting or not owner.start(self):
            self._ready = asyncio.get_running_loop().create_future()
            owner.wait(self)
            wait_s = await self._ready
            if wait_s:
                return wait_s
        _turn.set(self)
        return 0

    def call(self, wait_s: float) -> None:
        """Ends the wait of this item.

        `wait_s` is 0 if it may start, else the number of seconds by which it is put off.
        """
        self.owner.end_wait(self)
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(wait_s)

    def take_memory(self, size_bytes: int) -> None:
        """Takes memory for the content of the item. It may be called once. Raises NoRoomError."""
        lanes = [] if self.destination.routed else list(self.lanes)
        if not all(self._fits(lane, size_bytes) for lane in (*lanes, self.address) if lane is not None):
            raise NoRoomError
        if not self.owner.memory.take(self.state, size_bytes):
            raise NoRoomError
        self.memory_bytes = size_bytes
        for lane in lanes:
            self._use_memory_of(lane)

    def has_memory_in(self, lane: Lane) -> bool:
        """Returns whether the lane's share of the memory has room for the content of the item."""
        return not self.memory_bytes or self._fits(lane, self.memory_bytes)

    def _fits(self, lane: Lane, size_bytes: int) -> bool:
        return not lane.memory_bytes or lane.memory_bytes + size_bytes <= self.owner.memory.share_bytes

    def move_to(self, address: Lane) -> None:
        """Takes a place and memory in the lane of a server's address, and gives back those at another address."""
        self.leave_address()
        address.running += 1
        address.items += 1
        self.places.append(address)
        self.lanes.append(address)
        if self.memory_bytes:
            self._use_memory_of(address)
        self.owner.pump()

    def leave_address(self) -> None:
        """Ends the counting of the item in the lane of a server's address, and gives its place and memory back."""
        for lane in [lane for lane in self.lanes if lane.kind == "address"]:
            self.lanes.remove(lane)
            lane.items -= 1
            if lane in self.places:
                self.places.remove(lane)
                lane.running -= 1
            if lane in self.memory_lanes:
                self.memory_lanes.remove(lane)
                lane.memory_bytes -= self.memory_bytes

    def _use_memory_of(self, lane: Lane) -> None:
        lane.memory_bytes += self.memory_bytes
        self.memory_lanes.append(lane)

    def free_memory(self) -> None:
        """Frees the memory for the content of the item."""
        if self.memory_bytes:
            self.owner.memory.leave(self.state, self.memory_bytes)
            for lane in self.memory_lanes:
                lane.memory_bytes -= self.memory_bytes
            self.memory_bytes, self.memory_lanes = 0, []

    def ended(self, delivery: Delivery | None) -> None:
        owner, destination = self.owner, self.destination
        if delivery is not None:
            if delivery.timed_out and not destination.routed:
                owner.shrink(destination.own)
                if destination.wider is not None and not self._was_open:
                    owner.shrink(destination.wider)
            elif is_whole_domain(delivery):
                destination.own.closed_until_s = owner.clock.monotonic_s() + owner.limits.back_off_s
            elif delivery.code:
                for lane in (destination.own, destination.wider):
                    if lane is not None:
                        owner.answered(lane, late=self.late)
        owner.dismiss()
        self._give_back()

    def leave(self) -> None:
        if self._gone:
            return
        self._gone = True
        self.owner.end_wait(self)
        self._give_back()
        self.owner.items[self.state] -= 1
        for lane in self.lanes:
            lane.items -= 1

    def _give_back(self) -> None:
        if not self.running:
            return
        self.running = False
        for lane in self.places:
            lane.running -= 1
        self.places = []
        if self.state is not LaneState.UNANSWERED:
            self.owner.running -= 1
        self.owner.pump()


def current_item() -> ItemInHand | None:
    """Returns the item whose turn the current asyncio task has, or None.

    The item's attempt may begin, or has begun and not ended.
    """
    in_hand = _turn.get()
    return in_hand if in_hand is not None and in_hand.running else None


_turn: ContextVar[ItemInHand | None] = ContextVar("_turn", default=None)
"""The item whose turn the current asyncio task has. The worker attempts each item in a task of its own."""


def is_whole_domain(delivery: Delivery) -> bool:
    """Returns whether a temporary failure concerns the whole server, and not only one mailbox (R-OUT-02)."""
    return not (delivery.accepted or delivery.permanent) and (delivery.phase in _HOST_PHASES or delivery.code == 421)
