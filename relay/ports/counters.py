"""Counters for limits: the number of events in a window of time, and the number of places in use."""

from typing import Protocol


class Counters(Protocol):
    """Counts events and places, each by a kind and a key. No method waits or raises.

    The counts hold for all processes that share the implementation, and are lost when these processes end. A key is a
    short text, such as a network or a hash. The number of keys of one kind has no effect on the keys of another kind.
    """

    def add(self, kind: str, key: str, window_s: float) -> int:
        """Counts one event for the key, and returns the number of events in the key's present window.

        The window opens with the first event of the key and lasts for `window_s` seconds. The number of keys is
        bounded: when there are too many, the key that was not used for the longest time is forgotten.
        """
        ...

    def withdraw(self, kind: str, key: str) -> None:
        """Subtracts one event from the key's count. Does nothing if the count is 0."""
        ...

    def count(self, kind: str, key: str, window_s: float) -> int:
        """Returns the number of events of the key in its present window, and marks the key as used."""
        ...

    def take(self, kind: str, key: str) -> int:
        """Takes one place under the key, and returns the number of places that are then taken.

        The method sets no limit.
        """
        ...

    def free(self, kind: str, key: str) -> None:
        """Frees one place that `take` has taken under the key."""
        ...

    def taken(self, kind: str, key: str) -> int:
        """Returns the number of places that are taken under the key."""
        ...
