"""Space for incoming mail: the bytes that may be received, and the bytes that may be judged, at one time (R-IN-06).

A message of at most `data.PIECE_BYTES` takes nothing of this space, because the number of connections limits such
messages. If a share of the space is full, the slowest message in it is ended, so that a faster message gets its space.
Therefore clients that send slowly on purpose cannot keep out the mail of other clients.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

from relay import config, ports
from relay.core.networks import Address, client_key
from relay.steps.room import Room

_SLOW_S: Final = 1
"""The time in seconds since its latest piece for which a message is never ended for a faster message."""
_SLOWER: Final = 2
"""A message is ended for a faster one only if its current piece has taken this many times as long."""


class MemoryByteBudget:
    """Implements `ports.ByteBudget` for one process."""

    def __init__(self) -> None:
        self._used: Counter[str] = Counter()

    def take(self, shares: Sequence[ports.Share], size_bytes: int) -> ports.Share | None:
        for share in shares:
            if self.used(share.name) + size_bytes > share.limit_bytes:
                return share
        self._used.update({share.name: size_bytes for share in shares})
        return None

    def release(self, shares: Sequence[ports.Share], size_bytes: int) -> None:
        for share in shares:
            self._used[share.name] -= size_bytes
            if self._used[share.name] <= 0:
                del self._used[share.name]

    def used(self, name: str) -> int:
        """Returns the number of bytes in use under the name."""
        return self._used[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataClient:
    """The client of a session, as the budgets count it.

    `is_free` means that only the whole budget limits the client. `proven` means that the client has logged in or is
    free.
    """

    name: str
    proven: bool
    is_free: bool

    @classmethod
    def of(cls, client: Address, login_party_id: str | None, *, is_free: bool) -> "DataClient":
        """Returns the client under the name of the party that has logged in, else under its address or network."""
        name = login_party_id or client_key(client)
        return cls(name=name, proven=is_free or login_party_id is not None, is_free=is_free)


@dataclass(slots=True, kw_only=True, eq=False)
class UnreadMail:
    """A big message that is being received.

    `size_bytes` is the space that it uses. `piece_at_s` is the time at which its latest piece was received. `give_way`
    ends the message and releases its space.
    """

    client: DataClient
    shares: Sequence[ports.Share]
    piece_at_s: float
    give_way: Callable[[], None]
    size_bytes: int = 0


class DataSpace:
    """The space that all listeners share. Big messages are received into files in `directory`."""

    def __init__(
        self, limits: config.SmtpLimits, directory: Path, budget: ports.ByteBudget, clock: ports.Clock
    ) -> None:
        self.directory = directory
        self._budget = budget
        self._clock = clock
        self._limits = limits
        self._receiving: set[UnreadMail] = set()
        self._room = Room(limits.judged_bytes)
        self._room_of_unproven = Room(limits.judged_bytes // 2)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def now_s(self) -> float:
        """Returns the time in seconds with which the speed of messages is measured."""
        return self._clock.monotonic_s()

    def begin(self, client: DataClient, begun_at_s: float, give_way: Callable[[], None]) -> UnreadMail:
        """Returns a new message, which the client began to send at `begun_at_s`. It uses no space yet."""
        return UnreadMail(client=client, shares=self._shares(client), piece_at_s=begun_at_s, give_way=give_way)

    def take(self, mail: UnreadMail, size_bytes: int) -> bool:
        """Takes space for the next piece of a message, and ends slower messages if a share is full. Returns True.

        Returns False, and takes nothing, if there is no space and no slower message.
        """
        now_s = self.now_s()
        took_s, mail.piece_at_s = now_s - mail.piece_at_s, now_s
        while (full := self._budget.take(mail.shares, size_bytes)) is not None:
            slow = self._slow(full, mail.client, took_s)
            if not slow:
                return False
            slowest = min(slow, key=lambda one: one.piece_at_s)
            self.complete(slowest)
            slowest.give_way()
        mail.size_bytes += size_bytes
        self._receiving.add(mail)
        return True

    def complete(self, mail: UnreadMail) -> None:
        """Marks a message as received, so that it is not ended any more. It keeps its space until `release`."""
        self._receiving.discard(mail)

    def release(self, mail: UnreadMail) -> None:
        """Frees the space of a message. A second call does nothing."""
        self.complete(mail)
        self._budget.release(mail.shares, mail.size_bytes)
        mail.size_bytes = 0

    def has_space(self, client: DataClient, size_bytes: int) -> bool:
        """Returns whether there is space for a message of this size, if it is faster than the slow messages."""
        return all(self._fits(share, client, size_bytes) for share in self._shares(client))

    def _fits(self, share: ports.Share, client: DataClient, size_bytes: int) -> bool:
        needed = max(0, size_bytes - sum(mail.size_bytes for mail in self._slow(share, client, 0)))
        if self._budget.take((share,), needed) is not None:
            return False
        self._budget.release((share,), needed)
        return True

    def _slow(self, share: ports.Share, client: DataClient, took_s: float) -> Sequence[UnreadMail]:
        """Returns the messages of a share that may be ended for a faster message of `client`.

        `took_s` is the time in seconds that the last piece of the faster message took. A message of a proven client is
        ended only for a message of another proven client. A message of a client without limits is never ended.
        """
        before_s = self.now_s() - max(_SLOW_S, took_s * _SLOWER)
        return [
            mail
            for mail in self._receiving
            if share in mail.shares
            and mail.piece_at_s < before_s
            and not mail.client.is_free
            and (client.proven or not mail.client.proven)
        ]

    def _shares(self, client: DataClient) -> tuple[ports.Share, ...]:
        """Returns the shares of the budget in which the client's unread mail counts. Each has room for one message."""
        limits = self._limits
        shares = {"all": limits.unread_bytes}
        if not client.proven:
            shares["unproven"] = limits.unread_bytes_unproven
        if not client.is_free:
            shares[f"client {client.name}"] = limits.unread_bytes_per_client
        return tuple(ports.Share(name, max(most, limits.message_bytes)) for name, most in shares.items())

    @asynccontextmanager
    async def at_work(self, client: DataClient, size_bytes: int) -> AsyncIterator[None]:
        """Waits for the memory in which a message of this size can be judged, and keeps it during the block.

        Mail of strangers gets at most half of the memory. Only one message of each client is judged at a time, so that
        its other messages do not delay the messages of other clients.
        """
        async with AsyncExitStack() as stack:
            if not client.is_free:
                await stack.enter_async_context(self._turns.setdefault(client.name, asyncio.Lock()))
            if not client.proven:
                await stack.enter_async_context(self._room_of_unproven.entered(size_bytes))
            await stack.enter_async_context(self._room.entered(size_bytes))
            yield
