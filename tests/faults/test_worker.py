"""What the dispatch loop does when things around it go wrong, on a real store with a courier that tests hold back."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from relay.core.model.event import EventType
from relay.core.model.item import Item, ItemState
from relay.core.model.party import Role
from relay.core.model.sender import SenderState
from relay.ports import Delivery, DkimKey, Outgoing, UnavailableError
from relay.store import SqlStore
from relay.worker import Worker
from tests.support.daemon import eventually
from tests.support.town import ACCEPTED, BUYER, DOMAIN, SELLER, Town, parsed, town

_NOT_NOW = Delivery(
    accepted=False, permanent=False, code=0, enhanced="", text="no answer", phase="connect", host="mx", tls=""
)


class Held:
    """A courier whose deliveries to a mailbox end only when they are let go."""

    def __init__(self) -> None:
        self.dialled: list[Outgoing] = []
        self.answer = ACCEPTED
        self._gates: dict[str, asyncio.Event] = {}

    def hold(self, mailbox: str) -> None:
        self._gates[mailbox] = asyncio.Event()

    def let_go(self, mailbox: str) -> None:
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
async def place(tmp_path: Path) -> AsyncIterator[Town]:
    async with town(tmp_path) as place:
        place.services.settings = replace(
            place.services.settings, poll_s=0.02, concurrency=4, concurrency_per_destination=2
        )
        place.services.courier = Held()
        yield place


def held_back(place: Town) -> Held:
    assert isinstance(place.services.courier, Held)
    return place.services.courier


@asynccontextmanager
async def at_work(place: Town) -> AsyncIterator[Worker]:
    worker = Worker()
    place.services.dispatcher = worker
    worker.start(place.services)
    try:
        yield worker
    finally:
        await worker.stop(0)


async def items(place: Town) -> list[tuple[ItemState, int]]:
    assert isinstance(place.store, SqlStore)
    rows = await place.store.base.engine.read("SELECT state, attempts FROM item ORDER BY id")
    return [(ItemState(row["state"]), row["attempts"]) for row in rows]


async def states(place: Town) -> set[ItemState]:
    return {state for state, _ in await items(place)}


# R-IN-03
async def test_what_is_in_hand_is_not_sent_again_when_its_lease_runs_out(place: Town) -> None:
    courier = held_back(place)
    courier.hold(BUYER)
    async with at_work(place) as worker:
        await place.send(SELLER, place.buyer_alias)
        await eventually(lambda: courier.dialled)
        place.clock.forward(place.services.settings.lease_s + 1)
        worker.notify()
        await eventually(lambda: _attempts_are(place, [2]))
        courier.let_go(BUYER)
        await eventually(lambda: _states_are(place, {ItemState.ACCEPTED}))
    assert courier.count(BUYER) == 1


# R-OUT-01
async def test_a_destination_that_does_not_answer_holds_up_no_other(place: Town) -> None:
    courier = held_back(place)
    courier.hold(BUYER)
    async with at_work(place):
        for _ in range(20):
            await place.send(SELLER, place.buyer_alias)
        await eventually(lambda: courier.dialled)
        await place.send(BUYER, place.seller_alias)
        await eventually(lambda: courier.count(SELLER))
        assert courier.count(BUYER) == 2, "as many as there may be connections"
        courier.let_go(BUYER)
        await eventually(lambda: _states_are(place, {ItemState.ACCEPTED}))
    assert courier.count(BUYER) == 20


# R-OUT-02
async def test_an_item_put_off_for_its_sick_domain_keeps_its_attempts(place: Town) -> None:
    courier = held_back(place)
    courier.answer = _NOT_NOW
    courier.hold(BUYER)
    async with at_work(place):
        for _ in range(6):
            await place.send(SELLER, place.buyer_alias)
        await eventually(lambda: courier.count(BUYER) == 2)
        courier.let_go(BUYER)
        await eventually(lambda: _states_are(place, {ItemState.DEFERRED}))
    assert courier.count(BUYER) == 2
    assert sorted(attempts for _, attempts in await items(place)) == [0, 0, 0, 0, 1, 1]


# R-IN-07
async def test_an_item_whose_store_was_away_is_tried_again_soon(place: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    courier, keys, away = held_back(place), place.store.dkim_keys.of_domain, [UnavailableError("away")]

    async def dkim_keys(domain: str) -> Sequence[DkimKey]:
        if away:
            raise away.pop()
        return await keys(domain)

    monkeypatch.setattr(place.store.dkim_keys, "of_domain", dkim_keys)
    async with at_work(place):
        await place.send(SELLER, place.buyer_alias)
        await eventually(lambda: _states_are(place, {ItemState.DEFERRED}))
        place.clock.forward(1)  # far less than a lease
        await eventually(lambda: _states_are(place, {ItemState.ACCEPTED}))
    assert courier.count(BUYER) == 1


async def test_the_queue_goes_on_after_a_claim_that_failed_in_an_unforeseen_way(
    place: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, faults = place.store.queue.claim, [RuntimeError("unforeseen")]

    async def claim_or_fail(*args: Any, **kwargs: Any) -> Sequence[Item]:
        if faults:
            raise faults.pop()
        return await claim(*args, **kwargs)

    await place.send(SELLER, place.buyer_alias)
    monkeypatch.setattr(place.store.queue, "claim", claim_or_fail)
    async with at_work(place):
        await eventually(lambda: _states_are(place, {ItemState.ACCEPTED}))
    assert not faults


async def test_an_attempt_that_fails_inside_the_relay_is_made_again_later(
    place: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    courier, deliver, faults = place.services.courier, place.services.courier.deliver, [RuntimeError("unforeseen")]

    async def deliver_or_fail(outgoing: Outgoing) -> Delivery:
        if faults:
            raise faults.pop()
        return await deliver(outgoing)

    monkeypatch.setattr(courier, "deliver", deliver_or_fail)
    async with at_work(place) as worker:
        await place.send(SELLER, place.buyer_alias)
        await eventually(lambda: _states_are(place, {ItemState.DEFERRED}))
        place.clock.forward(place.services.settings.schedule.first_s)
        worker.notify()
        await eventually(lambda: _states_are(place, {ItemState.ACCEPTED}))
    (summary,) = await place.store.records.messages()
    events = [event.type for event in await place.store.records.history(summary.id)]
    assert events == [EventType.RECEIVED, EventType.QUEUED, EventType.DEFERRED, EventType.ACCEPTED]


# R-SND-02, R-SND-07
async def test_held_mail_to_somebody_without_a_mailbox_comes_back_when_it_is_released(place: Town) -> None:
    seller = place.pair.seller.party
    buyer = await place.store.parties.put("market", Role.BUYER, "B2")
    pair = await place.store.pairs.put("market", buyer.id, seller.id, dict.fromkeys(Role, DOMAIN))
    assistant = "assistant@pottery.example"
    await place.send(assistant, pair.buyer.alias.address, login=Role.SELLER)
    await place.store.senders.put(seller.id, assistant, SenderState.APPROVED)
    async with at_work(place):
        await eventually(lambda: _states_are(place, {ItemState.RETURNED, ItemState.ACCEPTED}))
    (summary,) = await place.store.records.messages()
    assert summary.state == "returned"


# R-UI-11
async def test_a_stop_dials_nothing_new_and_gives_back_what_waits(place: Town) -> None:
    courier = held_back(place)
    courier.hold(BUYER)
    async with at_work(place) as worker:
        for _ in range(6):
            await place.send(SELLER, place.buyer_alias)
        await eventually(lambda: courier.count(BUYER) == 2)
        stopping = asyncio.create_task(worker.stop(20))
        await asyncio.sleep(0)
        courier.let_go(BUYER)
        await stopping
    assert courier.count(BUYER) == 2
    assert Counter(state for state, _ in await items(place)) == {ItemState.ACCEPTED: 2, ItemState.QUEUED: 4}


async def _attempts_are(place: Town, wanted: list[int]) -> bool:
    return [attempts for _, attempts in await items(place)] == wanted


async def _states_are(place: Town, wanted: set[ItemState]) -> bool:
    return await states(place) == wanted


# R-SND-02
async def test_what_approval_releases_is_dialled_one_by_one_in_its_order(place: Town) -> None:
    courier = held_back(place)
    seller_id, helper = place.pair.seller.party.id, "helper@pottery.example"
    for number in range(4):
        await place.send(helper, place.buyer_alias, login=Role.SELLER, trusted=False, Subject=f"Number {number}")
    courier.hold(BUYER)
    async with at_work(place):
        await place.store.senders.put(seller_id, helper, SenderState.APPROVED)
        await eventually(lambda: courier.count(BUYER))
        await place.send(SELLER, place.buyer_alias, Subject="Not held")
        await eventually(lambda: courier.count(BUYER) == 2)
        assert _numbers(courier) == ["Number 0"]
        courier.let_go(BUYER)
        await eventually(lambda: _states_are(place, {ItemState.ACCEPTED}))
    assert _numbers(courier) == [f"Number {number}" for number in range(4)]


def _numbers(courier: Held) -> list[str]:
    subjects = [str(parsed(mail)["Subject"]) for mail in courier.dialled if mail.rcpt_to == BUYER]
    return [subject for subject in subjects if subject.startswith("Number")]
