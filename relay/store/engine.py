"""The interface between the parts of the store and a database.

A write is a generator that does no I/O itself: it yields `(sql, params)`, receives the rows, and returns its result. An
engine runs the generator inside a transaction. Writes of the same kind that wait at the same time are given to one
generator, which makes one statement for each table. All writes of a batch share one commit (group commit), and then all
their callers continue. The engine never waits for a batch to fill: a single write is a batch of one.

A batch that fails is rolled back. If the database itself is unavailable, every caller gets StoreUnavailableError.
Otherwise each write is tried again alone, so that a bad row or a programming error fails only for its own caller. SQL
has the placeholders `$1`, `$2` and so on.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, TypeVar

from relay.ports import StoreUnavailableError
from relay.store.availability import Availability

_BATCH: Final = 200

T = TypeVar("T")
P = TypeVar("P")
R = TypeVar("R")


class Row(Protocol):
    """A row as sqlite3 and asyncpg return it, with access by column name and iteration over the values."""

    def __getitem__(self, key: str, /) -> Any: ...

    def __iter__(self) -> Iterator[Any]: ...


Statement = tuple[str, Sequence[object]]
Work = Generator[Statement, Sequence[Row], T]


@dataclass(slots=True, eq=False)
class _Job:
    work: Callable[[Sequence[Any]], Work[Sequence[Any]]]
    payload: Any
    done: asyncio.Future[Any]
    heavy: bool
    alone: bool = False


class Engine(ABC):
    """One database.

    A write raises StoreUnavailableError, ValueError for a row that the database refuses, or the exception of its
    generator. `availability` records the errors of the database: this class reports the errors of writes, and each
    engine the errors of reads.
    """

    dialect: Literal["sqlite", "postgres"]

    def __init__(self, availability: Availability) -> None:
        self.availability = availability
        self._waiting: list[_Job] = []
        self._drain: asyncio.Task[None] | None = None
        self._reports: list[Callable[[], None]] = []

    @abstractmethod
    async def open(self) -> None: ...

    @abstractmethod
    async def close(self) -> None: ...

    @abstractmethod
    async def read(self, sql: str, *params: object) -> Sequence[Row]:
        """Returns the rows of a look-up of a few rows by an index. The look-up sees the newest commit.

        Raises StoreUnavailableError.
        """

    @abstractmethod
    async def read_bulk(self, sql: str, *params: object) -> Sequence[Row]:
        """Returns the rows of a read that may be big, without blocking the event loop's thread.

        Raises StoreUnavailableError.
        """

    @abstractmethod
    async def transact(self, work: Callable[[], Work[T]], *, heavy: bool = False) -> T:
        """Runs `work` in one transaction, and returns its result after a durable commit.

        Any exception rolls the transaction back. Only one call runs at a time. `heavy` means that `work` has much data
        and must not block the event loop.
        """

    @abstractmethod
    async def compact(self) -> None:
        """Removes from the disk what changed and deleted rows have left there, as far as the engine can.

        Raises StoreUnavailableError. It takes long, and as much free space as the database has.
        """

    def after_commit(self, report: Callable[[], None]) -> None:
        """Registers the function `report`, which is called when the running transaction is committed.

        Only the generator of a write may call this. `report` is called before the callers of the writes continue, and
        never if the transaction is rolled back.
        """
        self._reports.append(report)

    async def write(self, work: Callable[[], Work[T]], *, alone: bool = False) -> T:
        """Returns the result of `work`, run in a transaction that it may share with other writes.

        If `alone` is True, the transaction is not shared.
        """

        def one(_payloads: Sequence[None]) -> Work[Sequence[T]]:
            return [(yield from work())]

        return await self.write_together(one, None, alone=alone)

    async def write_together(
        self,
        work: Callable[[Sequence[P]], Work[Sequence[R]]],
        payload: P,
        *,
        heavy: bool = False,
        alone: bool = False,
        must_know: bool = False,
    ) -> R:
        """Returns the result of `work` for `payload`.

        `work` is called with the payloads of all calls that wait for the same `work`, and returns one result for each.
        A write is made even if its caller is cancelled. If `must_know` is True, one cancellation is ignored, so that
        the caller learns whether the write was made.
        """
        done: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        job = _Job(work, payload, done, heavy, alone)
        self._waiting.append(job)
        if self._drain is None or self._drain.done():
            self._drain = asyncio.create_task(self._write_all())
        try:
            return await done
        except asyncio.CancelledError:
            if not must_know:
                raise
            if done.cancelled():
                job.done = done = asyncio.get_running_loop().create_future()
            return await done

    async def finish(self) -> None:
        """Waits until no write is waiting or running."""
        if self._drain is not None:
            await asyncio.shield(self._drain)  # if this method is cancelled, the writes are still made

    async def _write_all(self) -> None:
        while self._waiting:
            size = _batch_size(self._waiting)
            batch, self._waiting = self._waiting[:size], self._waiting[size:]
            for job, outcome in zip(batch, await self._attempt(batch), strict=True):
                if job.done.done():  # the caller was cancelled, but its write is committed
                    continue
                if isinstance(outcome, BaseException):
                    job.done.set_exception(outcome)
                else:
                    job.done.set_result(outcome)

    async def _attempt(self, batch: Sequence[_Job]) -> Sequence[object]:
        self._reports.clear()
        try:
            results = await self.transact(lambda: _together(batch), heavy=any(job.heavy for job in batch))
        except StoreUnavailableError as error:
            self.availability.failed(error, len(batch))
            return [error.copy() for _ in batch]
        except Exception as error:  # noqa: BLE001 - the waiters raise it
            if len(batch) == 1:
                return [error]
            return [(await self._attempt([job]))[0] for job in batch]
        self.availability.wrote()
        # The reports are called before the callers of the writes continue. The next commit begins before them, so that
        # they run while that commit waits for the disk.
        for report in self._reports:
            asyncio.get_running_loop().call_soon(report)
        return results


def _batch_size(waiting: Sequence[_Job]) -> int:
    """Returns the number of waiting writes that the next transaction contains."""
    if waiting[0].alone:
        return 1
    return next((at for at, job in enumerate(waiting[:_BATCH]) if job.alone), _BATCH)


def _together(batch: Sequence[_Job]) -> Work[Sequence[object]]:
    """Runs the writes of a batch, one call for each kind with all its payloads. Returns the result of each job."""
    groups: dict[object, list[_Job]] = {}
    for job in batch:
        groups.setdefault(job.work, []).append(job)
    results: dict[_Job, object] = {}
    for jobs in groups.values():
        results.update(zip(jobs, (yield from jobs[0].work([job.payload for job in jobs])), strict=True))
    return [results[job] for job in batch]
