"""Memory for big contents in delivery, shared by the states of lanes as the places are (R-IN-06, R-OUT-01)."""

from collections import Counter
from enum import Enum


class LaneState(Enum):
    """The state of a lane, or of an item in hand. Only an item can be UNANSWERED."""

    NEW = "no answer yet"
    OPEN = "answers"
    SLOW = "timed out, or answers slowly"
    UNANSWERED = "was sent as a whole, and the answer is late"


class LaneMemory:
    """The bytes of big contents in memory, by the state of their items.

    Of all bytes, a quarter is kept for lanes that are open, and slow lanes may have a quarter. One content of each of
    the three states always has room, however big it is, so that none waits for the others. Items that only wait for
    their last answer may have another quarter beside these.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._used: Counter[LaneState] = Counter()

    @property
    def share_bytes(self) -> int:
        """The bytes that one lane, and all slow lanes, may have."""
        return self._limit_bytes // 4

    def take(self, state: LaneState, size_bytes: int) -> bool:
        """Takes the bytes for an item, or returns False."""
        used, size = self._used, size_bytes
        slow_bytes, all_bytes = used[LaneState.SLOW], sum(used.values()) - used[LaneState.UNANSWERED]
        unproven_bytes = used[LaneState.NEW] + slow_bytes
        fits = all_bytes + size <= self._limit_bytes
        if state is not LaneState.OPEN:
            fits = fits and unproven_bytes + size <= self._limit_bytes - self.share_bytes
        if state is LaneState.SLOW:
            fits = fits and slow_bytes + size <= self.share_bytes
        if fits or not used[state]:
            used[state] += size
            return True
        return False

    def move(self, size_bytes: int, old: LaneState, new: LaneState) -> bool:
        """Counts the bytes of an item as those of another state, SLOW or UNANSWERED, or returns False."""
        is_alone = new is LaneState.SLOW and not self._used[new]
        if not is_alone and self._used[new] + size_bytes > self.share_bytes:
            return False
        self._used[old] -= size_bytes
        self._used[new] += size_bytes
        return True

    def leave(self, state: LaneState, size_bytes: int) -> None:
        """Gives the bytes of an item back."""
        self._used[state] -= size_bytes
