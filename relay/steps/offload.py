"""Keeping the loop free: work on a big message goes to a thread, on a small one it is done at once."""

import asyncio
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from relay.core.mail import encodings
from relay.core.mail.mime import Part
from relay.core.policy.content import filetypes

P = ParamSpec("P")
T = TypeVar("T")

_FLAT: Final = ("text/", "multipart/", "message/")
_FLAT_FILES: Final = frozenset({"text", "jpg", "png", "gif", "bmp"})
_HEAD: Final = 2 * filetypes.SNIFFED  # in base64 as much as is looked at, and more
THREAD_BYTES: Final = 200_000


async def offload(size_bytes: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """`work(...)`, in a thread when it is about more than THREAD_BYTES; a hop costs more than 5 KB of work."""
    if size_bytes <= THREAD_BYTES:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)


def weight(content: bytes, root: Part) -> int:
    """What reading a message may come to, in bytes: of one with files in it more than a turn of the loop, for a few
    kilobytes of archive or document unpack to megabytes."""
    is_heavy = any(not part.children and _may_unpack(content, part) for part in root.walk())
    return max(len(content), THREAD_BYTES + 1) if is_heavy else len(content)


def _may_unpack(content: bytes, part: Part) -> bool:
    if not part.filename and part.content_type.startswith(_FLAT):
        return False
    head = encodings.decode(content[part.body_start : min(part.end, part.body_start + _HEAD)], part.encoding)
    return filetypes.sniff(head) not in _FLAT_FILES
