"""Budgets of memory, in bytes, that many sessions use at the same time (R-IN-06)."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Share(NamedTuple):
    """One part of a budget: the bytes in use that are counted under `name` may not exceed `limit_bytes`."""

    name: str
    limit_bytes: int


class ByteBudget(Protocol):
    """Counts the bytes that are in use under each name.

    A session takes its bytes from several shares at once: the share of all sessions, the share of all strangers, and
    the share of its client. The limits come with each call. An implementation may count for several processes.
    """

    def take(self, shares: Sequence[Share], size_bytes: int) -> Share | None:
        """Counts `size_bytes` in each of the shares, or in no share.

        Returns None if the bytes were counted. Otherwise it returns a share that would exceed its limit.
        """
        ...

    def release(self, shares: Sequence[Share], size_bytes: int) -> None:
        """Subtracts `size_bytes` from each of the shares.

        `take` must have counted the same number of bytes in them before.
        """
        ...
