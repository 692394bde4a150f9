"""Helpers for end-to-end tests with the mail programs and servers of other projects.

These tests are plain functions that block, but the sink and the name server need a running event loop. `BackgroundLoop`
is such a loop in a thread of its own.
"""

import asyncio
import fnmatch
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")


class BackgroundLoop:
    """An event loop in another thread. `enter` opens an async context manager there and keeps it open until the end."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="background-loop")
        self._stack = AsyncExitStack()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.run(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def enter(self, manager: AbstractAsyncContextManager[T]) -> T:
        return self.run(self._stack.enter_async_context(manager))


def until(probe: Callable[[], T], timeout_s: float = 30, step_s: float = 0.02) -> T:
    """Waits until `probe()` is truthy, and returns its value."""
    end = time.monotonic() + timeout_s
    while not (value := probe()):
        assert time.monotonic() < end, f"not within {timeout_s} s"
        time.sleep(step_s)
    return value


# ---------------------------------------------------------------- swaks

_SIDES = {"->": "C", "~>": "C", "<-": "S", "<~": "S", "<**": "S", "<~*": "S"}
_SPOKEN = re.compile(r"\s?(->|~>|<-|<~|<\*\*|<~\*) +(.*)")


class Transcript:
    """The dialogue of one swaks run, as lines `C: ...` and `S: ...`."""

    def __init__(self, output: str) -> None:
        self.output = output
        self.lines = [f"{_SIDES[m[1]]}: {m[2]}" for line in output.splitlines() if (m := _SPOKEN.match(line))]

    def shows(self, expected: str) -> None:
        """Asserts that the dialogue has the expected lines in this order, perhaps with others between. `*` is a wildcard."""
        heard = iter(self.lines)
        for line in filter(None, map(str.strip, expected.splitlines())):
            pattern = line.replace("[", "[[]")
            assert any(fnmatch.fnmatchcase(one, pattern) for one in heard), f"not heard: {line}\n{self.output}"

    @property
    def record_ids(self) -> list[str]:
        """The record ids in the replies to the data."""
        return re.findall(r"250 2\.0\.0 (\w+) (?:recorded|held)", self.output)

    @property
    def record_id(self) -> str:
        (only,) = self.record_ids
        return only


def swaks(
    port: int, *options: str, mail_from: str, to: str, subject: str = "", server: str = "127.0.0.1"
) -> Transcript:
    """Runs swaks once. `subject` is the body as well. A negative reply of the server raises nothing."""
    words = ["swaks", "--server", server, "--port", str(port), "--from", mail_from, "--to", to, "--suppress-data"]
    if subject:
        words += ["--h-Subject", subject, "--body", subject]
    done = subprocess.run([*words, *options], capture_output=True, text=True, timeout=60, check=False)
    return Transcript(done.stdout + done.stderr)


# ---------------------------------------------------------------- servers


def wait_for_port(port: int, host: str = "127.0.0.1") -> None:

    def answers() -> bool:
        try:
            socket.create_connection((host, port), timeout=5).close()
        except OSError:
            return False
        return True

    until(answers)


def readable(directory: Path) -> Path:
    """Returns the directory, created if needed, with access for a server's unprivileged user."""
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o755)
    return directory
