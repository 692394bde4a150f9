"""Time, randomness and counting."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """`now()` is aware UTC and does not jump while the process lives; `monotonic_s()` is for time-outs."""

    def now(self) -> datetime: ...

    def monotonic_s(self) -> float: ...


class Ids(Protocol):
    """`new()` is a fresh record id: 26 characters of lower-case base32 that sort by time of making. `entropy(n)`
    gives n bytes from the system's secure source."""

    def new(self) -> str: ...

    def entropy(self, size: int) -> bytes: ...


class Observer(Protocol):
    """Counts and durations for the metrics page. Labels are few-valued words: never an address, an id or a text."""

    def count(self, metric: str, **labels: str) -> None: ...

    def duration_s(self, metric: str, seconds: float) -> None: ...
