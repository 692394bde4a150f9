"""The pool of worker processes.

The pool starts workers in advance, gives them work, ends workers that exceed a limit, and replaces them. Each worker
has pipes of its own and shares nothing with other workers, so that a worker that hangs or dies does not affect them.
`docs/decisions/0015-worker-processes.md` says why no library's pool is used.
"""

import asyncio
import contextlib
import hashlib
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, Self, TypeVar, TypeVarTuple

import structlog

from relay.config import HeavyMail
from relay.edge.workers import wire
from relay.edge.workers.places import WorkPlaces
from relay.ports import Clock, HeavyMailError, Observer, TooHeavyError

A = TypeVarTuple("A")
T = TypeVar("T")

_MODULE: Final = "relay.edge.workers.process"
_PIPE_BYTES: Final = 1 << 20
_MOST_REMEMBERED: Final = 1_000
_LONGEST_PAUSE_S: Final = 60
_ENDING_S: Final = 5
"""The longest time from the end of a process's output to the end of the process."""
_READ_AT_ONCE_BYTES: Final = 100_000
_NOT_NOW: Final = "the message could not be checked now, try again later"

_log = structlog.get_logger(__name__)


class _Worker:
    """A worker process that is ready for work."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self.tasks = 0
        self.has_begun = False
        self._requests, self._answers = process.stdin, process.stdout

    @classmethod
    async def start(cls, settings: HeavyMail) -> Self:
        """Starts a process and waits until it is ready. Raises OSError and EOFError if it does not become ready.

        The process runs a new program, so that it has none of the daemon's memory and files. Its modules are loaded
        from the daemon's module path.
        """
        command = (sys.executable, "-P", "-m", _MODULE, str(settings.memory_bytes), str(settings.cpu_s))
        modules = os.pathsep.join(filter(None, sys.path))
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, limit=_PIPE_BYTES, env=os.environ | {"PYTHONPATH": modules}
        )
        worker = cls(process)
        try:
            await worker._receive()
        except BaseException:
            await worker.end()
            raise
        return worker

    async def ask(self, content: bytes, request: bytes) -> bytes:
        """Returns the answer to a request.

        `has_begun` is True after the process has begun with the request. Raises EOFError or OSError if the process ends
        before it has answered.
        """
        self.tasks += 1
        self.has_begun = False
        for payload in (content, request):
            self._requests.write(wire.LENGTH.pack(len(payload)))
            self._requests.write(payload)
        await self._requests.drain()
        await self._receive()
        self.has_begun = True
        return await self._receive()

    async def _receive(self) -> bytes:
        (length,) = wire.LENGTH.unpack(await self._answers.readexactly(wire.LENGTH.size))
        return await self._answers.readexactly(length)

    def retire(self) -> None:
        """Closes the input of the process, so that it ends after its present work."""
        self._requests.close()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()

    async def status(self) -> int:
        """Returns the exit status of a process that has closed its pipes, and kills it if it does not end by itself.

        The kill comes late: `Popen.kill` reads the status of an ended process, which the event loop then misses.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ENDING_S):
                return await self.process.wait()
        self.kill()
        return await self.process.wait()

    async def end(self) -> None:
        """Kills the process, waits for its end, and closes the pipes."""
        self.kill()
        self.retire()
        await self.process.wait()


class WorkerPool:
    """Implements `ports.Workers` with processes.

    A message whose work has ended `heavy_mail.tries` workers, by its CPU time, its memory or a crash, is refused from
    then on. Work that did not finish before its deadline because it waited for a processor does not count, because
    another try may succeed.
    """

    def __init__(self, settings: HeavyMail, *, clock: Clock, observer: Observer) -> None:
        self._settings = settings
        self._clock = clock
        self._observer = observer
        self._places = WorkPlaces(
            in_all=settings.workers,
            per_party=settings.workers_per_party,
            waiting=settings.waiting,
            waiting_per_party=settings.waiting_per_party,
        )
        self._idle: asyncio.Queue[_Worker] = asyncio.Queue()
        self._keepers: list[asyncio.Task[None]] = []
        self._failures: OrderedDict[bytes, int] = OrderedDict()  # by the digest of the message
        self._is_stopping = False

    def start(self) -> None:
        """Begins to start the workers, and returns before they are ready."""
        self._keepers = [asyncio.create_task(self._keep()) for _ in range(self._settings.workers)]

    async def stop(self) -> None:
        """Ends all workers, also the busy ones."""
        self._is_stopping = True
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    async def run(self, party: str, content: bytes, work: Callable[[*A], T], *args: *A) -> T:
        if await self._has_failed(content):
            self._count("refused")
            raise TooHeavyError
        request = wire.request(content, work, args)
        asked_s = self._clock.monotonic_s()
        try:
            async with self._places.place(party, self._settings.wait_s):
                begun_s, answer = await self._answered(content, request)
        except HeavyMailError:
            self._count("busy")
            raise
        except _FailedError as failed:
            await self._report(failed, content, getattr(work, "__name__", "partial"))
            raise HeavyMailError(_NOT_NOW) from None
        self._count("done")
        self._observer.duration_s("heavy_work_wait_seconds", begun_s - asked_s)
        self._observer.duration_s("heavy_work_seconds", self._clock.monotonic_s() - begun_s)
        value: T = await _result(content, answer)
        return value

    async def _keep(self) -> None:
        """Keeps one worker in the pool: it starts a worker, and starts the next one when the worker has ended."""
        pause_s = 1
        while True:
            try:
                async with asyncio.timeout(_LONGEST_PAUSE_S):
                    worker = await _Worker.start(self._settings)
            except (OSError, EOFError) as error:
                _log.error("heavy_worker_not_started", error=type(error).__name__, again_in_s=pause_s)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            pause_s = 1
            self._observer.count("heavy_workers_started")
            self._idle.put_nowait(worker)
            try:
                await worker.process.wait()
            finally:
                await worker.end()

    async def _answered(self, content: bytes, request: bytes) -> tuple[float, bytes]:
        """Returns the time at which a worker was ready for the request, and its answer.

        A worker may have died while it was idle. Then the next worker gets the request. Raises HeavyMailError,
        _FailedError.
        """
        for _ in range(self._settings.workers + 1):
            worker = await self._ready_worker()
            begun_s = self._clock.monotonic_s()
            with contextlib.suppress(_NotBegunError):
                return begun_s, await self._answer(worker, content, request)
        raise HeavyMailError(_NOT_NOW)

    async def _ready_worker(self) -> _Worker:
        """Returns an idle worker. Raises HeavyMailError if none becomes ready in time.

        There is a worker for each place, but it may be starting.
        """
        try:
            async with asyncio.timeout(self._settings.wait_s):
                while (worker := await self._idle.get()).process.returncode is not None:
                    pass
                return worker
        except TimeoutError:
            raise HeavyMailError(_NOT_NOW) from None

    async def _answer(self, worker: _Worker, content: bytes, request: bytes) -> bytes:
        """Returns the worker's answer, and puts the worker back into the pool.

        Raises _FailedError, _NotBegunError, HeavyMailError.
        """
        try:
            async with asyncio.timeout(self._settings.deadline_s):
                answer = await worker.ask(content, request)
        except TimeoutError:
            worker.kill()
            raise _FailedError("deadline") from None
        except (OSError, EOFError):
            code = await worker.status()
            if self._is_stopping:
                raise HeavyMailError(_NOT_NOW) from None
            if not worker.has_begun:
                raise _NotBegunError from None
            raise _FailedError("cpu" if code == -signal.SIGXCPU else "crash") from None
        except BaseException:
            worker.kill()  # its answer would be mistaken for the answer to the next request
            raise
        if answer == wire.OUT_OF_MEMORY:
            worker.retire()
            raise _FailedError("memory")
        if worker.tasks < self._settings.tasks_per_worker:
            self._idle.put_nowait(worker)
        else:
            worker.retire()
        return answer

    async def _has_failed(self, content: bytes) -> bool:
        """Returns whether the message has ended too many workers.

        The digest is computed in a thread, because hashing a big message takes longer than starting a thread.
        """
        if not self._failures:
            return False
        return self._failures.get(await asyncio.to_thread(_digest, content), 0) >= self._settings.tries

    async def _report(self, failed: "_FailedError", content: bytes, name: str) -> None:
        """Counts and logs a failure, and records the message as its cause, except after a deadline."""
        tries = 0
        if failed.cause != "deadline":
            digest = await asyncio.to_thread(_digest, content)
            tries = self._failures[digest] = self._failures.pop(digest, 0) + 1
            if len(self._failures) > _MOST_REMEMBERED:
                self._failures.popitem(last=False)
        self._count(failed.cause)
        _log.error("heavy_work_failed", cause=failed.cause, work=name, size=len(content), tries=tries)

    def _count(self, outcome: str) -> None:
        self._observer.count("heavy_work", outcome=outcome)


class _NotBegunError(Exception):
    """Raised if a worker had ended before it began with the request."""


class _FailedError(Exception):
    """Raised if a worker did not finish its work. `cause` is "cpu", "memory", "crash" or "deadline"."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


async def _result(content: bytes, answer: bytes) -> Any:
    """Returns the result in an answer, or raises the exception in it. A long answer is read in a thread."""
    if len(answer) > _READ_AT_ONCE_BYTES:
        return await asyncio.to_thread(wire.result, content, answer)
    return wire.result(content, answer)
