"""The memory for big contents in delivery, divided among the states of lanes (R-IN-06, R-OUT-01)."""

from collections import Counter

from relay.steps.lanes.lane import LaneState


class LaneMemory:
    """The bytes of big contents in memory, counted by the state of their items.

    A quarter of all bytes is reserved for items in state OPEN, and items in state SLOW may use at most a quarter. If a
    state has no content in memory, one content of any size may enter, so that no state waits for the other states.
    Items in state UNANSWERED, which only wait for their last answer, may use one further quarter.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._used: Counter[LaneState] = Counter()

    @property
    def share_bytes(self) -> int:
        """Returns the number of bytes that one lane may use, and also all items in state SLOW together."""
        return self._limit_bytes // 4

    def take(self, state: LaneState, size_bytes: int) -> bool:
        """Counts the bytes for an item in this state, and returns True. Returns False if they do not fit."""
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
        """Moves the bytes of an item from state `old` to `new`, which is SLOW or UNANSWERED, and returns True.

        Returns False, with nothing changed, if they do not fit there.
        """
        is_alone = new is LaneState.SLOW and not self._used[new]
        if not is_alone and self._used[new] + size_bytes > self.share_bytes:
            return False
        self._used[old] -= size_bytes
        self._used[new] += size_bytes
        return True

    def leave(self, state: LaneState, size_bytes: int) -> None:
        """Frees the bytes of an item in this state."""
        self._used[state] -= size_bytes
