"""The dispatch loop: it claims, attempts and settles due items, and renews their leases.

The items that the flow has just committed are already leased by this process. They arrive by `submit` with their
content, so that a usual message costs no claim and no read. If the lane of such an item is full, the item is queued and
claimed later.

`ports.Lanes` limits how many items of each destination may be in hand. The claim visits the destinations that have due
items, page by page, and takes for each destination as many items as its lane has room for. A destination whose lane was
full is claimed again when some of its items have left. Therefore no claim reads past the mail for a busy destination,
and none takes mail that must wait.

Mail that waited for the approval of its sender is claimed one item at a time for each recipient, so that it arrives in
the order in which it was written (R-SND-02). The end of one attempt starts the claim of the next item.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Final, TypeVar

import structlog

from relay import flow
from relay.core.model.item import Item
from relay.core.retry import horizon_s
from relay.ports import InHand, Settlement, StoredContent, UnavailableError
from relay.steps import settling
from relay.steps.services import Services

log = structlog.get_logger()

T = TypeVar("T")

_MOST_BACKLOGS: Final = 10_000
_PUT_OFF: Final = 20
"""The number of items of a closed lane that one claim puts off, and the largest number of closed lanes in one claim."""
_MOST_UNSERVED: Final = 200
_TRIED: Final = 20
"""The number of destinations without room that are tried again when an item has left."""


@dataclass(slots=True)
class _Walk:
    """The walk through the destinations with due items, from `after` to the end.

    If it `wraps`, it continues from the beginning. `wanted` means that another walk is needed. That walk begins at
    `left_out`, the first destination that this walk could not serve.
    """

    wanted: bool = True
    going: bool = False
    wraps: bool = False
    after: str = ""
    left_out: str | None = None

    def begin(self) -> None:
        self.wanted, self.going = False, True
        self.after, self.left_out = self.left_out or "", None
        self.wraps = self.after != ""

    def go_on(self, after: str) -> None:
        """Sets the beginning of the next page; `after` is "" after the last page."""
        self.after = after
        if not after:
            self.going, self.wraps = self.wraps, False


class Worker:
    """The worker of this process. `start` begins it, and `stop` ends it. A fault of an item does not end it."""

    def __init__(self) -> None:
        self._services: Services | None = None
        self._in_hand: dict[str, asyncio.Task[None]] = {}
        self._items: Counter[str] = Counter()
        self._walk = _Walk()
        self._backlogs: set[str] = set()
        self._ready: set[str] = set()
        self._unserved: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    @property
    def services(self) -> Services:
        if self._services is None:
            raise RuntimeError("the worker has not been started")
        return self._services

    def start(self, services: Services) -> None:
        self._services = services
        self._tasks = [asyncio.create_task(self._claim_loop()), asyncio.create_task(self._renew_loop())]

    async def stop(self, grace_s: float) -> None:
        """Waits up to `grace_s` seconds for running attempts, then ends all other leases.

        The items of these leases are queued again.
        """
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
        if not self._stopping and self.services.lanes.room(destination) > 0:
            return True
        self._note_backlog(destination)
        return False

    def submit(self, submitted: Sequence[tuple[Item, StoredContent | None]]) -> None:
        for item, stored in submitted:
            self._take(item, stored, self.services.lanes.take(item.destination))

    def notify(self) -> None:
        self._walk.wanted = True
        self._wake.set()

    # ------------------------------------------------------------ the loops

    async def _claim_loop(self) -> None:
        poll_s, monotonic_s = self.services.settings.poll_s, self.services.clock.monotonic_s
        looked_at_s = monotonic_s()
        while not self._stopping:
            if monotonic_s() - looked_at_s >= poll_s:  # this limits how often it runs, however often it is woken
                self._walk.wanted, looked_at_s = True, monotonic_s()
            self._wake.clear()
            if not await self._survive("claim", self._claim()):
                try:
                    async with asyncio.timeout(poll_s):
                        await self._wake.wait()
                except TimeoutError:
                    self._walk.wanted, looked_at_s = True, monotonic_s()

    async def _claim(self) -> bool:
        """Claims items for the destinations whose lanes have room again, and for one page of the walk.

        Returns whether the next claim can follow at once.
        """
        destinations, self._ready = list(self._ready), set()
        for destination in list(islice(self._unserved, _TRIED)):
            del self._unserved[destination]
            destinations.append(destination)
        if self._walk.wanted and not self._walk.going:
            self._walk.begin()
            self._backlogs.intersection_update(self._items)
            self._unserved.clear()
        if self._walk.going:
            destinations += await self._page()
        rooms = self._reserved(destinations)
        closed = self._closed(destinations)
        try:
            fresh = await self._claimed(rooms, closed) if rooms or closed else 0
        finally:
            for left in rooms.values():
                for in_hand in left:
                    in_hand.leave()
        return fresh > 0 or self._walk.going

    async def _page(self) -> Sequence[str]:
        settings = self.services.settings
        page, after = await self.services.store.queue.lanes(
            self.services.clock.now(),
            horizon_s=max(horizon_s(settings.schedule), settings.lease_s) * 2,
            after=self._walk.after,
        )
        self._walk.go_on(after)
        return page

    def _reserved(self, destinations: Sequence[str]) -> dict[str, list[InHand]]:
        """Takes the free room of each destination, so that nothing else uses it while the store claims."""
        lanes, rooms = self.services.lanes, {}
        for destination in dict.fromkeys(destinations):
            room = 0 if self._stopping else lanes.room(destination)
            if lanes.closed_s(destination):
                continue
            if room:
                rooms[destination] = [lanes.take(destination) for _ in range(room)]
            elif self._items[destination]:
                self._note_backlog(destination)
            elif len(self._unserved) < _MOST_UNSERVED:
                self._unserved[destination] = None
            elif self._walk.left_out is None:
                self._walk.left_out = destination
        return rooms

    def _closed(self, destinations: Sequence[str]) -> dict[str, float]:
        """Returns some of the destinations whose lanes are closed, each with the number of seconds until it opens."""
        if self._stopping:
            return {}
        waits = (
            (destination, self.services.lanes.closed_s(destination)) for destination in dict.fromkeys(destinations)
        )
        return dict(islice(((destination, wait_s) for destination, wait_s in waits if wait_s), _PUT_OFF))

    async def _claimed(self, rooms: dict[str, list[InHand]], closed: dict[str, float]) -> int:
        """Claims items for the places in `rooms`, which become the places of the items. Returns the number of items.

        Some items of the `closed` lanes are claimed too, and put off without an attempt.
        """
        settings = self.services.settings
        items = await self.services.store.queue.claim(
            settings.owner,
            self.services.clock.now(),
            {destination: len(places) for destination, places in rooms.items()} | dict.fromkeys(closed, _PUT_OFF),
            lease_s=settings.lease_s,
            late_s=settings.schedule.delayed_notice_s,
        )
        # An item in hand may have lost its lease while the store was unavailable. Such an item must not be sent twice
        # (R-IN-03).
        fresh = [item for item in items if item.id not in self._in_hand]
        for item in fresh:
            if item.destination in closed:
                self._hold(item, self._put_off(item, closed[item.destination]), None)
            else:
                self._take(item, None, rooms[item.destination].pop())
        for destination, left in rooms.items():
            if not left:
                self._note_backlog(destination)
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
        """Returns the result of one round of a loop; None after an error, which must not end the loop."""
        try:
            return await work
        except UnavailableError:
            log.debug("work_put_off", during=during)  # the store logs this itself, with one line
        except Exception:
            self.services.observer.count("internal_errors", where=during)
            log.exception("worker_failed", during=during)
        return None

    # ------------------------------------------------------------ the items in hand

    def _note_backlog(self, destination: str) -> None:
        """Records that the store may have more due items for the destination, to claim them when its lane has room."""
        if len(self._backlogs) < _MOST_BACKLOGS:
            self._backlogs.add(destination)

    def _take(self, item: Item, stored: StoredContent | None, in_hand: InHand) -> None:
        self._hold(item, self._attempt(item, stored, in_hand), in_hand)

    def _hold(self, item: Item, work: Coroutine[None, None, None], in_hand: InHand | None) -> None:
        self._items[item.destination] += 1
        task = self._in_hand[item.id] = asyncio.create_task(work)
        task.add_done_callback(lambda _: self._let_go(item, in_hand))

    def _let_go(self, item: Item, in_hand: InHand | None) -> None:
        if in_hand is not None:
            in_hand.leave()
        del self._in_hand[item.id]
        self._items[item.destination] -= 1
        if (left := self._items[item.destination]) == 0:
            del self._items[item.destination]
        if item.destination in self._backlogs:
            # A lane that is nearly full gets no claim, because a claim for each item would cost more than the item
            # itself.
            room = self.services.lanes.room(item.destination)
            if room * 2 >= left and room:
                self._backlogs.discard(item.destination)
                self._ready.add(item.destination)
                self._wake.set()
        elif self._unserved:
            self._wake.set()

    # ------------------------------------------------------------ one item

    async def _attempt(self, item: Item, stored: StoredContent | None, in_hand: InHand) -> None:
        wait_s = await in_hand.turn()
        if self._stopping:
            return
        if wait_s:
            await self._put_off(item, wait_s)
            return
        settlement = await self._outcome(item, stored)
        in_hand.ended(settlement.delivery)
        if not await self._settle(settlement):
            return
        if item.awaits_sender:
            self._note_backlog(item.destination)
        if settlement.notice is not None or settlement.item.destination != item.destination:
            self.notify()

    async def _put_off(self, item: Item, wait_s: float) -> None:
        """Settles an item whose lane is closed, so that it is due again after `wait_s` seconds."""
        now = self.services.clock.now()
        until = now + timedelta(seconds=wait_s)
        try:
            settlement = await settling.waited(self.services, item, until, now)
        except UnavailableError:
            settlement = settling.put_off(self.services.settings.owner, item, until)
        if await self._settle(settlement) and settlement.notice is not None:
            self.notify()

    async def _outcome(self, item: Item, stored: StoredContent | None) -> Settlement:
        services, now = self.services, self.services.clock.now()
        try:
            return await flow.dispatch(services, item, stored)
        except UnavailableError:
            # Look-ups before and after a delivery raise this error. No look-up follows if the remote server has
            # accepted the mail.
            log.debug("work_put_off", during="dispatch", item=item.id)
            settings = services.settings
            return settling.put_off(settings.owner, item, now + timedelta(seconds=settings.poll_s))
        except Exception:
            services.observer.count("internal_errors", where="dispatch")
            log.exception("dispatch_failed", id=item.message_id, item=item.id)
            return settling.stumbled(services, item, services.clock.now())

    async def _settle(self, settlement: Settlement) -> bool:
        """Stores the outcome of an attempt. Returns False if the lease was lost or the store has rejected the outcome.

        While the store is unavailable the outcome waits here, because the message would be sent twice otherwise
        (R-IN-03). After a rejection the item is claimed again when its lease ends.
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
        """Frees the slot of a notice that is not sent, because its settlement was not stored."""
        if settlement.notice is not None:
            notice = settlement.notice
            self.services.notice_quota.release(notice.key_holder_id, notice.item.id)
