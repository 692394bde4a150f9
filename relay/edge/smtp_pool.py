"""The pool of connections to other servers that stay open between messages."""

import asyncio
from typing import Final

from relay.edge.smtp_client import ClientSession
from relay.edge.smtp_dial import DialTarget

_CLOSE_S: Final = 1


class Pool:
    """Idle sessions by target. The newest session is used first.

    A session is ended with QUIT after `idle_s` seconds without use, or after `messages` transactions.
    """

    def __init__(self, *, idle_s: float, messages: int) -> None:
        self._idle_s = idle_s
        self._messages = messages
        self._resting: dict[DialTarget, list[tuple[ClientSession, asyncio.TimerHandle]]] = {}

    def take(self, target: DialTarget) -> ClientSession | None:
        """Returns an idle session that is still open, or None. The caller must give it back with `give`."""
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
        """Keeps the session for the next message, or ends it if it cannot or must not be used again."""
        if not session.usable:
            session.abort()
        elif session.sent >= self._messages or self._idle_s <= 0:
            session.quit()
        else:
            timer = asyncio.get_running_loop().call_later(self._idle_s, self._expire, target, session)
            self._resting.setdefault(target, []).append((session, timer))

    async def close(self) -> None:
        """Sends QUIT on every idle session, and waits up to a second for the answers."""
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
