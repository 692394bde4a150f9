"""The dispatch loop: claims what is due, attempts each item, settles it; renews leases, backs off from sick domains.

Items that the flow has just committed are born leased by this process and come in by `depart` with their content, so
the usual message costs no claim and no read. Whatever does not fit in is left to the claim.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from relay import flow
from relay.core.model.item import Item, ItemState
from relay.core.retry import horizon_s
from relay.ports import Letter, Settlement, UnavailableError
from relay.steps import settling
from relay.steps.house import House

log = structlog.get_logger()

_DEPTH = 4
"""Items in hand for each delivery under way: enough that a slow commit never leaves a connection idle."""


class Worker:
    """One per process. `start` then `stop`; never raises for what an item does."""

    def __init__(self) -> None:
        self._house: House | None = None
        self._in_hand: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._slots = asyncio.Semaphore(1)
        self._capacity = 0
        self._back_off: dict[str, datetime] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    @property
    def house(self) -> House:
        if self._house is None:
            raise RuntimeError("the worker has not been started")
        return self._house

    def start(self, house: House) -> None:
        self._house = house
        self._slots = asyncio.Semaphore(house.settings.concurrency)
        self._capacity = house.settings.concurrency * _DEPTH
        self._tasks = [asyncio.create_task(self._claim_loop()), asyncio.create_task(self._renew_loop())]

    async def stop(self, grace_s: float) -> None:
        """Lets attempts under way end; gives the rest back to the queue at once."""
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
            await self.house.store.release(self.house.settings.owner)

    # ------------------------------------------------------------ what the flow sees (house.Departures)

    def room(self) -> int:
        return 0 if self._stopping else max(0, self._capacity - len(self._in_hand))

    def depart(self, departing: Sequence[tuple[Item, Letter]]) -> None:
        for item, letter in departing:
            self._take(item, letter)

    def wake(self) -> None:
        self._wake.set()

    # ------------------------------------------------------------ the loops

    async def _claim_loop(self) -> None:
        settings = self.house.settings
        while True:
            try:
                claimed = await self._claim()
            except UnavailableError:
                log.warning("store_away", during="claim")
                claimed = 0
            if claimed == 0 or not self.room():
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), settings.poll_s)

    async def _claim(self) -> int:
        if not (room := self.room()):
            return 0
        settings = self.house.settings
        items = await self.house.store.claim(
            settings.owner,
            self.house.clock.now(),
            limit=room,
            lease_s=settings.lease_s,
            horizon_s=max(horizon_s(settings.schedule), settings.lease_s) * 2,
        )
        for item in items:
            self._take(item, None)
        return len(items)

    async def _renew_loop(self) -> None:
        settings = self.house.settings
        while True:
            await asyncio.sleep(settings.lease_s / 3)
            if self._in_hand:
                until = self.house.clock.now() + timedelta(seconds=settings.lease_s)
                with contextlib.suppress(UnavailableError):
                    await self.house.store.renew(settings.owner, tuple(self._in_hand), until)

    # ------------------------------------------------------------ one item

    def _take(self, item: Item, letter: Letter | None) -> None:
        task = asyncio.create_task(self._attempt(item, letter))
        self._in_hand[item.id] = task
        task.add_done_callback(lambda _: self._let_go(item.id))

    def _let_go(self, item_id: str) -> None:
        was_full = not self.room()
        self._in_hand.pop(item_id, None)
        if was_full:
            self._wake.set()

    async def _attempt(self, item: Item, letter: Letter | None) -> None:
        house = self.house
        try:
            async with self._slots:
                until = self._back_off.get(item.destination)
                if until is not None and house.clock.now() < until:
                    settlement = settling.backed_off(house, item, until)
                else:
                    settlement = await flow.dispatch(house, item, letter)
                    self._note_health(item, settlement)
            if await self._settle(settlement) and settlement.notice is not None:
                self.wake()
            house.observer.count("settled", state=settlement.state, kind=item.kind)
        except UnavailableError:
            # Nothing was sent: the lease runs out and the item is claimed again; the attempt is already counted.
            log.warning("store_away", during="dispatch", item=item.id)
        except Exception:
            house.observer.count("internal_errors", where="dispatch")
            log.exception("dispatch_failed", item=item.id, message=item.message_id)
            with contextlib.suppress(UnavailableError):
                await house.store.settle(settling.stumbled(house, item, house.clock.now()))

    async def _settle(self, settlement: Settlement) -> bool:
        """What another server has said is not forgotten because the store is away: it waits here for the store, or
        the message would be sent twice (R-IN-03)."""
        while True:
            try:
                return await self.house.store.settle(settlement)
            except UnavailableError:
                log.warning("store_away", during="settle", item=settlement.item.id)
                if self._stopping:
                    raise
                await asyncio.sleep(self.house.settings.poll_s)

    def _note_health(self, item: Item, settlement: Settlement) -> None:
        """A whole domain that defers is left alone for a while; one success ends that (R-OUT-02)."""
        if settling.is_whole_domain(settlement):
            pause = timedelta(seconds=self.house.settings.schedule.domain_back_off_s)
            self._back_off[item.destination] = self.house.clock.now() + pause
        elif settlement.state is ItemState.ACCEPTED:
            self._back_off.pop(item.destination, None)
