"""Services of the operating system: clock, ids, the lock of a data directory, file permissions, and systemd."""

import ctypes
import fcntl
import os
import resource
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from relay.core import keyed
from relay.ports import StoreError

_RANDOM_BITS: Final = 80
_LOCK_NAME: Final = "relay.lock"
_PR_SET_DUMPABLE: Final = 4
_BOOT_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def _uptime_s() -> float:
    """Returns the seconds since boot, a clock that nobody can set.

    The time in suspend is included if the system measures it.
    """
    return time.clock_gettime(_BOOT_CLOCK)


class SystemClock:
    """Implements `ports.Clock`. It reads the wall clock once, and after that time only moves forward.

    Its rate is the rate to which NTP adjusts the system. A step of the wall clock, such as the correction of a wrong
    time at boot, takes effect when the process is started again.
    """

    def __init__(self, wall_s: Callable[[], float] = time.time, uptime_s: Callable[[], float] = _uptime_s) -> None:
        self._uptime_s = uptime_s
        self._booted_at = datetime.fromtimestamp(wall_s(), UTC) - timedelta(seconds=uptime_s())

    def now(self) -> datetime:
        return self._booted_at + timedelta(seconds=self._uptime_s())

    def monotonic_s(self) -> float:
        return time.monotonic()


class SystemIds:
    """Implements `ports.Ids`: 48 bits of milliseconds and 80 random bits, in base32hex (RFC 4648 §7).

    The texts sort in the order of the octets. Each id of one process is greater than the id before it: if the wall
    clock shows the same millisecond as before, or has stepped back, the next id is the last id plus 1. Random bytes are
    read from the system for each millisecond. If they were read ahead into memory, two copies of one virtual machine
    would use the same bytes, and therefore the same nonce of a key.
    """

    def __init__(self, wall_ns: Callable[[], int] = time.time_ns, entropy: Callable[[int], bytes] = os.urandom) -> None:
        self._wall_ns = wall_ns
        self._entropy = entropy
        self._last = 0
        self._lock = threading.Lock()

    def entropy(self, size: int) -> bytes:
        return self._entropy(size)

    def new(self) -> str:
        with self._lock:
            wall_ms = self._wall_ns() // 1_000_000
            if wall_ms > self._last >> _RANDOM_BITS:
                self._last = wall_ms << _RANDOM_BITS | int.from_bytes(self._entropy(_RANDOM_BITS // 8), "big")
            else:
                self._last += 1
            octets = self._last.to_bytes(16)
        return keyed.base32hex(octets)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Locks `directory` for one daemon during the block, because SQLite has one writer. Raises StoreError.

    The lock ends with the process, also after a crash.
    """
    path = directory / _LOCK_NAME
    try:
        file = path.open("a+", encoding="ascii")
    except OSError as error:
        raise StoreError(
            f"{directory}: cannot be locked: {error.strerror}; run `relay init`, or check data_dir and its owner"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read(20).strip() or "unknown"
            raise StoreError(
                f"{directory}: another relay uses this directory (process {holder}); stop it, or set another data_dir"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def forbid_core_dumps() -> None:
    """Forbids core dumps of this process and its children.

    Their memory holds keys, addresses and texts (R-REC-04). If the kernel knows `PR_SET_DUMPABLE` (prctl(2)), other
    processes of the same user cannot read the memory either.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def runs_as_root() -> bool:
    """Returns whether the process has all rights on this host."""
    return os.geteuid() == 0


def open_to_all(paths: Iterable[Path]) -> Iterator[Path]:
    """Yields the files and directories that every user of this host may read or write.

    Missing files are left out.
    """
    for path in paths:
        with suppress(OSError):
            if path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
                yield path


def notify(state: str) -> None:
    """Sends a state such as READY=1 or STOPPING=1 to systemd if the process runs under systemd (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    # The daemon continues even if its supervisor no longer listens.
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.sendto(state.encode(), address)
