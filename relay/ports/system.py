"""The ports of time, randomness and metrics."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The time. All code that depends on the time asks the clock, so that tests can set the time."""

    def now(self) -> datetime:
        """Returns the present time in UTC, with a time zone. The value does not jump while the process runs."""
        ...

    def monotonic_s(self) -> float:
        """Returns a number of seconds that only increases, counted from an unknown start. It serves for time-outs."""
        ...


class Ids(Protocol):
    """Random and unique values. Each method may be called in any thread."""

    def new(self) -> str:
        """Returns a new record id: 26 lower-case base32hex characters (RFC 4648 §7), which sort by time of creation.

        Each id of one process is greater than the id before it.
        """
        ...

    def entropy(self, size: int) -> bytes:
        """Returns `size` bytes of the system's secure random source."""
        ...


class Observer(Protocol):
    """Counts and durations for the metrics page.

    A label has only a few possible values, and its value is never an address, an id or a text.
    """

    def count(self, metric: str, **labels: str) -> None:
        """Adds one to a counter.

        An unknown metric or label is a programming error, and may raise KeyError or ValueError.
        """
        ...

    def duration_s(self, metric: str, seconds: float) -> None:
        """Adds a duration to the distribution of a metric.

        An unknown metric is a programming error, and may raise KeyError.
        """
        ...
