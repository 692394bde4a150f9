"""Space for mail on its way in: the bytes that may be received, and those that may be at work, at one time (R-IN-06).

A message up to `data.PIECE_BYTES` is bounded by the number of connections and needs nothing of this.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

from relay import config, ports
from relay.core.networks import Address, client_key
from relay.steps.room import Room


class MemoryByteBudget:
    """Implements `ports.ByteBudget` for one process."""

    def __init__(self) -> None:
        self._used: Counter[str] = Counter()

    def take(self, shares: Sequence[ports.Share], size_bytes: int) -> bool:
        if any(self._used[share.name] + size_bytes > share.limit_bytes for share in shares):
            return False
        self._used.update({share.name: size_bytes for share in shares})
        return True

    def release(self, shares: Sequence[ports.Share], size_bytes: int) -> None:
        for share in shares:
            self._used[share.name] -= size_bytes
            if self._used[share.name] <= 0:
                del self._used[share.name]

    def used(self, name: str) -> int:
        """Returns the bytes in use under the name."""
        return self._used[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataClient:
    """The client of a session as budgets see it. `is_free`: it is bounded by the whole budget only."""

    name: str
    proven: bool
    is_free: bool

    @classmethod
    def of(cls, client: Address, login_party_id: str | None, *, is_free: bool) -> "DataClient":
        """Returns the party that has logged in, or else the client's address or network."""
        name = login_party_id or client_key(client)
        return cls(name=name, proven=is_free or login_party_id is not None, is_free=is_free)


class DataSpace:
    """The space that all listeners share. Big messages are received into files in `directory`."""

    def __init__(self, limits: config.SmtpLimits, directory: Path, budget: ports.ByteBudget) -> None:
        self.directory = directory
        self.budget = budget
        self._limits = limits
        self._room = Room(limits.judged_bytes)
        self._room_of_unproven = Room(limits.judged_bytes // 2)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def shares(self, client: DataClient) -> tuple[ports.Share, ...]:
        """Returns the shares of the budget that the client's unread mail counts in. Each has room for one message."""
        limits = self._limits
        shares = {"all": limits.unread_bytes}
        if not client.proven:
            shares["unproven"] = limits.unread_bytes_unproven
        if not client.is_free:
            shares[f"client {client.name}"] = limits.unread_bytes_per_client
        return tuple(ports.Share(name, max(most, limits.message_bytes)) for name, most in shares.items())

    @asynccontextmanager
    async def at_work(self, client: DataClient, size_bytes: int) -> AsyncIterator[None]:
        """Waits for memory in which a message of this size can be judged.

        Mail of strangers gets half of the memory at most. Of one client one message is at work at a time, so that its
        next ones do not stand before those of others.
        """
        async with AsyncExitStack() as stack:
            if not client.is_free:
                await stack.enter_async_context(self._turns.setdefault(client.name, asyncio.Lock()))
            if not client.proven:
                await stack.enter_async_context(self._room_of_unproven.entered(size_bytes))
            await stack.enter_async_context(self._room.entered(size_bytes))
            yield
