"""The places for heavy work, limited in number for all parties together and for each party, with a limited queue."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Final, NamedTuple

from relay.ports import HeavyMailError

_FULL: Final = "too many large messages are being checked, try again later"


class _Waiting(NamedTuple):
    party: str
    turn: asyncio.Future[None]


class WorkPlaces:
    """Gives places to parties in the order of arrival, and to no party more than its share.

    A party that waits only for the end of its own work does not delay the parties after it. A client of a party, where
    `party` is both names with a space between them, gets a quarter of the party's share at most, or one place.
    """

    def __init__(self, *, in_all: int, per_party: int, waiting: int, waiting_per_party: int) -> None:
        self._free = in_all
        self._per_party = per_party
        self._most_waiting = waiting
        self._most_waiting_per_party = waiting_per_party
        self._taken: Counter[str] = Counter()
        self._queue: list[_Waiting] = []

    @contextlib.asynccontextmanager
    async def place(self, party: str, longest_s: float) -> AsyncIterator[None]:
        """Waits for a place, keeps it during the block, and frees it at the end.

        Raises HeavyMailError if no place is free within `longest_s` seconds, or at once if too many callers wait
        already.
        """
        await self._take(party, longest_s)
        try:
            yield
        finally:
            self._give_back(party)

    async def _take(self, party: str, longest_s: float) -> None:
        if self._may_begin(party):
            self._begin(party)
            return
        waiting_for = Counter(name for one in self._queue for name, _ in _shares(one.party, 0))
        if len(self._queue) >= self._most_waiting or any(
            waiting_for[name] >= most for name, most in _shares(party, self._most_waiting_per_party)
        ):
            raise HeavyMailError(_FULL)
        waiting = _Waiting(party, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        try:
            async with asyncio.timeout(longest_s):
                await waiting.turn
        except BaseException as error:
            if waiting in self._queue:
                self._queue.remove(waiting)
            elif waiting.turn.done() and not waiting.turn.cancelled():
                self._give_back(party)  # the place was given at the moment of the error
            if isinstance(error, TimeoutError):
                raise HeavyMailError(_FULL) from None
            raise

    def _may_begin(self, party: str) -> bool:
        return self._free > 0 and all(self._taken[name] < most for name, most in _shares(party, self._per_party))

    def _begin(self, party: str) -> None:
        self._free -= 1
        self._taken.update(name for name, _ in _shares(party, 0))

    def _give_back(self, party: str) -> None:
        self._free += 1
        self._taken.subtract(name for name, _ in _shares(party, 0))
        self._taken += Counter()  # removes parties without a place
        for waiting in self._queue:
            # A cancelled waiter removes itself one turn of the event loop later.
            if not waiting.turn.done() and self._may_begin(waiting.party):
                self._queue.remove(waiting)
                self._begin(waiting.party)
                waiting.turn.set_result(None)
                return


def _shares(party: str, most: int) -> Iterator[tuple[str, int]]:
    """Yields each name under which work is counted, with its limit, if `most` is the limit of a party."""
    yield party.partition(" ")[0], most
    if " " in party:
        yield party, max(1, most // 4)
