"""Counters in the memory of one process, in tables with a limited number of keys."""

from collections import Counter, OrderedDict, defaultdict
from typing import Final

from relay import ports

MOST_KEYS: Final = 100_000


class ProcessCounters:
    """Implements `ports.Counters` for one process.

    For each kind of event there is a table with at most MOST_KEYS keys, which takes about 20 MB.
    """

    def __init__(self, clock: ports.Clock) -> None:
        self._clock = clock
        self._events: defaultdict[str, OrderedDict[str, tuple[float, int]]] = defaultdict(OrderedDict)
        """The tables by kind. A table has (time of opening, count) by key; the key that was used last is at the end."""
        self._places: Counter[tuple[str, str]] = Counter()

    def add(self, kind: str, key: str, window_s: float) -> int:
        events = self._events[kind]
        count = self.count(kind, key, window_s)
        opened_at = events[key][0] if count else self._clock.monotonic_s()
        events[key] = (opened_at, count + 1)
        self._drop_ended(events, window_s)
        if len(events) > MOST_KEYS:
            events.popitem(last=False)
        return count + 1

    def _drop_ended(self, events: OrderedDict[str, tuple[float, int]], window_s: float) -> None:
        """Drops the keys at the beginning whose window has ended, but two at most, so that no call takes long."""
        for _ in range(2):
            oldest, (opened_at, _count) = next(iter(events.items()))
            if self._clock.monotonic_s() - opened_at < window_s:
                return
            del events[oldest]

    def withdraw(self, kind: str, key: str) -> None:
        opened_at, count = self._events[kind].get(key, (0.0, 0))
        if count:
            self._events[kind][key] = (opened_at, count - 1)

    def count(self, kind: str, key: str, window_s: float) -> int:
        events = self._events[kind]
        found = events.get(key)
        if found is None:
            return 0
        opened_at, count = found
        if self._clock.monotonic_s() - opened_at >= window_s:
            del events[key]
            return 0
        events.move_to_end(key)
        return count

    def take(self, kind: str, key: str) -> int:
        self._places[kind, key] += 1
        return self._places[kind, key]

    def free(self, kind: str, key: str) -> None:
        self._places[kind, key] -= 1
        if self._places[kind, key] <= 0:
            del self._places[kind, key]

    def taken(self, kind: str, key: str) -> int:
        return self._places.get((kind, key), 0)
