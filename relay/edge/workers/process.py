"""The program of a worker process: `python -m relay.edge.workers.process MEMORY_BYTES CPU_S`.

It answers one request after the other until its standard input ends, which happens also when the daemon is killed. It
has no socket and no store. Its messages never reach a disk: it writes no file and leaves no core dump.
"""

import contextlib
import math
import os
import resource
import signal
import sys
import time
from typing import BinaryIO, Final

from relay.core import bounce
from relay.core.mail.mime import split
from relay.core.policy import decide
from relay.core.public_suffixes import organizational_domain
from relay.core.rewrite import downgrade, rewrite
from relay.edge.system import forbid_core_dumps
from relay.edge.workers import wire

LOADED: Final = (bounce, decide, downgrade, rewrite, split)
"""The functions that requests name are loaded before the worker says that it is ready."""
_NICENESS: Final = 10
"""The event loop of the daemon comes first where processors are scarce."""
_IGNORED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals for the whole service: the daemon ends its workers when their work is done."""


def main() -> None:
    """Answers requests until the input ends. A request that uses more than CPU_S seconds ends the process."""
    memory_bytes, cpu_s = map(int, sys.argv[1:])
    forbid_core_dumps()  # a new program may be dumped again, whatever the daemon has set for itself
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    requests, answers = _private_streams()
    organizational_domain("marketplace.example")  # reads the list of suffixes
    _limit(memory_bytes)
    _send(answers, wire.READY)
    while (content := _receive(requests)) is not None and (packed := _receive(requests)) is not None:
        _allow(cpu_s)
        answer = wire.answer(content, packed)
        del content, packed
        _send(answers, answer)
        if answer == wire.OUT_OF_MEMORY:
            return


def _private_streams() -> tuple[BinaryIO, BinaryIO]:
    """Returns the streams of requests and answers, and sends what anything else prints to standard error."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a device
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return requests, answers


def _limit(memory_bytes: int) -> None:
    """Limits the memory that this process may write to, and steps back behind the daemon."""
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    with contextlib.suppress(OSError):  # a sandbox may forbid it
        os.nice(_NICENESS)


def _allow(cpu_s: int) -> None:
    """Lets the next request use `cpu_s` seconds of CPU time; the kernel ends the process at the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time()) + cpu_s, hard))


def _receive(stream: BinaryIO) -> bytes | None:
    """Returns the next frame; None at the end of the stream."""
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
    with contextlib.suppress(BrokenPipeError):  # the daemon is gone
        main()
