"""Other processes on the same database, all at the same moment."""

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
from tests.store.world import Place, RisingIds
from tests.support.stand_ins import HandClock

Call = Callable[[SqlStore, str], Awaitable[object]]

_SPAWN: Final = multiprocessing.get_context("spawn")
_WAIT_S: Final = 30


async def release(node: SqlStore, message_id: str) -> bool:
    return await node.holds.release(message_id, "dana")


async def approve(node: SqlStore, sender_id: str) -> bool:
    return await node.senders.flip(sender_id, SenderState.APPROVED, by="link") is not None


async def approve_and_die(node: SqlStore, sender_id: str) -> object:
    """Ends without a word after the items have moved, when the first event asks for its id."""
    node.holds._ids = _LastWords()
    return await node.senders.flip(sender_id, SenderState.APPROVED, by="link")


class _LastWords(RisingIds):
    def new(self) -> str:
        os._exit(9)


async def at_once(place: Place, *calls: tuple[Call, str]) -> list[int | None]:
    """Makes each call in a process of its own; their exit codes: 0 for true, 1 for false."""
    barrier = _SPAWN.Barrier(len(calls))
    processes = [
        _SPAWN.Process(target=_child, args=(place.url, place.directory, place.clock.now(), number, barrier, *call))
        for number, call in enumerate(calls, 50)
    ]
    for process in processes:
        process.start()
    for process in processes:
        await asyncio.to_thread(process.join, _WAIT_S)
    return [process.exitcode for process in processes]


def _child(url: str, directory: Path, now: datetime, number: int, barrier: Barrier, call: Call, argument: str) -> None:
    place = Place(url, directory, HandClock(now))
    place._nodes = number

    async def act() -> object:
        async with place.node() as node:
            barrier.wait(_WAIT_S)
            return await call(node, argument)

    os._exit(0 if asyncio.run(act()) else 1)
