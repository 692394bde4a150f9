"""Keeping the event loop free: work on a big message goes to a thread, work on a small one is done at once."""

import asyncio
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from relay.core.mail import encodings, filetypes
from relay.core.mail.mime import Part

P = ParamSpec("P")
T = TypeVar("T")

_FLAT: Final = ("text/", "multipart/", "message/")
_FLAT_FILES: Final = frozenset({"text", "jpg", "png", "gif", "bmp"})
_HEAD: Final = 2 * filetypes.SNIFFED  # enough of base64 for the bytes that are sniffed
THREAD_BYTES: Final = 200_000


async def offload(size_bytes: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Returns `work(...)`, run in a thread if `size_bytes` is above THREAD_BYTES.

    The change of thread costs as much as the work on 5 KB.
    """
    if size_bytes <= THREAD_BYTES:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)


def weight(content: bytes, root: Part) -> int:
    """Returns the size in bytes to give to `offload`.

    It is above THREAD_BYTES if a part may unpack to much more, as an archive or a document does; else it is the size of
    the message.
    """
    is_heavy = any(not part.children and _may_unpack(content, part) for part in root.walk())
    return max(len(content), THREAD_BYTES + 1) if is_heavy else len(content)


def _may_unpack(content: bytes, part: Part) -> bool:
    if not part.filename and part.content_type.startswith(_FLAT):
        return False
    head = encodings.decode(content[part.body_start : min(part.end, part.body_start + _HEAD)], part.encoding)
    return filetypes.sniff(head) not in _FLAT_FILES
