"""Keeping the loop free: work on a big message goes to a thread, on a small one it is done at once."""

import asyncio
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

THREAD_BYTES: Final = 200_000


async def offload(size_bytes: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """`work(...)`, in a thread when it is about more than THREAD_BYTES; a hop costs more than 5 KB of work."""
    if size_bytes <= THREAD_BYTES:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)
