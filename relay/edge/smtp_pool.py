"""Connections that stay open between messages, and the limits for each destination."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from relay.edge.smtp_client import ClientSession
from relay.edge.smtp_dial import DialTarget
from relay.ports import Clock

_MOST_REMEMBERED: Final = 1_000
_CLOSE_S: Final = 1


class Pool:
    """Idle sessions by target; the newest one is used first.

    A session ends with QUIT after `idle_s` seconds without use or after `messages` transactions.
    """

    def __init__(self, *, idle_s: float, messages: int) -> None:
        self._idle_s = idle_s
        self._messages = messages
        self._resting: dict[DialTarget, list[tuple[ClientSession, asyncio.TimerHandle]]] = {}

    def take(self, target: DialTarget) -> ClientSession | None:
        """Returns an idle session that is still open, or None. The caller gives it back with `give`."""
        resting = self._resting.get(target, [])
        while resting:
            session, timer = resting.pop()
            timer.cancel()
            if not resting:
                del self._resting[target]
            if session.usable:
                return session
        return None

    def give(self, target: DialTarget, session: ClientSession) -> None:
        """Keeps the session for the next message, or ends it when it cannot or must not be used again."""
        if not session.usable:
            session.abort()
        elif session.sent >= self._messages or self._idle_s <= 0:
            session.quit()
        else:
            timer = asyncio.get_running_loop().call_later(self._idle_s, self._expire, target, session)
            self._resting.setdefault(target, []).append((session, timer))

    async def close(self) -> None:
        """Sends QUIT on every idle session and waits up to a second for the answers."""
        pairs = [pair for resting in self._resting.values() for pair in resting]
        self._resting.clear()
        for session, timer in pairs:
            timer.cancel()
            session.quit()
        if pairs:
            await asyncio.wait([session.ended for session, _ in pairs], timeout=_CLOSE_S)
        for session, _ in pairs:
            session.abort()

    def _expire(self, target: DialTarget, session: ClientSession) -> None:
        resting = [pair for pair in self._resting.pop(target, []) if pair[0] is not session]
        if resting:
            self._resting[target] = resting
        session.quit()


@dataclass(slots=True)
class _Destination:
    places: asyncio.Semaphore
    users: int = 0
    next_at_s: float = field(default=0.0)


class Destinations:
    """Limits for each destination: `concurrency` deliveries at once, with `interval_s` seconds between their starts."""

    def __init__(self, *, concurrency: int, interval_s: float, clock: Clock) -> None:
        self._concurrency = concurrency
        self._interval_s = interval_s
        self._clock = clock
        self._known: dict[str, _Destination] = {}

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[None]:
        """Waits until a delivery to the destination `name` may start, and counts it until the block ends."""
        destination = self._known.setdefault(name, _Destination(asyncio.Semaphore(self._concurrency)))
        destination.users += 1
        try:
            async with destination.places:
                if self._interval_s > 0:
                    await self._own_time(destination)
                yield
        finally:
            destination.users -= 1
            if not destination.users and self._interval_s <= 0:
                del self._known[name]
            elif len(self._known) > _MOST_REMEMBERED:
                self._forget()

    def _forget(self) -> None:
        """Removes the destinations without users whose interval is over."""
        now_s = self._clock.monotonic_s()
        self._known = {name: known for name, known in self._known.items() if known.users or known.next_at_s > now_s}

    async def _own_time(self, destination: _Destination) -> None:
        """Reserves the next start time of the destination and sleeps until then."""
        now_s = self._clock.monotonic_s()
        begin_s = max(now_s, destination.next_at_s)
        destination.next_at_s = begin_s + self._interval_s
        if begin_s > now_s:
            await asyncio.sleep(begin_s - now_s)
