"""The dispatch loop: claims, attempts and settles due items, renews leases, backs off from silent domains.

Items that the flow has just committed are already leased by this process and arrive by `submit` with their content, so
the usual message costs no claim and no read. Items above the capacity are left to the claim.

Each destination has a lane: as many places as it may have connections, and a limited number of items in hand. A
destination that answers slowly fills its own lane and does not delay the mail to others.

Mail that waited for its sender's approval is claimed one item at a time for each recipient, so that it arrives in the
order in which it was written (R-SND-02): the end of one attempt wakes the claim for the next.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from relay import flow
from relay.core.model.item import Item, ItemState
from relay.core.retry import horizon_s
from relay.ports import Settlement, StoredContent, UnavailableError
from relay.steps import settling
from relay.steps.services import Services

log = structlog.get_logger()

T = TypeVar("T")

_DEPTH = 4
"""Items in hand per connection: enough that a slow commit never leaves a connection idle."""


@dataclass(slots=True)
class _Lane:
    """One destination's places, and the number of its items in hand."""

    places: asyncio.Semaphore
    items: int = 0


class Worker:
    """The worker of this process: `start` it, then `stop` it. No fault of an item ends it."""

    def __init__(self) -> None:
        self._services: Services | None = None
        self._in_hand: dict[str, asyncio.Task[None]] = {}
        self._lanes: dict[str, _Lane] = {}
        self._wake = asyncio.Event()
        self._slots = asyncio.Semaphore(1)
        self._back_off: dict[str, datetime] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    @property
    def services(self) -> Services:
        if self._services is None:
            raise RuntimeError("the worker has not been started")
        return self._services

    def start(self, services: Services) -> None:
        self._services = services
        self._slots = asyncio.Semaphore(services.settings.concurrency)
        self._tasks = [asyncio.create_task(self._claim_loop()), asyncio.create_task(self._renew_loop())]

    async def stop(self, grace_s: float) -> None:
        """Waits up to `grace_s` for running attempts, then gives all other leases back to the queue."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._in_hand:
            await asyncio.wait(self._in_hand.values(), timeout=grace_s)
        for task in self._in_hand.values():
            task.cancel()
        await asyncio.gather(*self._in_hand.values(), return_exceptions=True)
        with contextlib.suppress(UnavailableError):
            await self.services.store.queue.release(self.services.settings.owner)

    # ------------------------------------------------------------ the flow's interface (services.Dispatcher)

    def has_capacity(self, destination: str) -> bool:
        lane = self._lanes.get(destination)
        return self._room() > 0 and (lane is None or lane.items < self._lane_items)

    def submit(self, submitted: Sequence[tuple[Item, StoredContent]]) -> None:
        for item, stored in submitted:
            self._take(item, stored)

    def notify(self) -> None:
        self._wake.set()

    # ------------------------------------------------------------ the loops

    async def _claim_loop(self) -> None:
        while True:
            self._wake.clear()
            if not await self._survive("claim", self._claim()):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), self.services.settings.poll_s)

    async def _claim(self) -> int:
        if (room := self._room()) <= 0:
            return 0
        settings = self.services.settings
        items = await self.services.store.queue.claim(
            settings.owner,
            self.services.clock.now(),
            limit=room,
            lease_s=settings.lease_s,
            horizon_s=max(horizon_s(settings.schedule), settings.lease_s) * 2,
            late_s=settings.schedule.delayed_notice_s,
            but_for=self._full_lanes(),
        )
        # An item in hand may have lost its lease while the store was unavailable. It is not sent twice (R-IN-03).
        fresh = [item for item in items if item.id not in self._in_hand]
        for item in fresh:
            self._take(item, None)
        return len(fresh)

    async def _renew_loop(self) -> None:
        settings = self.services.settings
        while True:
            await asyncio.sleep(settings.lease_s / 3)
            if self._in_hand:
                until = self.services.clock.now() + timedelta(seconds=settings.lease_s)
                await self._survive(
                    "renew", self.services.store.queue.renew(settings.owner, tuple(self._in_hand), until)
                )

    async def _survive(self, during: str, work: Awaitable[T]) -> T | None:
        """Returns the result of one round of a loop, None after an error, which must not end the loop."""
        try:
            return await work
        except UnavailableError:
            log.debug("work_put_off", during=during)  # the store itself tells, once
        except Exception:
            self.services.observer.count("internal_errors", where=during)
            log.exception("worker_failed", during=during)
        return None

    # ------------------------------------------------------------ the items in hand

    def _room(self) -> int:
        return 0 if self._stopping else self.services.settings.concurrency * _DEPTH - len(self._in_hand)

    @property
    def _lane_items(self) -> int:
        return self.services.settings.concurrency_per_destination * _DEPTH

    def _full_lanes(self) -> Sequence[str]:
        return [destination for destination, lane in self._lanes.items() if lane.items >= self._lane_items]

    def _take(self, item: Item, stored: StoredContent | None) -> None:
        places = self.services.settings.concurrency_per_destination
        lane = self._lanes.setdefault(item.destination, _Lane(asyncio.Semaphore(places)))
        lane.items += 1
        task = self._in_hand[item.id] = asyncio.create_task(self._attempt(item, stored, lane))
        task.add_done_callback(lambda _: self._let_go(item, lane))

    def _let_go(self, item: Item, lane: _Lane) -> None:
        if not self.has_capacity(item.destination):
            self._wake.set()
        del self._in_hand[item.id]
        lane.items -= 1
        if not lane.items:
            del self._lanes[item.destination]

    # ------------------------------------------------------------ one item

    async def _attempt(self, item: Item, stored: StoredContent | None, lane: _Lane) -> None:
        async with lane.places, self._slots:
            if self._stopping:
                return
            settlement = await self._outcome(item, stored)
        if await self._settle(settlement) and (settlement.notice is not None or item.awaits_sender):
            self.notify()

    async def _outcome(self, item: Item, stored: StoredContent | None) -> Settlement:
        services, now = self.services, self.services.clock.now()
        until = self._back_off.get(item.destination)
        if until is not None and now < until:
            return settling.put_off(services.settings.owner, item, until)
        try:
            settlement = await flow.dispatch(services, item, stored)
        except UnavailableError:
            # Look-ups before and after a delivery raise this, but none follows when the remote server has accepted.
            log.debug("work_put_off", during="dispatch", item=item.id)
            settings = services.settings
            return settling.put_off(settings.owner, item, now + timedelta(seconds=settings.poll_s))
        except Exception:
            services.observer.count("internal_errors", where="dispatch")
            log.exception("dispatch_failed", id=item.message_id, item=item.id)
            return settling.stumbled(services, item, services.clock.now())
        self._note_health(item, settlement)
        return settlement

    async def _settle(self, settlement: Settlement) -> bool:
        """Stores the outcome of an attempt; False if the lease was lost or the store rejected it.

        While the store is unavailable the outcome waits here, or the message would be sent twice (R-IN-03). After a
        rejection the item is claimed again when its lease ends.
        """
        services, item = self.services, settlement.item
        while True:
            try:
                settled = await services.store.queue.settle(settlement)
            except UnavailableError:
                log.debug("work_put_off", during="settle", item=item.id)
                await asyncio.sleep(services.settings.poll_s)
            except Exception:
                services.observer.count("internal_errors", where="settle")
                log.exception("settle_failed", id=item.message_id, item=item.id)
                self._release_slot(settlement)
                return False
            else:
                if not settled:
                    self._release_slot(settlement)
                return settled

    def _release_slot(self, settlement: Settlement) -> None:
        """Gives back the slot of a notice that is not sent, because its settlement was not stored."""
        if settlement.notice is not None:
            notice = settlement.notice
            self.services.notice_quota.release(notice.key_holder_id, notice.item.due_at)

    def _note_health(self, item: Item, settlement: Settlement) -> None:
        """Starts a back-off from a domain whose host defers all mail; one success ends it (R-OUT-02)."""
        if settling.is_whole_domain(settlement):
            pause = timedelta(seconds=self.services.settings.schedule.domain_back_off_s)
            self._back_off[item.destination] = self.services.clock.now() + pause
        elif settlement.state is ItemState.ACCEPTED:
            self._back_off.pop(item.destination, None)
