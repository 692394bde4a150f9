"""The lanes of one process (R-OUT-01, R-OUT-02): a slow server delays only the mail to itself.

Each destination has a lane. Its organization (the registered domain) has a lane too, and so has each address of a
server, where all addresses of an IPv6 /64 network share one lane. A lane has a window, which is the number of attempts
that it may have at once. The window of a new lane is one. Each quick answer doubles the window, up to the limit for
each destination. If an attempt times out, the window becomes one and the lane is closed for a while. With each further
time-out the lane is closed for longer, until a server answers again.

A quarter of all places is reserved for lanes that are open, so that new lanes cannot take every place. Lanes that timed
out lately may use at most a quarter of all places. An attempt that takes longer than `slow_after_s` is counted among
these slow ones; if they already use their whole quarter, the attempt is cut off. Therefore the other places are never
occupied for long, whatever the number of servers that do not answer. The memory for big contents is shared in the same
way (`LaneMemory`), and no lane gets more than a quarter of it. The time in which the relay itself works on a content,
or waits for its own workers, does not count.

After the final dot a server may have accepted the message. If the attempt were cut off then, the message could be sent
twice. Therefore the attempt keeps its places in its lanes until the courier has the answer, or stops waiting for it. If
the attempt is slow, and the slow attempts use their whole quarter, it only frees its part of all places, so that other
attempts can begin. At most `concurrency` attempts wait in this way.

A destination with a configured route always has the whole window, because the administrator has chosen its server and
no stranger can choose it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network
from types import TracebackType
from typing import Final, Literal, Self
from weakref import WeakValueDictionary

from relay.core.destination import organization_of
from relay.ports import Clock, Delivery, NoRoomError, Observer
from relay.steps.lane_memory import LaneMemory, LaneState

DEPTH: Final = 4
"""The number of items in hand for each place, so that a slow commit never leaves a connection idle."""
_MOST_PATHS: Final = 10_000
_LONGEST_CLOSED: Final = 8
"""The longest time for which a lane is closed, as a multiple of `back_off_s`."""
_BYTES_A_SECOND: Final = 131_072
"""The speed in bytes per second above which the sending of a content never makes an attempt slow."""
_SOON_S: Final = 1.0
_HOST_PHASES: Final = frozenset({"dns", "connect", "tls"})

Kind = Literal["destination", "organization", "address", "route"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneLimits:
    """The limits of the lanes of one process.

    - `concurrency` is the number of attempts at once in all lanes, and `per_destination` the number in each lane.
    - `interval_s` is the shortest time between the starts of two attempts to one destination.
    - An attempt counts as slow after `slow_after_s`, and `attempt_s` is its longest time up to the final dot.
    - A lane is closed for `back_off_s` when its server refuses all mail for now.
    - `memory_bytes` limits the memory for big contents.
    """

    concurrency: int = 50
    per_destination: int = 20
    interval_s: float = 0
    slow_after_s: float = 15
    attempt_s: float = 900
    back_off_s: float = 60
    memory_bytes: int = 33_554_432


@dataclass(slots=True, eq=False, weakref_slot=True)
class _Lane:
    kind: Kind
    limit: int
    state: LaneState = LaneState.NEW
    window: int = 1
    items: int = 0
    running: int = 0
    memory_bytes: int = 0
    timeouts: int = 0
    closed_until_s: float = 0
    next_at_s: float = 0

    @property
    def spare_items(self) -> int:
        return (self.window * DEPTH if self.state is LaneState.OPEN else 1) - self.items

    def grow(self) -> None:
        self.timeouts, self.closed_until_s = 0, 0
        self.window = min(self.limit, self.window * 2)
        self.state = LaneState.OPEN

    def lag(self) -> None:
        """Records a slow answer: the lane is open again, and its window is halved."""
        self.timeouts, self.closed_until_s = 0, 0
        self.window = max(1, self.window // 2)
        self.state = LaneState.SLOW if self.window == 1 else self.state


@dataclass(slots=True, eq=False)
class _Path:
    """The lanes of one destination, and the items that wait for a place in them.

    `wider` is the lane of the organization, or of the route if there is one. `address` is the lane of the server
    address that was contacted last. `waiting` are the items in hand that wait for their turn.
    """

    own: _Lane
    wider: _Lane | None
    routed: bool
    address: _Lane | None = None
    waiting: "deque[ItemInHand]" = field(default_factory=deque)

    @property
    def state(self) -> LaneState:
        if self.routed:
            return LaneState.OPEN
        if self.own.state is LaneState.SLOW or (self.address is not None and self.address.state is LaneState.SLOW):
            return LaneState.SLOW
        # A destination that answers is not slowed down by another destination of the same organization.
        if self.own.state is LaneState.NEW and self.wider is not None and self.wider.state is LaneState.SLOW:
            return LaneState.SLOW
        return self.own.state

    @property
    def spare_items(self) -> int:
        if self.routed:
            return self.own.spare_items
        spare = self.own.spare_items
        if self.wider is not None:
            is_open = self.own.state is LaneState.OPEN
            wider = self.wider.limit * DEPTH - self.wider.items if is_open else self.wider.spare_items
            spare = min(spare, wider)
        return min(spare, self.address.spare_items) if self.address is not None else spare

    def has_place(self, address: _Lane | None) -> bool:
        wider = self.wider
        if self.own.running >= self.own.window or (address is not None and address.running >= address.window):
            return False
        if wider is None:
            return True
        is_open = self.routed or self.own.state is LaneState.OPEN
        return wider.running < (wider.limit if is_open else wider.window)

    def closed_s(self, now_s: float) -> float:
        """Returns the number of seconds for which no item may be sent; 0 if all lanes are open."""
        until_s = self.own.closed_until_s
        if self.address is not None:
            until_s = max(until_s, self.address.closed_until_s)
        if not self.routed and self.wider is not None and self.own.state is not LaneState.OPEN:
            until_s = max(until_s, self.wider.closed_until_s)
        return max(0, until_s - now_s)


class ProcessLanes:
    """Implements `ports.Lanes` in the memory of one process.

    `routes` has the name of the server for each routed destination; the key "*" stands for all others. The methods
    that the port does not have are for `ItemInHand` and `LaneAttempt`.
    """

    def __init__(
        self, limits: LaneLimits, clock: Clock, observer: Observer, routes: Mapping[str, str] | None = None
    ) -> None:
        self.limits = limits
        self.clock = clock
        self.observer = observer
        self._routes = routes or {}
        self._paths: dict[str, _Path] = {}
        self.shared: WeakValueDictionary[tuple[Kind, str], _Lane] = WeakValueDictionary()
        self.queued: dict[_Path, None] = {}
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

    def room(self, destination: str) -> int:
        path = self._paths.get(destination) or self._made(destination)
        if path.closed_s(self.clock.monotonic_s()):
            return 0
        return max(0, min(self.spare, path.spare_items, self._share(path.state)))

    def closed_s(self, destination: str) -> float:
        path = self._paths.get(destination) or self._made(destination)
        return path.closed_s(self.clock.monotonic_s())

    def take(self, destination: str) -> "ItemInHand":
        path = self._paths.pop(destination, None) or self._made(destination)
        self._paths[destination] = path
        if len(self._paths) > _MOST_PATHS:
            self._forget()
        in_hand = ItemInHand(self, path)
        for lane in in_hand.lanes:
            lane.items += 1
        self.items[in_hand.state] += 1
        return in_hand

    def attempt(self, domain: str) -> "LaneAttempt":
        return LaneAttempt(self, _current(), domain)

    @contextmanager
    def content(self, destination: str) -> Iterator[Callable[[int], None]]:
        current = _current()
        in_hand = current or self.take(destination)
        try:
            yield in_hand.take_memory
        finally:
            in_hand.free_memory()
            if current is None:
                in_hand.leave()

    # ------------------------------------------------------------ lanes

    def _made(self, destination: str) -> _Path:
        most = self.limits.per_destination
        route = self._routes.get(destination) or self._routes.get("*")
        if route is not None:
            own = _Lane("destination", most, LaneState.OPEN, most)
            return _Path(own, self.shared_lane("route", route, LaneState.OPEN, most), routed=True)
        organization = organization_of(destination)
        wider = self.shared_lane("organization", organization) if organization else None
        return _Path(_Lane("destination", most), wider, routed=False)

    def shared_lane(self, kind: Kind, name: str, state: LaneState = LaneState.NEW, window: int = 1) -> _Lane:
        lane = self.shared.get((kind, name))
        if lane is None:
            lane = self.shared[kind, name] = _Lane(kind, self.limits.per_destination, state, window)
        return lane

    def _forget(self) -> None:
        """Removes the destination that was not used for the longest time and has no item in hand."""
        name = next((name for name, path in self._paths.items() if not path.own.items), None)
        if name is not None:
            del self._paths[name]

    def _share(self, state: LaneState) -> int:
        """Returns how many more items whose lanes are in this state may be taken in hand."""
        if state is LaneState.OPEN:
            return self.limits.concurrency * DEPTH
        unproven = self.items[LaneState.NEW] + self.items[LaneState.SLOW]
        room = self._most_unproven - unproven
        return min(room, self._most_slow - self.items[LaneState.SLOW]) if state is LaneState.SLOW else room

    def shrink(self, lane: _Lane) -> None:
        lane.timeouts += 1
        lane.state, lane.window = LaneState.SLOW, 1
        times = min(2 ** min(lane.timeouts - 1, 10), _LONGEST_CLOSED)
        lane.closed_until_s = self.clock.monotonic_s() + self.limits.back_off_s * times
        self.observer.count("delivery_lanes", lane=lane.kind, change="shrunk")

    def answered(self, lane: _Lane, *, late: bool) -> None:
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
        if self.queued:
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
        path = in_hand.path
        if self.running >= self.limits.concurrency or not path.has_place(in_hand.address):
            return False
        if self.limits.interval_s > 0:
            timed = path.wider if path.routed and path.wider is not None else path.own
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
        while started and self.queued:
            started = False
            for path in list(self.queued):
                if self.start(path.waiting[0]):
                    path.waiting[0].call(0)
                    started = True

    def dismiss(self) -> None:
        """Puts off the waiting items whose lane was closed or became slow after they were taken in hand."""
        now_s = self.clock.monotonic_s()
        for path in list(self.queued):
            closed_s, is_slow = path.closed_s(now_s), path.state is LaneState.SLOW
            for in_hand in list(path.waiting) if closed_s or is_slow else ():
                if closed_s or in_hand.state is not LaneState.SLOW:
                    in_hand.call(closed_s or _SOON_S)


class ItemInHand:
    """Implements `ports.InHand`.

    `places` are the lanes in which the item has a place. `memory_lanes` are the lanes in which its `memory_bytes` are
    counted. `late` is True if its attempt was slow.
    """

    __slots__ = (
        "_gone",
        "_ready",
        "_was_open",
        "address",
        "lanes",
        "late",
        "memory_bytes",
        "memory_lanes",
        "owner",
        "path",
        "places",
        "running",
        "state",
    )

    def __init__(self, owner: ProcessLanes, path: _Path) -> None:
        self.owner = owner
        self.path = path
        self.address = path.address
        self.lanes = [lane for lane in (path.own, path.wider, path.address) if lane is not None]
        self.state = path.state
        self._was_open = path.own.state is LaneState.OPEN
        self.places: list[_Lane] = []
        self.memory_bytes = 0
        self.memory_lanes: list[_Lane] = []
        self.running = False
        self.late = False
        self._ready: asyncio.Future[float] | None = None
        self._gone = False

    async def turn(self) -> float:
        path, owner = self.path, self.owner
        closed_s = path.closed_s(owner.clock.monotonic_s())
        if closed_s:
            return closed_s
        if path.waiting or not owner.start(self):
            self._ready = asyncio.get_running_loop().create_future()
            path.waiting.append(self)
            owner.queued[path] = None
            wait_s = await self._ready
            if wait_s:
                return wait_s
        _turn.set(self)
        return 0

    def call(self, wait_s: float) -> None:
        """Ends the wait of this item.

        `wait_s` is 0 if it may start, else the number of seconds by which it is put off.
        """
        self._unqueue()
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(wait_s)

    def take_memory(self, size_bytes: int) -> None:
        """Takes memory for the content of the item. It may be called once. Raises NoRoomError."""
        lanes = [] if self.path.routed else list(self.lanes)
        if not all(self._fits(lane, size_bytes) for lane in (*lanes, self.address) if lane is not None):
            raise NoRoomError
        if not self.owner.memory.take(self.state, size_bytes):
            raise NoRoomError
        self.memory_bytes = size_bytes
        for lane in lanes:
            self._use_memory_of(lane)

    def has_memory_in(self, lane: _Lane) -> bool:
        """Returns whether the lane's share of the memory has room for the content of the item."""
        return not self.memory_bytes or self._fits(lane, self.memory_bytes)

    def _fits(self, lane: _Lane, size_bytes: int) -> bool:
        return not lane.memory_bytes or lane.memory_bytes + size_bytes <= self.owner.memory.share_bytes

    def move_to(self, address: _Lane) -> None:
        """Takes a place and memory in the lane of a server's address, and gives back those at another address."""
        self.leave_address()
        address.running += 1
        address.items += 1
        self.places.append(address)
        self.lanes.append(address)
        if self.memory_bytes:
            self._use_memory_of(address)
        if self.owner.queued:
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

    def _use_memory_of(self, lane: _Lane) -> None:
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
        owner, path = self.owner, self.path
        if delivery is not None:
            if delivery.timed_out and not path.routed:
                owner.shrink(path.own)
                if path.wider is not None and not self._was_open:
                    owner.shrink(path.wider)
            elif is_whole_domain(delivery):
                path.own.closed_until_s = owner.clock.monotonic_s() + owner.limits.back_off_s
            elif delivery.code:
                for lane in (path.own, path.wider):
                    if lane is not None:
                        owner.answered(lane, late=self.late)
        if owner.queued:
            owner.dismiss()
        self._give_back()

    def leave(self) -> None:
        if self._gone:
            return
        self._gone = True
        self._unqueue()
        self._give_back()
        self.owner.items[self.state] -= 1
        for lane in self.lanes:
            lane.items -= 1

    def _unqueue(self) -> None:
        if self.path in self.owner.queued and self in self.path.waiting:
            self.path.waiting.remove(self)
            if not self.path.waiting:
                del self.owner.queued[self.path]

    def _give_back(self) -> None:
        if not self.running:
            return
        self.running = False
        for lane in self.places:
            lane.running -= 1
        self.places = []
        if self.state is not LaneState.UNANSWERED:
            self.owner.running -= 1
        if self.owner.queued:
            self.owner.pump()


class LaneAttempt:
    """Implements `ports.Attempt`."""

    def __init__(self, owner: ProcessLanes, in_hand: ItemInHand | None, domain: str) -> None:
        self.again_s = _SOON_S
        self._owner = owner
        self._is_alone = in_hand is None
        self._in_hand = in_hand or owner.take(domain)
        self._began_s = 0.0
        self._taken_bytes = 0
        self._timeout = asyncio.timeout(None)
        self._timer: asyncio.TimerHandle | None = None
        self._at: _Lane | None = None
        self._at_since_s = 0.0
        self.may_be_accepted = False

    async def __aenter__(self) -> Self:
        if self._is_alone:
            await self._own_turn()
        limits, loop = self._owner.limits, asyncio.get_running_loop()
        self._timeout = asyncio.timeout(limits.attempt_s)
        await self._timeout.__aenter__()
        if not self._in_hand.path.routed:
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
        if in_hand.path.routed:
            return True
        lane = owner.shared_lane("address", _network(address))
        in_hand.path.address = lane
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

    def _begin_at(self, lane: _Lane) -> None:
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


def _current() -> ItemInHand | None:
    """Returns the item whose turn the current asyncio task has, or None.

    The item's attempt may begin, or has begun and not ended.
    """
    in_hand = _turn.get()
    return in_hand if in_hand is not None and in_hand.running else None


_turn: ContextVar[ItemInHand | None] = ContextVar("_turn", default=None)
"""The item whose turn the current asyncio task has. The worker attempts each item in a task of its own."""


def _network(address: str) -> str:
    """Returns the name of a lane for an IP address: the address itself for IPv4, its /64 network for IPv6.

    One server may have any number of addresses in one /64 network.
    """
    ip = ip_address(address.partition("%")[0])
    return str(ip_network((ip, 64), strict=False)) if isinstance(ip, IPv6Address) else address


def is_whole_domain(delivery: Delivery) -> bool:
    """Returns whether a temporary failure concerns the whole server, and not only one mailbox (R-OUT-02)."""
    return not (delivery.accepted or delivery.permanent) and (delivery.phase in _HOST_PHASES or delivery.code == 421)
