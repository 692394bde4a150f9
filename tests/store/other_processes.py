"""Runs calls on the same database in other processes, all at the same moment."""

import asyncio
import multiprocessing
import os
from collections.abc import Awaitable, Callable
from datetime import datetime
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Final

from relay.core.model.sender import SenderState
from relay.store import SqlStore
from tests.store.store_env import Database, RisingIds
from tests.support.fakes import ManualClock

Call = Callable[[SqlStore, str], Awaitable[object]]

_SPAWN: Final = multiprocessing.get_context("spawn")
_WAIT_S: Final = 30


async def release(node: SqlStore, message_id: str) -> bool:
    return await node.holds.release(message_id, "dana")


async def approve(node: SqlStore, sender_id: str) -> bool:
    return await node.senders.flip(sender_id, SenderState.APPROVED, by="link") is not None


async def approve_and_die(node: SqlStore, sender_id: str) -> object:
    """Ends the process in the middle of the transaction: the items have changed, the first event has no id yet."""
    node.holds._ids = _ExitingIds()
    return await node.senders.flip(sender_id, SenderState.APPROVED, by="link")


class _ExitingIds(RisingIds):
    def new(self) -> str:
        os._exit(9)


async def at_once(database: Database, *calls: tuple[Call, str]) -> list[int | None]:
    """Makes each call in a process of its own, and returns the exit codes: 0 for true, 1 for false."""
    barrier = _SPAWN.Barrier(len(calls))
    processes = [
        _SPAWN.Process(
            target=_child, args=(database.url, database.directory, database.clock.now(), number, barrier, *call)
        )
        for number, call in enumerate(calls, 50)
    ]
    for process in processes:
        process.start()
    for process in processes:
        await asyncio.to_thread(process.join, _WAIT_S)
    return [process.exitcode for process in processes]


def _child(url: str, directory: Path, now: datetime, number: int, barrier: Barrier, call: Call, argument: str) -> None:
    database = Database(url, directory, ManualClock(now))
    database._nodes = number

    async def act() -> object:
        async with database.node() as node:
            barrier.wait(_WAIT_S)
            return await call(node, argument)

    os._exit(0 if asyncio.run(act()) else 1)
