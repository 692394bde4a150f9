"""The form in which the daemon and a worker exchange work: frames over the worker's standard input and output.

A frame is its length in bytes and then the bytes. A request is two frames, the message and a pickle of function and
arguments; an answer is one frame. The message is sent as it is, and stands in the pickle as a mark. The pipes belong to
these two processes only, so the private values in the arguments are seen by nobody else.
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
"""The frame that a worker sends once, when it can work."""
OUT_OF_MEMORY: Final = b"memory"
"""The answer to a request whose work needed too much memory; the worker ends after it."""
_CONTENT: Final = "content"

_as_bytes: Final = msgspec.msgpack.Encoder().encode
_decoder: Final = msgspec.msgpack.Decoder(Rewritten)


class _Pickler(pickle.Pickler):
    """A pickler that leaves the message out, and packs a rewrite twenty times as fast as its thousands of tuples."""

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
    """Returns the pickle of a call, without the message. Raises what pickling raises for other arguments."""
    return _packed((work, args), content)


def call(content: bytes, packed: bytes) -> object:
    """Returns the result of a requested call; raises its exception."""
    work, args = _Unpickler(io.BytesIO(packed), content).load()
    return work(*args)


def answer(content: bytes, packed: bytes) -> bytes:
    """Returns the answer to a request: the result of the call, or its exception with the traceback."""
    try:
        return _packed((True, call(content, packed)), content)
    except MemoryError:
        return OUT_OF_MEMORY
    except Exception as error:  # noqa: BLE001 - whatever the work raises is raised again in the daemon
        pickling_support.install(error)
        return pickle.dumps((False, error), pickle.HIGHEST_PROTOCOL)


def result(content: bytes, packed: bytes) -> Any:
    """Returns the result in an answer. Raises the exception in it, with the worker's traceback."""
    succeeded, value = _Unpickler(io.BytesIO(packed), content).load()
    if not succeeded:
        raise value
    return value


def _packed(value: object, content: bytes) -> bytes:
    out = io.BytesIO()
    _Pickler(out, content).dump(value)
    return out.getvalue()
