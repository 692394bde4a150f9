"""The format of the messages between the daemon and a worker, over the worker's standard input and output.

A message consists of frames; a frame is a length in bytes and then the bytes. A request has two frames: the mail, and a
pickle of the function and its arguments. The worker sends BEGUN when the first bytes of a request arrive, and then the
answer, which has one frame. The mail is sent unchanged, and the pickle has only a mark in its place. The pipes belong
to these two processes only, so that nobody else sees the private values in the arguments.
"""

import io
import pickle
import struct
from collections.abc import Callable
from typing import Any, Final

import msgspec
from tblib import pickling_support

from relay.core.rewrite.plan import Rewritten

LENGTH: Final = struct.Struct(">Q")
READY: Final = b"ready"
"""The frame that a worker sends once, when it is ready for work."""
BEGUN: Final = b"begun"
"""The frame that a worker sends before each answer, when it begins with a request.

If a worker ends before it has sent this frame, its end was not caused by a message.
"""
OUT_OF_MEMORY: Final = b"memory"
"""The answer to a request whose work needed too much memory. The worker ends after it."""
_CONTENT: Final = "content"

_as_bytes: Final = msgspec.msgpack.Encoder().encode
_decoder: Final = msgspec.msgpack.Decoder(Rewritten)


class _Pickler(pickle.Pickler):
    """A pickler that writes a mark in place of the mail, and encodes a rewrite with msgpack.

    This is twenty times as fast as pickling the thousands of tuples of a rewrite.
    """

    def __init__(self, file: io.BytesIO, content: bytes) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._content = content

    def persistent_id(self, value: object) -> str | None:
        return _CONTENT if value is self._content else None

    def reducer_override(self, value: object) -> Any:
        return (_rewritten, (_as_bytes(value),)) if type(value) is Rewritten else NotImplemented


def _rewritten(packed: bytes) -> Rewritten:
    return _decoder.decode(packed)


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, content: bytes) -> None:
        super().__init__(file)
        self._content = content

    def persistent_load(self, mark: object) -> bytes:
        if mark != _CONTENT:
            raise pickle.UnpicklingError("an unknown mark stands in the place of the message")
        return self._content


def request(content: bytes, work: Callable[..., object], args: tuple[object, ...]) -> bytes:
    """Returns the pickle of a call, with a mark in place of `content`.

    Raises an error for arguments that are not picklable.
    """
    return _packed((work, args), content)


def call(content: bytes, packed: bytes) -> object:
    """Returns the result of the requested call, or raises its exception."""
    work, args = _Unpickler(io.BytesIO(packed), content).load()
    return work(*args)


def answer(content: bytes, packed: bytes) -> bytes:
    """Returns the answer to a request: the result of the call, or its exception with the traceback."""
    try:
        return _packed((True, call(content, packed)), content)
    except MemoryError:
        return OUT_OF_MEMORY
    except Exception as error:  # noqa: BLE001 - the daemon raises any exception of the work again
        pickling_support.install(error)
        return pickle.dumps((False, error), pickle.HIGHEST_PROTOCOL)


def result(content: bytes, packed: bytes) -> Any:
    """Returns the result in an answer. If it has an exception, raises that exception with the worker's traceback."""
    succeeded, value = _Unpickler(io.BytesIO(packed), content).load()
    if not succeeded:
        raise value
    return value


def _packed(value: object, content: bytes) -> bytes:
    out = io.BytesIO()
    _Pickler(out, content).dump(value)
    return out.getvalue()
