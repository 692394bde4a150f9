"""The operating system's side: clock, ids, the lock of a data directory, and what systemd is told."""

import fcntl
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from relay.core import keyed
from relay.ports import StoreError

_RANDOM_BITS: Final = 80
_POOL_BYTES: Final = 4_096
_LOCK_NAME: Final = "relay.lock"


def _uptime_s() -> float:
    """Seconds that nobody can set, time asleep included where the system counts it."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class SystemClock:
    """`ports.Clock`. The wall clock is read once; from there on time only passes, at the rate to which NTP steers the
    system. A step of the wall clock, a wrong one at boot included, is followed at the next start of the process."""

    def __init__(self, wall_s: Callable[[], float] = time.time, uptime_s: Callable[[], float] = _uptime_s) -> None:
        self._uptime_s = uptime_s
        self._booted_at = datetime.fromtimestamp(wall_s(), UTC) - timedelta(seconds=uptime_s())

    def now(self) -> datetime:
        return self._booted_at + timedelta(seconds=self._uptime_s())

    def monotonic_s(self) -> float:
        return time.monotonic()


class SystemIds:
    """`ports.Ids`: 48 bits of milliseconds, 80 random bits, in base32hex (RFC 4648 §7), whose text order is that of the
    octets. Ids of one process only rise, also within a millisecond and when the wall clock steps back."""

    def __init__(self, wall_ns: Callable[[], int] = time.time_ns, entropy: Callable[[int], bytes] = os.urandom) -> None:
        self._wall_ns = wall_ns
        self._source = entropy
        self._pool, self._spent = b"", 0
        self._last = 0
        self._lock = threading.Lock()

    def entropy(self, size: int) -> bytes:
        """Each byte given once; asked of the system a page at a time, for a message takes a dozen."""
        with self._lock:
            return self._take(size)

    def _take(self, size: int) -> bytes:
        if self._spent + size > len(self._pool):
            self._pool, self._spent = self._source(max(size, _POOL_BYTES)), 0
        self._spent += size
        return self._pool[self._spent - size : self._spent]

    def new(self) -> str:
        with self._lock:
            random = int.from_bytes(self._take(_RANDOM_BITS // 8), "big")
            fresh = (self._wall_ns() // 1_000_000) << _RANDOM_BITS | random
            self._last = max(fresh, self._last + 1)
            octets = self._last.to_bytes(16)
        return keyed.base32hex(octets)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Holds `directory` for one daemon: SQLite has one writer. The lock ends with the process, however that ends.
    Raises StoreError."""
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
                f"{directory}: another relay works here (process {holder}); stop it, or give this one its own data_dir"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def notify(state: str) -> None:
    """Tells systemd (sd_notify(3)), when it is there and listens: READY=1, STOPPING=1."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    # A supervisor that went away is no reason to stop relaying.
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.sendto(state.encode(), address)
