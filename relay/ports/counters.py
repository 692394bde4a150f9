"""Counts that limits are compared with: events in a window of time, and places that are taken."""

from typing import Protocol


class Counters(Protocol):
    """Counts by kind and key. No method waits or raises.

    The counts hold for all processes that share the implementation. They are lost when those end. A key is a short
    text, such as a network or a hash; the keys of one kind displace no key of another kind.
    """

    def add(self, kind: str, key: str, window_s: float) -> int:
        """Counts an event, and returns the count of the key in its window.

        The window opens with the first event of the key and lasts for `window_s`. The number of keys is bounded: when
        there are too many, the key that was not used for the longest time is forgotten.
        """
        ...

    def withdraw(self, kind: str, key: str) -> None:
        """Takes one event back, if the key still has one."""
        ...

    def count(self, kind: str, key: str, window_s: float) -> int:
        """Returns the count of the key in its window, and marks the key as used."""
        ...

    def take(self, kind: str, key: str) -> int:
        """Takes a place, and returns the number of places that are taken under this key."""
        ...

    def free(self, kind: str, key: str) -> None:
        """Frees a place that was taken."""
        ...

    def taken(self, kind: str, key: str) -> int:
        """Returns the number of places that are taken under this key."""
        ...
