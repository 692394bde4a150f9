"""Space for incoming mail: the bytes that may be received, and the bytes that may be judged, at one time (R-IN-06).

A message of at most `data.PIECE_BYTES` takes nothing of this space, because the number of connections limits such
messages.
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
