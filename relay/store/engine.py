"""The small seam between the verbs and a database.

A write is a generator of statements, sans-I/O: it yields `(sql, params)`, is sent the rows, returns its result; an
engine drives it inside one transaction. Writes of the same kind that wait at the same time are handed to one
generator and go out as one statement per table and one commit (group commit); all waiters wake at once. Nothing is
waited for: a lone write is a batch of one.

A failing batch is rolled back. When the database itself cannot do it every waiter gets StoreUnavailableError; else each
write is tried again alone, so that a bad row, or a bug, fails its own waiter only. SQL uses `$1` placeholders.
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
    """sqlite3.Row and asyncpg.Record alike: values by name, iteration over the values."""

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
    """One database. Writes raise StoreUnavailableError, ValueError for a row that the database refuses, or the error
    that the work itself raised. Errors of the database are noted in `availability`: here for writes, by each engine
    for reads."""

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
        """A quick, indexed look-up, from the newest commit."""

    @abstractmethod
    async def read_bulk(self, sql: str, *params: object) -> Sequence[Row]:
        """A read that may move much: never in the loop's own thread."""

    @abstractmethod
    async def transact(self, work: Callable[[], Work[T]], *, heavy: bool = False) -> T:
        """One transaction, durable on return, rolled back on any exception. Never two at a time. `heavy`: much data,
        which must not hold the loop."""

    def after_commit(self, report: Callable[[], None]) -> None:
        """Called by a work: `report` runs once the transaction is committed, before the waiters go on; never when it is
        rolled back."""
        self._reports.append(report)

    async def write(self, work: Callable[[], Work[T]], *, alone: bool = False) -> T:
        """One work, in a transaction that it may share with others unless `alone`."""

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
    ) -> R:
        """`work` gets the payloads of all that wait for the same work, and gives one result for each."""
        done: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Job(work, payload, done, heavy, alone))
        if self._drain is None or self._drain.done():
            self._drain = asyncio.create_task(self._write_all())
        return await done

    async def finish(self) -> None:
        """Returns when nothing waits."""
        if self._drain is not None:
            await self._drain

    async def _write_all(self) -> None:
        while self._waiting:
            size = _batch_size(self._waiting)
            batch, self._waiting = self._waiting[:size], self._waiting[size:]
            for job, outcome in zip(batch, await self._attempt(batch), strict=True):
                if job.done.done():  # the waiter was cancelled; its write stands
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
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the waiters
            if len(batch) == 1:
                return [error]
            return [(await self._attempt([job]))[0] for job in batch]
        self.availability.wrote()
        # Called soon, ahead of the waiters: the next commit begins first, and its wait for the disk is used.
        for report in self._reports:
            asyncio.get_running_loop().call_soon(report)
        return results


def _batch_size(waiting: Sequence[_Job]) -> int:
    """How many of those that wait go into the next transaction."""
    if waiting[0].alone:
        return 1
    return next((at for at, job in enumerate(waiting[:_BATCH]) if job.alone), _BATCH)


def _together(batch: Sequence[_Job]) -> Work[Sequence[object]]:
    """The works of a batch, one after the other, each with all its payloads."""
    groups: dict[object, list[_Job]] = {}
    for job in batch:
        groups.setdefault(job.work, []).append(job)
    results: dict[_Job, object] = {}
    for jobs in groups.values():
        results.update(zip(jobs, (yield from jobs[0].work([job.payload for job in jobs])), strict=True))
    return [results[job] for job in batch]
