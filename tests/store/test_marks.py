"""Words about messages, what parties were told, threads and the response clock."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from relay.core.mail.head import Automatic
from relay.core.model.event import EventType, Mark, MarkData
from relay.core.model.facts import ThreadRef
from relay.core.model.item import ItemState
from relay.core.model.message import MessageState
from relay.core.model.order import Order, OrderUpdate
from relay.core.model.party import Role
from relay.core.response import Turn
from relay.ports import MessageRecord, NoticeSent, RecordAction, RecordDetail
from relay.store import SqlStore
from tests.store.store_env import START, Database, StoreEnv, execute, make_pair, select

HOUR = timedelta(hours=1)


async def kept(env: StoreEnv, author: Role = Role.BUYER, **more: Any) -> MessageRecord:
    record = env.record(author, **more)
    await env.store.acceptances.add(env.acceptance(record))
    return record


# ---------------------------------------------------------------- marks


async def test_a_mark_is_made_once(env: StoreEnv, database: Database) -> None:  # R-POL-06 R-REC-09
    record = await kept(env, Role.SELLER)
    data = MarkData(mark=Mark.NOT_IMPORTANT, by="dana")
    async with database.node() as other:
        said = await asyncio.gather(*(node.records.mark(record.id, data) for node in (env.store, other) * 5))
    assert said.count(True) == 1
    assert not await env.store.records.mark(record.id, MarkData(by="dana", mark=Mark.NOT_IMPORTANT))
    env.database.clock.at += HOUR  # two nodes' ids have no order within a moment
    assert await env.store.records.mark(record.id, MarkData(mark=Mark.REPORTED))
    assert not await env.store.records.mark("nothing", data)
    assert [event.data for event in await env.store.records.history(record.id) if event.type is EventType.MARKED] == [
        data,
        MarkData(mark=Mark.REPORTED),
    ]


async def test_a_buyers_message_is_left_out_of_the_clock_and_taken_back(env: StoreEnv) -> None:  # R-REC-08
    record, seller = await kept(env), env.pair.seller.party.id
    for undo, mark in ((False, Mark.NO_REPLY_NEEDED), (True, Mark.REPLY_NEEDED), (False, Mark.NO_REPLY_NEEDED)):
        env.database.clock.at += HOUR
        assert await env.store.records.mark_no_reply(record.id, by="sato", undo=undo)
        assert not await env.store.records.mark_no_reply(record.id, by="sato", undo=undo)
        assert [turn.no_reply_needed for turn in await env.store.threads.turns(seller, START)] == [not undo]
        last = (await env.store.records.history(record.id))[-1]
        assert (last.type, last.data) == (EventType.MARKED, MarkData(mark=mark, by="sato"))
    assert len(await env.store.records.history(record.id)) == 4


async def test_only_a_buyers_message_can_be_left_out(env: StoreEnv) -> None:  # R-REC-08
    own = await kept(env, Role.SELLER)
    assert not await env.store.records.mark_no_reply(own.id, by="sato")
    assert not await env.store.records.mark_no_reply("nothing", by="sato")
    assert len(await env.store.records.history(own.id)) == 1


# ---------------------------------------------------------------- told


async def test_what_was_told_is_not_told_again_too_soon(node: SqlStore, env: StoreEnv) -> None:  # R-SND-02 R-POL-11
    party, told = env.pair.seller.party.id, NoticeSent(party_id=env.pair.seller.party.id, topic="pending", at=START)
    assert await node.notice_log.last_at(party, "pending") is None
    assert await node.notice_log.add(told, unless_since=START - HOUR)
    assert not await node.notice_log.add(replace(told, at=START + HOUR), unless_since=START)
    assert await node.notice_log.last_at(party, "pending") == START
    assert await node.notice_log.add(replace(told, at=START + 2 * HOUR), unless_since=START + timedelta(microseconds=1))
    assert await node.notice_log.add(replace(told, at=START + 3 * HOUR))
    assert await node.notice_log.last_at(party, "pending") == START + 3 * HOUR
    assert await node.notice_log.last_at(party, "quota_seller") is None
    assert await node.notice_log.last_at(env.pair.buyer.party.id, "pending") is None


async def test_what_several_nodes_would_say_is_said_by_one(env: StoreEnv, database: Database) -> None:  # R-SCL-02
    told = NoticeSent(party_id=env.pair.seller.party.id, topic="pending", at=START)
    async with database.node() as other:
        said = await asyncio.gather(
            *(node.notice_log.add(told, unless_since=START - HOUR) for node in (env.store, other) * 5)
        )
    assert said.count(True) == 1


async def test_an_acceptance_notes_whom_it_tells(env: StoreEnv) -> None:
    party = env.pair.seller.party.id
    for at in (START, START + HOUR):
        record = env.record()
        told = (
            NoticeSent(party_id=party, topic="pending", at=at),
            NoticeSent(party_id=party, topic="quota_seller", at=at),
        )
        await env.store.acceptances.add(env.acceptance(record, told=told))
    records = [env.record() for _ in range(4)]
    await asyncio.gather(
        *(
            env.store.acceptances.add(env.acceptance(r, told=(NoticeSent(party_id=party, topic="x", at=START + HOUR),)))
            for r in records
        )
    )
    for topic in ("pending", "quota_seller", "x"):
        assert await env.store.notice_log.last_at(party, topic) == START + HOUR


async def test_the_notices_to_a_party_are_known_by_when_they_are_due(env: StoreEnv) -> None:  # R-OUT-07
    record = env.record()
    other = env.record(Role.BUYER)
    notices = []
    for hours in (3, 0, 1):
        notice = env.notice(record)
        notices.append(replace(notice, item=replace(notice.item, due_at=START + hours * HOUR)))
    await env.store.acceptances.add(env.acceptance(record, env.item(record), notices=tuple(notices)))
    await env.store.acceptances.add(env.acceptance(other, notices=(env.notice(other),)))
    party = env.pair.seller.party.id
    later, now, next_hour = (notice.item.id for notice in notices)
    assert await env.store.notice_log.due_since(party, START) == {
        next_hour: START + HOUR,
        later: START + 3 * HOUR,
    }
    assert set(await env.store.notice_log.due_since(party, START - HOUR)) == {later, now, next_hour}
    for item in await env.claim():
        assert item.state is ItemState.LEASED
    assert len(await env.store.notice_log.due_since(party, START - HOUR)) == 3


# ---------------------------------------------------------------- threads


async def order(env: StoreEnv, external_id: str = "A-1", **more: Any) -> Order:
    made = OrderUpdate(marketplace_id="m", pair_id=env.pair.id, external_id=external_id)
    return await env.store.orders.put(replace(made, **more))


async def test_a_thread_was_last_alive_with_its_newest_mail(env: StoreEnv) -> None:  # R-POL-18
    one, two, clock, store = await order(env), await order(env, "A-2"), env.database.clock, env.store
    assert await store.threads.last_at(env.pair.id, None) is None
    await kept(env, order_id=one.id)
    clock.at += HOUR
    await kept(env)
    for state in (MessageState.RETURNED, MessageState.REFUSED):
        clock.at += HOUR
        await kept(env, order_id=one.id, state=state)
    assert await store.threads.last_at(env.pair.id, one.id) == START
    assert await store.threads.last_at(env.pair.id, None) == START + HOUR
    assert await store.threads.last_at(env.pair.id, two.id) is None
    assert await store.threads.times(env.pair.id) == {one.id: START, None: START + HOUR}


async def test_held_mail_keeps_a_thread_open_once_it_has_passed(env: StoreEnv) -> None:  # R-POL-18
    one, clock, store = await order(env), env.database.clock, env.store
    await kept(env, order_id=one.id)
    clock.at += HOUR
    held = env.record(order_id=one.id, state=MessageState.HELD, detail=RecordDetail(action=RecordAction.HOLD))
    await env.accepted(held, ItemState.HELD)
    before = await store.threads.last_at(env.pair.id, one.id), await store.threads.last_at(env.pair.id, None)
    assert before == (START, START)
    assert await store.threads.times(env.pair.id) == dict.fromkeys((one.id, None), START)
    assert await store.holds.release(held.id, "dana")
    assert before == (
        await store.threads.last_at(env.pair.id, one.id),
        await store.threads.last_at(env.pair.id, None),
    )
    await env.drained()
    assert await store.threads.last_at(env.pair.id, one.id) == START + HOUR
    assert await store.threads.last_at(env.pair.id, None) == START + HOUR


async def test_a_reopening_counts_as_mail_for_threads_that_ever_had_any(env: StoreEnv) -> None:  # R-POL-18
    one, two, clock, store = await order(env), await order(env, "A-2"), env.database.clock, env.store
    await store.threads.reopen(env.pair.id, "sato")
    assert await store.threads.last_at(env.pair.id, None) is None
    assert await store.threads.times(env.pair.id) == {}
    clock.at += HOUR
    await kept(env, order_id=one.id)
    assert await store.threads.last_at(env.pair.id, one.id) == START + HOUR
    clock.at += HOUR
    await store.threads.reopen(env.pair.id, "sato")
    assert await store.threads.last_at(env.pair.id, one.id) == START + 2 * HOUR
    assert await store.threads.last_at(env.pair.id, None) == START + 2 * HOUR
    assert await store.threads.last_at(env.pair.id, two.id) is None
    assert await store.threads.times(env.pair.id) == dict.fromkeys((one.id, None), START + 2 * HOUR)
    rows = await select(store, "SELECT reopened_by FROM thread_reopening")
    assert [row["reopened_by"] for row in rows] == ["sato", "sato"]
    with pytest.raises(ValueError, match="refuses the row"):
        await store.threads.reopen("nothing", "sato")


async def test_a_known_id_names_the_order_that_its_thread_is_about(env: StoreEnv) -> None:  # R-ADR-05
    one = await order(env)
    question = await kept(env, original_message_id="q@phone.example", order_id=one.id)
    token = f"{question.id}@{env.pair.buyer.alias.domain}"
    for writer, incoming, outgoing in ((Role.SELLER, token, "q@phone.example"), (Role.BUYER, "q@phone.example", token)):
        assert await env.store.threads.refs(env.pair, writer, [incoming]) == [
            ThreadRef(
                incoming_id=incoming,
                outgoing_id=outgoing,
                author=Role.BUYER,
                order_id=one.id,
                at=env.database.clock.now(),
            )
        ]


async def test_a_pairs_orders_come_with_what_is_known_of_them(env: StoreEnv) -> None:  # R-POL-09
    other = await make_pair(env.store, buyer="b-2")
    one = await order(env, known=("1234-5678-9012", "150-0001", "5,980円"))
    two = await order(env, "A-2")
    await order(env, "A-3", pair_id=other.id)
    assert await env.store.orders.of_pair(env.pair.id) == [one, two]
    assert await env.store.orders.get("m", "A-1") == one
    changed = await order(env, known=("9",))
    assert await env.store.orders.of_pair(env.pair.id) == [changed, two]
    assert [each async for each, _ in env.store.orders.in_marketplace("m")][:2] == [changed, two]


async def test_what_is_known_of_an_order_goes_with_its_buyers_key(env: StoreEnv) -> None:  # R-REC-04
    one = await order(env, known=("150-0001",))
    buyer = env.pair.buyer.party.id
    await execute(env.store, "DELETE FROM holder_key WHERE holder_id = $1", buyer)
    assert await env.store.orders.of_pair(env.pair.id) == [replace(one, known=())]


# ---------------------------------------------------------------- the response clock, the policy's replay


def turn(record: MessageRecord, at: datetime, **more: Any) -> Turn:
    made = Turn(message_id=record.id, pair_id=record.pair_id or "", author=record.author_role or Role.BUYER, at=at)
    return replace(made, **more)


async def test_a_sellers_turns_are_what_was_relayed_in_his_pairs(env: StoreEnv) -> None:  # R-REC-08
    seller, clock = env.pair.seller.party.id, env.database.clock
    second = await make_pair(env.store, buyer="b-2")
    foreign = await make_pair(env.store, seller="s-2")
    question = await kept(env)
    clock.at += HOUR
    asked = await kept(env, pair=second)
    await kept(env, pair=foreign)
    reply = await kept(env, Role.SELLER, automatic=Automatic.REPLY)
    for state in (MessageState.HELD, MessageState.RETURNED, MessageState.REFUSED):
        await kept(env, Role.SELLER, state=state)
    clock.at += HOUR
    answer = await kept(env, Role.SELLER, state=MessageState.ACCEPTED)
    mine = [turn(question, START), turn(reply, START + HOUR, automatic=True), turn(answer, START + 2 * HOUR)]
    expected = [(env.pair.id, mine), (second.id, [turn(asked, START + HOUR)])]
    assert await env.store.threads.turns(seller, START) == [each for _, turns in sorted(expected) for each in turns]
    assert question.id not in {each.message_id for each in await env.store.threads.turns(seller, START + HOUR)}


async def test_what_was_recorded_in_a_time_comes_oldest_first(env: StoreEnv) -> None:  # R-POL-15
    clock, ids = env.database.clock, []
    foreign = await make_pair(env.store, marketplace="other")
    for number in range(205):
        record = env.record(state=(MessageState.QUEUED, MessageState.RETURNED)[number % 2])
        await env.store.acceptances.add(env.acceptance(record))
        ids.append(record.id)
        clock.at += timedelta(microseconds=number % 3)
    await kept(env, pair=foreign)
    await kept(env, author_role=None, author_id=None)
    found = [each async for each in env.store.records.ids_between("m", START, clock.now() + HOUR)]
    assert found == ids
    assert [
        each async for each in env.store.records.ids_between("m", START + timedelta(microseconds=1), clock.now())
    ] == [each for each in ids[2:] if each not in ids[204:]]
