"""Keeping the loop free: work on a big message goes to a thread, on a small one it is done at once."""

import asyncio
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from relay.core.rewrite.mime import Part

P = ParamSpec("P")
T = TypeVar("T")

_FLAT: Final = ("text/", "multipart/", "message/")
THREAD_BYTES: Final = 200_000


async def offload(size_bytes: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """`work(...)`, in a thread when it is about more than THREAD_BYTES; a hop costs more than 5 KB of work."""
    if size_bytes <= THREAD_BYTES:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)


def weight(content: bytes, root: Part) -> int:
    """What reading a message may come to, in bytes: of one with files in it more than a turn of the loop, for a few
    kilobytes of archive or document unpack to megabytes."""
    has_files = any(part.filename or not part.content_type.startswith(_FLAT) for part in root.walk())
    return max(len(content), THREAD_BYTES + 1) if has_files else len(content)
