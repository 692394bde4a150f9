"""What the dispatch loop does when things around it go wrong, on a real store with a courier that tests hold back."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from relay.core.destination import routes_of
from relay.core.model.event import EventType
from relay.core.model.item import Item, ItemState
from relay.core.model.party import Role
from relay.core.model.sender import SenderState
from relay.ports import Delivery, DkimKey, Outgoing, UnavailableError
from relay.steps.lanes import LaneLimits, ProcessLanes
from relay.store import SqlStore
from relay.worker import Worker
from tests.support.daemon import eventually
from tests.support.market_env import ACCEPTED, BUYER, DOMAIN, SELLER, START, MarketEnv, market_env, parsed

ROUTES = {"phone.example": "a.example:25", "pottery.example": "b.example:25"}
_NOT_NOW = Delivery(
    accepted=False, permanent=False, code=0, enhanced="", text="no answer", phase="connect", host="mx", tls=""
)


class BlockingCourier:
    """A courier whose deliveries to a mailbox end only when they are let go."""

    def __init__(self) -> None:
        self.dialled: list[Outgoing] = []
        self.answer = ACCEPTED
        self._gates: dict[str, asyncio.Event] = {}

    def hold(self, mailbox: str) -> None:
        self._gates[mailbox] = asyncio.Event()

    def release(self, mailbox: str) -> None:
        self._gates[mailbox].set()

    def count(self, mailbox: str) -> int:
        return Counter(outgoing.rcpt_to for outgoing in self.dialled)[mailbox]

    async def deliver(self, outgoing: Outgoing) -> Delivery:
        self.dialled.append(outgoing)
        if gate := self._gates.get(outgoing.rcpt_to):
            await gate.wait()
        return self.answer

    async def close(self) -> None:
        pass


@pytest.fixture
async def market(tmp_path: Path) -> AsyncIterator[MarketEnv]:
    async with market_env(tmp_path) as market:
        market.services.settings = replace(market.services.settings, poll_s=0.02)
        limits = LaneLimits(concurrency=4, per_destination=2)
        routes = routes_of(market.store.secrets.get("destination"), ROUTES)
        market.services.lanes = ProcessLanes(limits, market.clock, market.services.observer, routes)
        market.services.courier = BlockingCourier()
        yield market


def blocking_courier(market: MarketEnv) -> BlockingCourier:
    assert isinstance(market.services.courier, BlockingCourier)
    return market.services.courier


@asynccontextmanager
async def running_worker(market: MarketEnv) -> AsyncIterator[Worker]:
    worker = Worker()
    market.services.dispatcher = worker
    worker.start(market.services)
    try:
        yield worker
    finally:
        await worker.stop(0)


async def items(market: MarketEnv) -> list[tuple[ItemState, int]]:
    assert isinstance(market.store, SqlStore)
    rows = await market.store.base.engine.read("SELECT state, attempts FROM item ORDER BY id")
    return [(ItemState(row["state"]), row["attempts"]) for row in rows]


async def states(market: MarketEnv) -> set[ItemState]:
    return {state for state, _ in await items(market)}


# R-IN-03
async def test_what_is_in_hand_is_not_sent_again_when_its_lease_runs_out(market: MarketEnv) -> None:
    courier = blocking_courier(market)
    courier.hold(BUYER)
    async with running_worker(market) as worker:
        await market.send(SELLER, market.buyer_alias)
        await eventually(lambda: courier.dialled)
        market.clock.forward(market.services.settings.lease_s + 1)
        worker.notify()
        await eventually(lambda: _attempts_are(market, [2]))
        courier.release(BUYER)
        await eventually(lambda: _states_are(market, {ItemState.ACCEPTED}))
    assert courier.count(BUYER) == 1


# R-OUT-01
async def test_a_destination_that_does_not_answer_holds_up_no_other(market: MarketEnv) -> None:
    courier = blocking_courier(market)
    courier.hold(BUYER)
    async with running_worker(market):
        for _ in range(20):
            await market.send(SELLER, market.buyer_alias)
        await eventually(lambda: courier.dialled)
        await market.send(BUYER, market.seller_alias)
        await eventually(lambda: courier.count(SELLER))
        assert courier.count(BUYER) == 2, "as many as there may be connections"
        courier.release(BUYER)
        await eventually(lambda: _states_are(market, {ItemState.ACCEPTED}))
    assert courier.count(BUYER) == 20


# R-OUT-02
async def test_an_item_put_off_for_its_sick_domain_keeps_its_attempts(market: MarketEnv) -> None:
    courier = blocking_courier(market)
    courier.answer = _NOT_NOW
    courier.hold(BUYER)
    async with running_worker(market):
        for _ in range(6):
            await market.send(SELLER, market.buyer_alias)
        await eventually(lambda: courier.count(BUYER) == 2)
        courier.release(BUYER)
        await eventually(lambda: _states_are(market, {ItemState.DEFERRED}))
    assert courier.count(BUYER) == 2
    assert sorted(attempts for _, attempts in await items(market)) == [0, 0, 0, 0, 1, 1]


# R-IN-07
async def test_an_item_whose_store_was_away_is_tried_again_soon(
    market: MarketEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    courier, keys, away = blocking_courier(market), market.store.dkim_keys.of_domain, [UnavailableError("away")]

    async def dkim_keys(domain: str) -> Sequence[DkimKey]:
        if away:
            raise away.pop()
        return await keys(domain)

    monkeypatch.setattr(market.store.dkim_keys, "of_domain", dkim_keys)
    async with running_worker(market):
        await market.send(SELLER, market.buyer_alias)
        await eventually(lambda: _states_are(market, {ItemState.DEFERRED}))
        market.clock.forward(1)  # far less than a lease
        await eventually(lambda: _states_are(market, {ItemState.ACCEPTED}))
    assert courier.count(BUYER) == 1


async def test_the_queue_goes_on_after_a_claim_that_failed_in_an_unforeseen_way(
    market: MarketEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, faults = market.store.queue.claim, [RuntimeError("unforeseen")]

    async def claim_or_fail(*args: Any, **kwargs: Any) -> Sequence[Item]:
        if faults:
            raise faults.pop()
        return await claim(*args, **kwargs)

    await market.send(SELLER, market.buyer_alias)
    monkeypatch.setattr(market.store.queue, "claim", claim_or_fail)
    async with running_worker(market):
        await eventually(lambda: _states_are(market, {ItemState.ACCEPTED}))
    assert not faults


async def test_an_attempt_that_fails_inside_the_relay_is_made_again_later(
    market: MarketEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    courier, deliver, faults = market.services.courier, market.services.courier.deliver, [RuntimeError("unforeseen")]

    async def deliver_or_fail(outgoing: Outgoing) -> Delivery:
        if faults:
            raise faults.pop()
        return await deliver(outgoing)

    monkeypatch.setattr(courier, "deliver", deliver_or_fail)
    async with running_worker(market) as worker:
        await market.send(SELLER, market.buyer_alias)
        await eventually(lambda: _states_are(market, {ItemState.DEFERRED}))
        market.clock.forward(market.services.settings.schedule.first_s)
        worker.notify()
        await eventually(lambda: _states_are(market, {ItemState.ACCEPTED}))
    (summary,) = await market.store.records.messages()
    events = [event.type for event in await market.store.records.history(summary.id)]
    assert events == [EventType.RECEIVED, EventType.QUEUED, EventType.DEFERRED, EventType.ACCEPTED]


# R-SND-02, R-SND-07
async def test_held_mail_to_somebody_without_a_mailbox_comes_back_when_it_is_released(market: MarketEnv) -> None:
    seller = market.pair.seller.party
    buyer = await market.store.parties.put("market", Role.BUYER, "B2")
    pair = await market.store.pairs.put("market", buyer.id, seller.id, dict.fromkeys(Role, DOMAIN))
    assistant = "assistant@pottery.example"
    await market.send(assistant, pair.buyer.alias.address, login=Role.SELLER)
    await market.store.senders.put(seller.id, assistant, SenderState.APPROVED)
    async with running_worker(market):
        await eventually(lambda: _states_are(market, {ItemState.RETURNED, ItemState.ACCEPTED}))
    (summary,) = await market.store.records.messages()
    assert summary.state == "returned"


# R-UI-11
async def test_a_stop_dials_nothing_new_and_gives_back_what_waits(market: MarketEnv) -> None:
    courier = blocking_courier(market)
    courier.hold(BUYER)
    async with running_worker(market) as worker:
        for _ in range(6):
            await market.send(SELLER, market.buyer_alias)
        await eventually(lambda: courier.count(BUYER) == 2)
        stopping = asyncio.create_task(worker.stop(20))
        await asyncio.sleep(0)
        courier.release(BUYER)
        await stopping
    assert courier.count(BUYER) == 2
    assert Counter(state for state, _ in await items(market)) == {ItemState.ACCEPTED: 2, ItemState.QUEUED: 4}


async def _attempts_are(market: MarketEnv, wanted: list[int]) -> bool:
    return [attempts for _, attempts in await items(market)] == wanted


async def _states_are(market: MarketEnv, wanted: set[ItemState]) -> bool:
    return await states(market) == wanted


# R-SND-02
async def test_what_approval_releases_is_dialled_one_by_one_in_its_order(market: MarketEnv) -> None:
    courier = blocking_courier(market)
    seller_id, helper = market.pair.seller.party.id, "helper@pottery.example"
    for number in range(4):
        await market.send(helper, market.buyer_alias, login=Role.SELLER, trusted=False, Subject=f"Number {number}")
    courier.hold(BUYER)
    async with running_worker(market):
        await market.store.senders.put(seller_id, helper, SenderState.APPROVED)
        await eventually(lambda: courier.count(BUYER))
        await market.send(SELLER, market.buyer_alias, Subject="Not held")
        await eventually(lambda: courier.count(BUYER) == 2)
        assert _numbers(courier) == ["Number 0"]
        courier.release(BUYER)
        await eventually(lambda: _states_are(market, {ItemState.ACCEPTED}))
    assert _numbers(courier) == [f"Number {number}" for number in range(4)]


def _numbers(courier: BlockingCourier) -> list[str]:
    subjects = [str(parsed(mail)["Subject"]) for mail in courier.dialled if mail.rcpt_to == BUYER]
    return [subject for subject in subjects if subject.startswith("Number")]


# R-OUT-02
async def test_mail_behind_a_closed_lane_gets_its_notices_without_an_attempt(market: MarketEnv) -> None:
    courier = blocking_courier(market)
    courier.answer = _NOT_NOW
    market.services.lanes = ProcessLanes(
        LaneLimits(concurrency=4, per_destination=2, back_off_s=10_000_000), market.clock, market.services.observer
    )
    async with running_worker(market):
        await market.send(SELLER, market.buyer_alias)
        await eventually(lambda: courier.count(BUYER))
        for _ in range(3):
            await market.send(SELLER, market.buyer_alias)
        await eventually(lambda: _states_are(market, {ItemState.DEFERRED}))
        for days, kind in ((1, "delayed"), (6, "undeliverable")):
            market.clock.at = START + timedelta(days=days)
            await eventually(partial(_flushed_until_noticed, market, kind, 4))
    assert courier.count(BUYER) == 1


async def _flushed_until_noticed(market: MarketEnv, kind: str, count: int) -> bool:
    await market.store.queue.flush()
    assert isinstance(market.store, SqlStore)
    rows = await market.store.base.engine.read("SELECT data FROM event WHERE type = 'notice_queued'")
    return sum(kind in row["data"] for row in rows) == count
