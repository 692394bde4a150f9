"""The lanes, their states and their limits."""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Final, Literal
from weakref import WeakValueDictionary

from relay.core.networks import client_key

DEPTH: Final = 4
"""The number of items in hand for each place, so that a slow commit never leaves a connection idle."""

LaneKind = Literal["destination", "organization", "address", "route"]


class LaneState(StrEnum):
    """The state of a lane, or of an item in hand.

    Only an item can be UNANSWERED.
    """

    NEW = "no answer yet"
    OPEN = "answers"
    SLOW = "timed out, or answers slowly"
    UNANSWERED = "was sent as a whole, and the answer is late"


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
class Lane:
    """The state of one lane, and its counts.

    `items` are the items in hand, `running` those with a place in the lane, and `memory_bytes` their big contents.
    """

    kind: LaneKind
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
class DestinationLanes:
    """The lanes of one destination.

    `wider` is the lane of the organization, or of the route if there is one. `address` is the lane of the server
    address that was contacted last.
    """

    own: Lane
    wider: Lane | None
    routed: bool
    address: Lane | None = None

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

    def has_place(self, address: Lane | None) -> bool:
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


class SharedLanes:
    """The lanes that several destinations share. A lane is forgotten when nothing uses it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lanes: WeakValueDictionary[tuple[LaneKind, str], Lane] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._lanes)

    def organization(self, name: str) -> Lane:
        return self._get("organization", name)

    def route(self, name: str) -> Lane:
        """Returns the lane of a configured server, which always has the whole window."""
        return self._get("route", name, LaneState.OPEN, self._limit)

    def address(self, ip: str) -> Lane:
        """Returns the lane of a server's address.

        One server may have any number of addresses in one /64 network, as a client may. So they share a lane.
        """
        return self._get("address", client_key(ip_address(ip)))

    def _get(self, kind: LaneKind, name: str, state: LaneState = LaneState.NEW, window: int = 1) -> Lane:
        lane = self._lanes.get((kind, name))
        if lane is None:
            lane = self._lanes[kind, name] = Lane(kind, self._limit, state, window)
        return lane
