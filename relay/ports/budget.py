"""Budgets of bytes that many sessions use at the same time (R-IN-06)."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Share(NamedTuple):
    """A part of a budget: at most `limit_bytes` are in use under `name`."""

    name: str
    limit_bytes: int


class ByteBudget(Protocol):
    """Counts the bytes in use under each name.

    Sessions take bytes from several shares at once: of all sessions, of all strangers, of one client. The limits come
    with each call. An implementation may count for several processes.
    """

    def take(self, shares: Sequence[Share], size_bytes: int) -> bool:
        """Counts the bytes in all of the shares. Returns False, and counts nothing, if one would exceed its limit."""
        ...

    def release(self, shares: Sequence[Share], size_bytes: int) -> None:
        """Ends the count of bytes that `take` has counted in the same shares."""
        ...
