"""Time, randomness and counting."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The time. Everything that depends on it asks the clock, so that tests can set the time."""

    def now(self) -> datetime:
        """Returns the time in UTC, with time zone. It does not jump while the process runs."""
        ...

    def monotonic_s(self) -> float:
        """Returns seconds that only increase, from an unknown start. They are for time-outs."""
        ...


class Ids(Protocol):
    """Random and unique values. The methods may be called in any thread."""

    def new(self) -> str:
        """Returns a fresh record id: 26 lower-case base32hex characters (RFC 4648 §7), which sort by time of creation.

        The ids of one process always increase.
        """
        ...

    def entropy(self, size: int) -> bytes:
        """Returns `size` bytes of the system's secure random source."""
        ...


class Observer(Protocol):
    """Counts and durations for the metrics page. A label has few possible values: never an address, an id or a text."""

    def count(self, metric: str, **labels: str) -> None:
        """Adds one to a counter. An unknown metric or label is a bug, and may raise KeyError or ValueError."""
        ...

    def duration_s(self, metric: str, seconds: float) -> None:
        """Adds a duration to a metric's distribution. An unknown metric is a bug, and may raise KeyError."""
        ...
