"""The parts of limits that a transaction takes before its commit, and gives back if the commit fails.

A transaction that was overtaken by another one is judged again, and takes its parts again. A client that got no 250
sends the mail again. A limit that the store counts in the transaction itself needs no reservation.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Self

from relay.steps.services import DailyBudget, NoticeQuota, Services


@dataclass(slots=True)
class Reservations:
    """The slots for notices and the bytes of the budget for strangers that one transaction takes.

    It is a context manager, which releases them if the transaction fails.
    """

    notice_quota: NoticeQuota
    stranger_budget: DailyBudget
    _taken: list[Callable[[], None]] = field(default_factory=list)

    @classmethod
    def of(cls, services: Services) -> Self:
        return cls(services.notice_quota, services.stranger_budget)

    async def next_free(self, party_id: str, item_id: str, now: datetime) -> datetime | None:
        """Reserves a slot for a notice, as `NoticeSlots.next_free` does, and keeps it until `release`."""
        due_at = await self.notice_quota.next_free(party_id, item_id, now)
        self._taken.append(partial(self.notice_quota.release, party_id, item_id))
        return due_at

    def take_stranger_bytes(self, client: str, size_bytes: int, now: datetime) -> bool:
        """Takes bytes for a client from the day's budget for strangers, and returns True.

        Returns False, with nothing taken, if the client's share has fewer bytes left.
        """
        if not self.stranger_budget.take(client, size_bytes, now):
            return False
        self._taken.append(partial(self.stranger_budget.release, client, size_bytes, now))
        return True

    def release(self) -> None:
        """Gives everything back that was taken. A second call does nothing."""
        while self._taken:
            self._taken.pop()()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error_type is not None:
            self.release()
