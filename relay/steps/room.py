"""A limit of the memory for big messages that are judged at the same time (R-IN-06)."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Room:
    """A limited amount of memory for big messages. Messages that do not fit wait, in the order in which they arrive."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._used_bytes = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def entered(self, size_bytes: int) -> AsyncIterator[None]:
        """Waits for room for `size_bytes`, keeps it during the block, and frees it at the end.

        A message that is larger than the whole room enters when the room is empty.
        """
        await self._enter(size_bytes)
        try:
            yield
        finally:
            self._leave(size_bytes)

    def _take(self, size_bytes: int) -> bool:
        if self._waiting or not self._fits(size_bytes):
            return False
        self._used_bytes += size_bytes
        return True

    async def _enter(self, size_bytes: int) -> None:
        if self._take(size_bytes):
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        place = size_bytes, turn
        self._waiting.append(place)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave(size_bytes)
            else:
                with suppress(ValueError):  # `_admit` may have removed this waiter already
                    self._waiting.remove(place)
                self._admit()
            raise

    def _leave(self, size_bytes: int) -> None:
        self._used_bytes -= size_bytes
        self._admit()

    def _admit(self) -> None:
        while self._waiting:
            size_bytes, turn = self._waiting[0]
            if not turn.cancelled():  # a cancelled waiter removes itself a turn of the event loop later
                if not self._fits(size_bytes):
                    return
                self._used_bytes += size_bytes
                turn.set_result(None)
            self._waiting.popleft()

    def _fits(self, size_bytes: int) -> bool:
        return not self._used_bytes or self._used_bytes + size_bytes <= self._limit_bytes
