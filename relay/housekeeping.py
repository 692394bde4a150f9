"""Work that is due at certain times and is not part of the flow of a message.

Letters are written: questions to owners about pending senders, the list of held mail for the operator (R-SND-02), and
announcements of a policy (R-POL-20). The content of strangers' mail is deleted when its time of keeping has ended, and
so are old counters of the mail of pairs. Personal data that is kept in memory for speed is dropped at intervals.

Every node looks for due work at intervals; one such round is called a sweep. The store decides which node writes a
letter. If that node dies before the commit, the next sweep writes the letter. Therefore a letter may be sent twice, but
it is never lost.
"""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from functools import partial

import structlog

from relay.core.model.marketplace import Marketplace
from relay.core.model.party import Party, PartyState, Role
from relay.core.model.policy import Policy
from relay.ports import NoticeLog, NoticeSent, Observer, Store, UnavailableError
from relay.steps import letters, memory, owner_requests, pace, staff_mail
from relay.steps.notice_log import take_turn
from relay.steps.services import Dispatcher, Services

log = structlog.get_logger()

_DROPPED_AT_ONCE = 200


class Housekeeping:
    """The sweeps of this process. `start` begins them, and `stop` ends them. An error in a sweep does not end them."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self._announced: set[tuple[str, str]] = set()
        self._counted_until = ""

    def start(self, services: Services, sweep_s: float, *, kept_s: float = memory.KEPT_S) -> None:
        """Begins a sweep every `sweep_s` seconds, and drops data that is kept in memory every `kept_s` seconds."""
        self._tasks = [
            asyncio.create_task(self._sweep_on(services, sweep_s), name="housekeeping"),
            asyncio.create_task(_forget_on(services.store, kept_s), name="housekeeping of memory"),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _sweep_on(self, services: Services, sweep_s: float) -> None:
        while True:
            for sweep in (self.requests, self.staff, self.announcements, self.strangers, self.counts):
                await _survive(services.observer, sweep(services))
            await asyncio.sleep(sweep_s)

    async def requests(self, services: Services) -> None:
        """Puts the waiting questions to the owners of accounts (`relay.steps.owner_requests`)."""
        for party_id in await services.store.requests.parties():
            party = await services.store.parties.get(party_id)
            if party is not None and party.marketplace_id in services.marketplaces.by_id:
                await owner_requests.ask(services, party, services.clock.now())

    async def staff(self, services: Services) -> None:
        """Tells each operator of held mail that waits for the staff (`relay.steps.staff_mail`)."""
        for marketplace in services.marketplaces.by_id.values():
            await staff_mail.tell(services, marketplace)

    async def strangers(self, services: Services) -> None:
        """Deletes the content of strangers' mail whose time of keeping has ended (R-REC-01)."""
        dropped = _DROPPED_AT_ONCE
        while dropped == _DROPPED_AT_ONCE:
            dropped = await services.store.records.drop_strangers_bodies(services.clock.now(), limit=_DROPPED_AT_ONCE)

    async def counts(self, services: Services) -> None:
        """Deletes old counters of the mail of pairs (`relay.steps.pace`), once a day in each process."""
        before = pace.first_kept(services.clock.now())
        if before != self._counted_until:
            await services.store.limits.drop_counts(pace.SCOPES, before)
            self._counted_until = before

    async def announcements(self, services: Services) -> None:
        """Queues a letter to each seller about a policy whose announcement is due."""
        now = services.clock.now()
        for marketplace in services.marketplaces.by_id.values():
            for policy in marketplace.policies:
                announced = (marketplace.id, policy.version)
                starts_at = policy.effective_at - timedelta(seconds=policy.announce_s)
                due = starts_at <= now < policy.effective_at and announced not in self._announced
                if due and await self._announce(services, marketplace, policy, now):
                    self._announced.add(announced)

    async def _announce(self, services: Services, marketplace: Marketplace, policy: Policy, now: datetime) -> bool:
        """Returns whether all sellers have their letter about the policy.

        Returns False if another node is writing one of these letters, because that node may fail.
        """
        nobody_left = True
        topic, notice_log = f"policy {policy.version}", services.store.notice_log
        for party in await services.store.parties.in_marketplace(marketplace.id, Role.SELLER):
            told = party.state is not PartyState.ACTIVE or await notice_log.last_at(party.id, topic)
            if not told:
                write = partial(letters.announcement, services, party, policy)
                nobody_left &= await _in_turn(notice_log, services.dispatcher, party, topic, now, write)
        return nobody_left


async def _in_turn(
    notice_log: NoticeLog,
    dispatcher: Dispatcher,
    party: Party,
    topic: str,
    now: datetime,
    write: Callable[[NoticeSent], Coroutine[object, object, bool]],
) -> bool:
    """Writes a letter unless another node is writing it. Returns whether this node has written it."""
    first = await take_turn(notice_log, party.id, topic, now)
    if first and await write(NoticeSent(party_id=party.id, topic=topic, at=now)):
        dispatcher.notify()
    return first


async def _forget_on(store: Store, kept_s: float) -> None:
    while True:
        await asyncio.sleep(kept_s)
        memory.forget(store)


async def _survive(observer: Observer, sweep: Coroutine[object, object, None]) -> None:
    """Runs one sweep. An error is logged and counted, and does not end later sweeps."""
    try:
        await sweep
    except UnavailableError:
        log.debug("work_put_off", during="sweep")  # the store logs this itself, with one line
    except Exception:
        observer.count("internal_errors", where="sweep")
        log.exception("sweep_failed")
