"""Time, randomness and counting."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """`now()` is the time in UTC, with time zone, and does not jump while the process runs; `monotonic_s()` is for
    time-outs."""

    def now(self) -> datetime: ...

    def monotonic_s(self) -> float: ...


class Ids(Protocol):
    """`new()` returns a fresh record id: 26 characters of lower-case base32, which sort by time of creation.
    `entropy(n)` returns n bytes of the system's secure random source."""

    def new(self) -> str: ...

    def entropy(self, size: int) -> bytes: ...


class Observer(Protocol):
    """Counts and durations for the metrics page. A label has few possible values: never an address, an id or a text."""

    def count(self, metric: str, **labels: str) -> None: ...

    def duration_s(self, metric: str, seconds: float) -> None: ...
