"""The places for heavy work, limited in number for all parties together and for each party, with a limited queue."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final, NamedTuple

from relay.ports import HeavyMailError

_FULL: Final = "too many large messages are being checked, try again later"


class _Waiting(NamedTuple):
    party: str
    turn: asyncio.Future[None]


class WorkPlaces:
    """Gives places to parties in the order of arrival, and to no party more than its share.

    A party that waits only for the end of its own work does not delay the parties after it.
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
        of_party = sum(one.party == party for one in self._queue)
        if len(self._queue) >= self._most_waiting or of_party >= self._most_waiting_per_party:
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
        return self._free > 0 and self._taken[party] < self._per_party

    def _begin(self, party: str) -> None:
        self._free -= 1
        self._taken[party] += 1

    def _give_back(self, party: str) -> None:
        self._free += 1
        self._taken[party] -= 1
        self._taken += Counter()  # removes parties without a place
        for waiting in self._queue:
            # A cancelled waiter removes itself one turn of the event loop later.
            if not waiting.turn.done() and self._may_begin(waiting.party):
                self._queue.remove(waiting)
                self._begin(waiting.party)
                waiting.turn.set_result(None)
                return
