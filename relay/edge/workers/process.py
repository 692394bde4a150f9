"""The program of a worker process: `python -m relay.edge.workers.process MEMORY_BYTES CPU_S`.

It answers one request after the other until its standard input ends, which also happens when the daemon is killed. It
has no socket and no store. Messages never reach a disk, because the program writes no file and leaves no core dump.
"""

import contextlib
import math
import os
import resource
import signal
import sys
import time
from io import BufferedReader
from typing import BinaryIO, Final

from relay.core import bounce
from relay.core.mail.mime import split
from relay.core.policy import decide
from relay.core.public_suffixes import organizational_domain
from relay.core.rewrite import downgrade, rewrite
from relay.edge.system import forbid_core_dumps
from relay.edge.workers import wire

LOADED: Final = (bounce, decide, downgrade, rewrite, split)
"""The functions that requests name. They are loaded before the worker reports that it is ready."""
_NICENESS: Final = 10
"""The niceness of a worker. The daemon's event loop gets a scarce processor first."""
_IGNORED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals that are sent to the whole service and that a worker ignores.

The daemon ends its workers after their work.
"""


def main() -> None:
    """Answers requests until the input ends. A request that uses more than CPU_S seconds ends the process."""
    memory_bytes, cpu_s = map(int, sys.argv[1:])
    forbid_core_dumps()  # a new program does not inherit the daemon's setting
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    requests, answers = _private_streams()
    organizational_domain("marketplace.example")  # this reads the list of public suffixes
    _limit(memory_bytes)
    _send(answers, wire.READY)
    while requests.peek(1):
        _send(answers, wire.BEGUN)
        content, packed = _receive(requests), _receive(requests)
        if content is None or packed is None:
            return
        _allow(cpu_s)
        answer = wire.answer(content, packed)
        del content, packed
        _send(answers, answer)
        if answer == wire.OUT_OF_MEMORY:
            return


def _private_streams() -> tuple[BufferedReader, BinaryIO]:
    """Returns the streams of requests and answers. Any other output is sent to standard error."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a device
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return requests, answers


def _limit(memory_bytes: int) -> None:
    """Limits the memory to which this process may write, and lowers its priority below the daemon's."""
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    with contextlib.suppress(OSError):  # a sandbox may forbid it
        os.nice(_NICENESS)


def _allow(cpu_s: int) -> None:
    """Allows the next request `cpu_s` seconds of CPU time. The kernel ends the process at the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time()) + cpu_s, hard))


def _receive(stream: BinaryIO) -> bytes | None:
    """Returns the next frame, or None at the end of the stream."""
    head = stream.read(wire.LENGTH.size)
    if len(head) < wire.LENGTH.size:
        return None
    (length,) = wire.LENGTH.unpack(head)
    payload = stream.read(length)
    return payload if len(payload) == length else None


def _send(stream: BinaryIO, payload: bytes) -> None:
    stream.write(wire.LENGTH.pack(len(payload)))
    stream.write(payload)
    stream.flush()


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):  # the daemon has ended
        main()
