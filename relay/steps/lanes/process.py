"""The lanes of all destinations, in the memory of one process."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from relay.core.destination import organization_of
from relay.ports import Clock, Observer
from relay.steps.lanes.attempt import LaneAttempt
from relay.steps.lanes.lane import DestinationLanes, Lane, LaneLimits, LaneState, SharedLanes
from relay.steps.lanes.places import ItemInHand, LanePlaces, current_item

_MOST_DESTINATIONS: Final = 10_000


class ProcessLanes:
    """Implements `ports.Lanes` in the memory of one process.

    `routes` has the name of the server for each routed destination; the key "*" stands for all others.
    """

    def __init__(
        self, limits: LaneLimits, clock: Clock, observer: Observer, routes: Mapping[str, str] | None = None
    ) -> None:
        self.places = LanePlaces(limits, clock, observer)
        self._most = limits.per_destination
        self._clock = clock
        self._routes = routes or {}
        self._shared = SharedLanes(limits.per_destination)
        self._destinations: dict[str, DestinationLanes] = {}

    def room(self, destination: str) -> int:
        return self.places.room(self._of(destination))

    def closed_s(self, destination: str) -> float:
        return self._of(destination).closed_s(self._clock.monotonic_s())

    def take(self, destination: str) -> ItemInHand:
        lanes = self._of(destination)
        self._destinations.pop(destination, None)
        self._destinations[destination] = lanes
        if len(self._destinations) > _MOST_DESTINATIONS:
            self._forget()
        return ItemInHand(self.places, lanes)

    def attempt(self, domain: str) -> LaneAttempt:
        current = current_item()
        return LaneAttempt(self._shared, current or self.take(domain), is_alone=current is None)

    @contextmanager
    def content(self, destination: str) -> Iterator[Callable[[int], None]]:
        current = current_item()
        in_hand = current or self.take(destination)
        try:
            yield in_hand.take_memory
        finally:
            in_hand.free_memory()
            if current is None:
                in_hand.leave()

    def _of(self, destination: str) -> DestinationLanes:
        return self._destinations.get(destination) or self._made(destination)

    def _made(self, destination: str) -> DestinationLanes:
        route = self._routes.get(destination) or self._routes.get("*")
        if route is not None:
            own = Lane("destination", self._most, LaneState.OPEN, self._most)
            return DestinationLanes(own, self._shared.route(route), routed=True)
        organization = organization_of(destination)
        wider = self._shared.organization(organization) if organization else None
        return DestinationLanes(Lane("destination", self._most), wider, routed=False)

    def _forget(self) -> None:
        """Removes the destination that was not used for the longest time and has no item in hand."""
        unused = (name for name, lanes in self._destinations.items() if not lanes.own.items)
        if (name := next(unused, None)) is not None:
            del self._destinations[name]
