"""Words about messages, what parties were told, threads and the response clock."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from relay.core.mail.head import Automatic
from relay.core.model.event import EventType
from relay.core.model.facts import ThreadRef
from relay.core.model.item import ItemState
from relay.core.model.message import MessageState
from relay.core.model.order import Order, OrderUpdate
from relay.core.model.party import Role
from relay.core.response import Turn
from relay.ports import MessageRecord, NoticeSent
from relay.store import SqlStore
from tests.store.world import START, Place, World, execute, make_pair, select

HOUR = timedelta(hours=1)


async def kept(world: World, author: Role = Role.BUYER, **more: Any) -> MessageRecord:
    record = world.record(author, **more)
    await world.store.acceptances.add(world.acceptance(record))
    return record


# ---------------------------------------------------------------- marks


async def test_a_mark_is_made_once(world: World, place: Place) -> None:  # R-POL-06 R-REC-09
    record = await kept(world, Role.SELLER)
    data: dict[str, str | int] = {"mark": "not_important", "points": 2}
    async with place.node() as other:
        said = await asyncio.gather(*(node.records.mark(record.id, data) for node in (world.store, other) * 5))
    assert said.count(True) == 1
    assert not await world.store.records.mark(record.id, dict(reversed(data.items())))
    world.place.clock.at += HOUR  # two nodes' ids have no order within a moment
    assert await world.store.records.mark(record.id, {"mark": "reported"})
    assert not await world.store.records.mark("nothing", data)
    assert [event.data for event in await world.store.records.history(record.id) if event.type is EventType.MARKED] == [
        data,
        {"mark": "reported"},
    ]


async def test_a_buyers_message_is_left_out_of_the_clock_and_taken_back(world: World) -> None:  # R-REC-08
    record, seller = await kept(world), world.pair.seller.party.id
    for undo, word in ((False, "no_reply_needed"), (True, "reply_needed"), (False, "no_reply_needed")):
        world.place.clock.at += HOUR
        assert await world.store.records.mark_no_reply(record.id, by="sato", undo=undo)
        assert not await world.store.records.mark_no_reply(record.id, by="sato", undo=undo)
        assert [turn.no_reply_needed for turn in await world.store.threads.turns(seller, START)] == [not undo]
        last = (await world.store.records.history(record.id))[-1]
        assert (last.type, last.data) == (EventType.MARKED, {"mark": word, "by": "sato"})
    assert len(await world.store.records.history(record.id)) == 4


async def test_only_a_buyers_message_can_be_left_out(world: World) -> None:  # R-REC-08
    own = await kept(world, Role.SELLER)
    assert not await world.store.records.mark_no_reply(own.id, by="sato")
    assert not await world.store.records.mark_no_reply("nothing", by="sato")
    assert len(await world.store.records.history(own.id)) == 1


# ---------------------------------------------------------------- told


async def test_what_was_told_is_not_told_again_too_soon(node: SqlStore, world: World) -> None:  # R-SND-02 R-POL-11
    party, told = world.pair.seller.party.id, NoticeSent(party_id=world.pair.seller.party.id, topic="pending", at=START)
    assert await node.notice_log.last_at(party, "pending") is None
    assert await node.notice_log.add(told, unless_since=START - HOUR)
    assert not await node.notice_log.add(replace(told, at=START + HOUR), unless_since=START)
    assert await node.notice_log.last_at(party, "pending") == START
    assert await node.notice_log.add(replace(told, at=START + 2 * HOUR), unless_since=START + timedelta(microseconds=1))
    assert await node.notice_log.add(replace(told, at=START + 3 * HOUR))
    assert await node.notice_log.last_at(party, "pending") == START + 3 * HOUR
    assert await node.notice_log.last_at(party, "quota_seller") is None
    assert await node.notice_log.last_at(world.pair.buyer.party.id, "pending") is None


async def test_what_several_nodes_would_say_is_said_by_one(world: World, place: Place) -> None:  # R-SCL-02
    told = NoticeSent(party_id=world.pair.seller.party.id, topic="pending", at=START)
    async with place.node() as other:
        said = await asyncio.gather(
            *(node.notice_log.add(told, unless_since=START - HOUR) for node in (world.store, other) * 5)
        )
    assert said.count(True) == 1


async def test_an_acceptance_notes_whom_it_tells(world: World) -> None:
    party = world.pair.seller.party.id
    for at in (START, START + HOUR):
        record = world.record()
        told = (
            NoticeSent(party_id=party, topic="pending", at=at),
            NoticeSent(party_id=party, topic="quota_seller", at=at),
        )
        await world.store.acceptances.add(world.acceptance(record, told=told))
    records = [world.record() for _ in range(4)]
    await asyncio.gather(
        *(
            world.store.acceptances.add(
                world.acceptance(r, told=(NoticeSent(party_id=party, topic="x", at=START + HOUR),))
            )
            for r in records
        )
    )
    for topic in ("pending", "quota_seller", "x"):
        assert await world.store.notice_log.last_at(party, topic) == START + HOUR


async def test_the_notices_to_a_party_are_known_by_when_they_are_due(world: World) -> None:  # R-OUT-07
    record = world.record()
    other = world.record(Role.BUYER)
    notices = []
    for hours in (3, 0, 1):
        notice = world.notice(record)
        notices.append(replace(notice, item=replace(notice.item, due_at=START + hours * HOUR)))
    await world.store.acceptances.add(world.acceptance(record, world.item(record), notices=tuple(notices)))
    await world.store.acceptances.add(world.acceptance(other, notices=(world.notice(other),)))
    party = world.pair.seller.party.id
    assert await world.store.notice_log.due_since(party, START) == [START + HOUR, START + 3 * HOUR]
    assert await world.store.notice_log.due_since(party, START - HOUR) == [START, START + HOUR, START + 3 * HOUR]
    for item in await world.claim():
        assert item.state is ItemState.LEASED
    assert len(await world.store.notice_log.due_since(party, START - HOUR)) == 3


# ---------------------------------------------------------------- threads


async def order(world: World, external_id: str = "A-1", **more: Any) -> Order:
    made = OrderUpdate(marketplace_id="m", pair_id=world.pair.id, external_id=external_id)
    return await world.store.orders.put(replace(made, **more))


async def test_a_thread_was_last_alive_with_its_newest_mail(world: World) -> None:  # R-POL-18
    one, two, clock, store = await order(world), await order(world, "A-2"), world.place.clock, world.store
    assert await store.threads.last_at(world.pair.id, None) is None
    await kept(world, order_id=one.id)
    clock.at += HOUR
    await kept(world)
    for state in (MessageState.RETURNED, MessageState.REFUSED):
        clock.at += HOUR
        await kept(world, order_id=one.id, state=state)
    assert await store.threads.last_at(world.pair.id, one.id) == START
    assert await store.threads.last_at(world.pair.id, None) == START + HOUR
    assert await store.threads.last_at(world.pair.id, two.id) is None


async def test_held_mail_keeps_a_thread_open_once_it_has_passed(world: World) -> None:  # R-POL-18
    one, clock, store = await order(world), world.place.clock, world.store
    await kept(world, order_id=one.id)
    clock.at += HOUR
    held = world.record(order_id=one.id, state=MessageState.HELD, detail={"action": "hold"})
    await world.accepted(held, ItemState.HELD)
    before = await store.threads.last_at(world.pair.id, one.id), await store.threads.last_at(world.pair.id, None)
    assert before == (START, START)
    assert await store.holds.release(held.id, "dana")
    assert before == (
        await store.threads.last_at(world.pair.id, one.id),
        await store.threads.last_at(world.pair.id, None),
    )
    await world.drained()
    assert await store.threads.last_at(world.pair.id, one.id) == START + HOUR
    assert await store.threads.last_at(world.pair.id, None) == START + HOUR


async def test_a_reopening_counts_as_mail_for_threads_that_ever_had_any(world: World) -> None:  # R-POL-18
    one, two, clock, store = await order(world), await order(world, "A-2"), world.place.clock, world.store
    await store.threads.reopen(world.pair.id, "sato")
    assert await store.threads.last_at(world.pair.id, None) is None
    clock.at += HOUR
    await kept(world, order_id=one.id)
    assert await store.threads.last_at(world.pair.id, one.id) == START + HOUR
    clock.at += HOUR
    await store.threads.reopen(world.pair.id, "sato")
    assert await store.threads.last_at(world.pair.id, one.id) == START + 2 * HOUR
    assert await store.threads.last_at(world.pair.id, None) == START + 2 * HOUR
    assert await store.threads.last_at(world.pair.id, two.id) is None
    rows = await select(store, "SELECT reopened_by FROM thread_reopening")
    assert [row["reopened_by"] for row in rows] == ["sato", "sato"]
    with pytest.raises(ValueError, match="refuses the row"):
        await store.threads.reopen("nothing", "sato")


async def test_a_known_id_names_the_order_that_its_thread_is_about(world: World) -> None:  # R-ADR-05
    one = await order(world)
    question = await kept(world, original_message_id="q@phone.example", order_id=one.id)
    token = f"{question.id}@{world.pair.buyer.alias.domain}"
    for writer, incoming, outgoing in ((Role.SELLER, token, "q@phone.example"), (Role.BUYER, "q@phone.example", token)):
        assert await world.store.threads.refs(world.pair, writer, [incoming]) == [
            ThreadRef(incoming_id=incoming, outgoing_id=outgoing, author=Role.BUYER, order_id=one.id)
        ]


async def test_a_pairs_orders_come_with_what_is_known_of_them(world: World) -> None:  # R-POL-09
    other = await make_pair(world.store, buyer="b-2")
    one = await order(world, known=("1234-5678-9012", "150-0001", "5,980円"))
    two = await order(world, "A-2")
    await order(world, "A-3", pair_id=other.id)
    assert await world.store.orders.of_pair(world.pair.id) == [one, two]
    assert await world.store.orders.get("m", "A-1") == one
    changed = await order(world, known=("9",))
    assert await world.store.orders.of_pair(world.pair.id) == [changed, two]
    assert [each async for each, _ in world.store.orders.in_marketplace("m")][:2] == [changed, two]


async def test_what_is_known_of_an_order_goes_with_its_buyers_key(world: World) -> None:  # R-REC-04
    one = await order(world, known=("150-0001",))
    buyer = world.pair.buyer.party.id
    await execute(world.store, "DELETE FROM holder_key WHERE holder_id = $1", buyer)
    assert await world.store.orders.of_pair(world.pair.id) == [replace(one, known=())]


# ---------------------------------------------------------------- the response clock, the policy's replay


def turn(record: MessageRecord, at: datetime, **more: Any) -> Turn:
    made = Turn(message_id=record.id, pair_id=record.pair_id or "", author=record.author_role or Role.BUYER, at=at)
    return replace(made, **more)


async def test_a_sellers_turns_are_what_was_relayed_in_his_pairs(world: World) -> None:  # R-REC-08
    seller, clock = world.pair.seller.party.id, world.place.clock
    second = await make_pair(world.store, buyer="b-2")
    foreign = await make_pair(world.store, seller="s-2")
    question = await kept(world)
    clock.at += HOUR
    asked = await kept(world, pair=second)
    await kept(world, pair=foreign)
    reply = await kept(world, Role.SELLER, automatic=Automatic.REPLY)
    for state in (MessageState.HELD, MessageState.RETURNED, MessageState.REFUSED):
        await kept(world, Role.SELLER, state=state)
    clock.at += HOUR
    answer = await kept(world, Role.SELLER, state=MessageState.ACCEPTED)
    mine = [turn(question, START), turn(reply, START + HOUR, automatic=True), turn(answer, START + 2 * HOUR)]
    expected = [(world.pair.id, mine), (second.id, [turn(asked, START + HOUR)])]
    assert await world.store.threads.turns(seller, START) == [each for _, turns in sorted(expected) for each in turns]
    assert question.id not in {each.message_id for each in await world.store.threads.turns(seller, START + HOUR)}


async def test_what_was_recorded_in_a_time_comes_oldest_first(world: World) -> None:  # R-POL-15
    clock, ids = world.place.clock, []
    foreign = await make_pair(world.store, marketplace="other")
    for number in range(205):
        record = world.record(state=(MessageState.QUEUED, MessageState.RETURNED)[number % 2])
        await world.store.acceptances.add(world.acceptance(record))
        ids.append(record.id)
        clock.at += timedelta(microseconds=number % 3)
    await kept(world, pair=foreign)
    await kept(world, author_role=None, author_id=None)
    found = [each async for each in world.store.records.ids_between("m", START, clock.now() + HOUR)]
    assert found == ids
    assert [
        each async for each in world.store.records.ids_between("m", START + timedelta(microseconds=1), clock.now())
    ] == [each for each in ids[2:] if each not in ids[204:]]
