"""Mail that waits for a word or for a time: due when it should be, moved once, never sent without its word."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from relay.core.model.event import EventType, HoldData, Mark, MarkData
from relay.core.model.item import Hold, Item, ItemState
from relay.core.model.message import MessageState
from relay.core.model.sender import SenderState
from tests.store import other_processes
from tests.store.store_env import Database, StoreEnv, make_pair
from tests.support.narrowing import not_none

WEEKS = timedelta(days=14)


async def held(env: StoreEnv, hold: Hold = Hold.DECISION, *, due_in: timedelta = WEEKS, **more: Any) -> Item:
    record = env.record(state=MessageState.HELD, **more)
    due_at = env.database.clock.now() + due_in
    item = env.item(record, ItemState.HELD, hold=hold, due_at=due_at, awaits_sender=False)
    await env.store.acceptances.add(env.acceptance(record, item))
    env.database.clock.at += timedelta(microseconds=1)
    return item


async def held_for_sender(env: StoreEnv, count: int) -> tuple[str, list[Item]]:
    """A pending sender's id and the items that wait for the word about it."""
    sender = await env.store.senders.put(env.pair.seller.party.id, "temp@seller.example", SenderState.UNKNOWN)
    items = []
    for _ in range(count):
        record = env.record(state=MessageState.HELD, sender_id=sender.id)
        items.append(await env.accepted(record, ItemState.HELD))
        env.database.clock.at += timedelta(seconds=1)
    return sender.id, items


def ids(rounds: list[list[Item]]) -> list[list[str]]:
    return [[item.id for item in claimed] for claimed in rounds]


async def types(env: StoreEnv, item: Item) -> list[EventType]:
    return [event.type for event in await env.store.records.history(item.message_id)]


# ---------------------------------------------------------------- time


@pytest.mark.parametrize("hold", [Hold.DECISION, Hold.TIME])
async def test_a_held_item_is_claimed_when_it_is_due_and_not_before(
    env: StoreEnv, hold: Hold
) -> None:  # R-SND-02 R-POL-11
    item = await held(env, hold)
    env.database.clock.at = item.due_at - timedelta(microseconds=1)
    assert await env.claim() == []
    env.database.clock.at = item.due_at
    assert await env.claim() == [replace(item, state=ItemState.LEASED, attempts=1)]


async def test_relayed_mail_may_wait_for_a_time_too(env: StoreEnv) -> None:  # R-POL-12
    record = env.record()
    item = env.item(record, hold=Hold.TIME, due_at=env.database.clock.now() + WEEKS)
    await env.store.acceptances.add(env.acceptance(record, item))
    assert await env.claim() == []
    assert [(line.state, line.count) for line in await env.store.queue.lines()] == [(ItemState.QUEUED, 1)]
    env.database.clock.at += WEEKS
    assert [each.hold for each in await env.claim()] == [Hold.TIME]


async def test_a_clock_that_jumps_back_strands_no_mail_that_waits_for_a_time(env: StoreEnv) -> None:
    timed, worded = await held(env, Hold.TIME, due_in=timedelta(hours=8)), await held(env)
    env.database.clock.at -= timedelta(days=31)
    assert [item.id for item in await env.claim()] == [timed.id]
    assert not_none(await env.store.queue.item(worded.id)).state is ItemState.HELD


async def test_nothing_is_held_without_saying_for_what(env: StoreEnv) -> None:
    record = env.record(state=MessageState.HELD)
    with pytest.raises(ValueError, match="refuses the row"):
        await env.store.acceptances.add(env.acceptance(record, env.item(record, ItemState.HELD, hold=None)))
    assert await env.store.records.messages() == []


# ---------------------------------------------------------------- lists


async def test_held_mail_is_listed_by_the_end_of_its_hold_until_it_is_due_or_decided_on(env: StoreEnv) -> None:
    late, early = await held(env), await held(env, due_in=timedelta(days=1))
    timed = await held(env, Hold.TIME, due_in=timedelta(hours=1))
    _, [of_sender] = await held_for_sender(env, 1)
    listed = await env.store.holds.held(env.record().marketplace_id)
    assert [one.message.id for one in listed] == [one.message_id for one in (timed, early, late, of_sender)]
    assert [(one.hold, one.until) for one in listed[:2]] == [
        (Hold.TIME, timed.due_at),
        (Hold.DECISION, early.due_at),
    ]
    beside = await env.store.holds.held(beside_senders=True)
    assert [one.message.id for one in beside] == [early.message_id, late.message_id]
    assert [one.message.id for one in await env.store.holds.held(limit=1)] == [timed.message_id]
    assert await env.store.holds.refuse(early.message_id, "ann")
    assert [one.message.id for one in await env.store.holds.held(beside_senders=True)] == [late.message_id]
    assert await env.store.holds.held("other") == []


# ---------------------------------------------------------------- words


@pytest.mark.parametrize("hold", [Hold.DECISION, Hold.TIME])
async def test_a_release_sends_it_at_once_whatever_it_waits_for(env: StoreEnv, hold: Hold) -> None:  # R-UI-10
    item = await held(env, hold)
    env.database.clock.at += timedelta(hours=1)
    assert await env.store.holds.release(item.message_id, "dana")
    assert not await env.store.holds.release(item.message_id, "dana")
    assert not await env.store.holds.refuse(item.message_id, "dana")
    now = env.database.clock.now()
    (claimed,) = await env.claim()
    assert (claimed.id, claimed.hold, claimed.queued_at, claimed.due_at) == (item.id, None, now, now)
    assert not_none(await env.store.records.summary(item.message_id)).state is MessageState.QUEUED
    assert await types(env, item) == [EventType.RECEIVED, EventType.RELEASED]


async def test_a_refusal_makes_it_due_to_go_back_once(env: StoreEnv) -> None:  # R-UI-03
    item = await held(env)
    assert await env.store.holds.refuse(item.message_id, "dana")
    assert not await env.store.holds.refuse(item.message_id, "dana")
    assert not await env.store.holds.release(item.message_id, "dana")
    assert not_none(await env.store.records.summary(item.message_id)).state is MessageState.HELD
    last = (await env.store.records.history(item.message_id))[-1]
    assert (last.type, last.data) == (EventType.MARKED, MarkData(mark=Mark.REFUSED, by="dana"))
    (claimed,) = await env.claim()
    assert (claimed.id, claimed.hold) == (item.id, Hold.REFUSED)
    assert await env.store.queue.settle(env.ended(claimed, ItemState.RETURNED))
    assert not_none(await env.store.queue.item(item.id)).hold is None
    assert not_none(await env.store.records.summary(item.message_id)).state is MessageState.RETURNED


async def test_a_block_does_not_take_the_notice_from_what_was_refused(env: StoreEnv) -> None:
    sender_id, (item,) = await held_for_sender(env, 1)
    await env.store.holds.refuse(item.message_id, "dana")
    for state in (SenderState.BLOCKED, SenderState.APPROVED):
        await env.store.senders.flip(sender_id, state, by="link")
    assert [each.hold for each in await env.claim()] == [Hold.REFUSED]


@pytest.mark.parametrize("hold", [Hold.DECISION, Hold.TIME])
async def test_approving_a_sender_releases_nothing_that_waits_for_another_word(
    env: StoreEnv, hold: Hold
) -> None:  # R-SND-02
    sender_id, (waiting,) = await held_for_sender(env, 1)
    other = await held(env, hold, sender_id=sender_id)
    await env.store.senders.flip(sender_id, SenderState.APPROVED, by="link")
    assert [item.id for item in await env.claim()] == [waiting.id]
    assert not_none(await env.store.queue.item(other.id)).hold is hold
    assert await env.store.holds.release(other.message_id, "dana")


MINUTE, LATE = timedelta(minutes=1), timedelta(hours=4)


async def test_a_released_message_that_is_deferred_is_not_overtaken(env: StoreEnv) -> None:  # R-SND-02
    sender_id, (first, second, third) = await held_for_sender(env, 3)
    await env.store.senders.flip(sender_id, SenderState.APPROVED, by="link")
    for _ in range(2):
        (claimed,) = await env.claim()
        assert claimed.id == first.id
        assert await env.claim("node-2") == []
        later = env.database.clock.now() + MINUTE
        assert await env.store.queue.settle(env.ended(claimed, ItemState.DEFERRED, due_at=later))
        assert await env.claim() == []
        env.database.clock.at = later
    assert ids(await env.drained()) == [[first.id], [second.id], [third.id]]


@pytest.mark.parametrize("state", [ItemState.RETURNED, ItemState.BOUNCED, ItemState.PARKED])
async def test_the_next_goes_whatever_became_of_the_one_before(env: StoreEnv, state: ItemState) -> None:  # R-SND-02
    sender_id, (_, second) = await held_for_sender(env, 2)
    await env.store.senders.flip(sender_id, SenderState.APPROVED, by="link")
    (claimed,) = await env.claim()
    assert await env.store.queue.settle(env.ended(claimed, state))
    assert [item.id for item in await env.claim()] == [second.id]


async def test_one_that_is_late_holds_up_the_others_no_longer(env: StoreEnv) -> None:  # R-SND-02 R-OUT-02
    sender_id, (_, second, third) = await held_for_sender(env, 3)
    await env.store.senders.flip(sender_id, SenderState.APPROVED, by="link")
    released_at = env.database.clock.now()
    (claimed,) = await env.claim()
    assert await env.store.queue.settle(env.ended(claimed, ItemState.DEFERRED, due_at=released_at + 2 * LATE))
    env.database.clock.at = released_at + LATE - MINUTE
    assert await env.claim() == []
    env.database.clock.at = released_at + LATE
    assert [item.id for item in await env.claim()] == [second.id, third.id]


async def test_quiet_hours_make_nothing_late(env: StoreEnv) -> None:  # R-SND-02 R-OUT-02 R-POL-12
    sender_id, (first, second) = await held_for_sender(env, 2)
    await env.store.senders.flip(sender_id, SenderState.APPROVED, by="link")
    morning = env.database.clock.now() + 2 * LATE
    (claimed,) = await env.claim()
    postponed = env.ended(replace(claimed, hold=Hold.TIME), ItemState.HELD, due_at=morning, dialled=False)
    assert await env.store.queue.settle(postponed)
    env.database.clock.at = morning
    (claimed,) = await env.claim()
    assert (claimed.id, claimed.queued_at) == (first.id, morning)
    assert await env.store.queue.settle(env.ended(claimed, ItemState.ACCEPTED))
    assert [item.id for item in await env.claim()] == [second.id]


async def test_what_goes_to_somebody_else_waits_for_nobody(env: StoreEnv) -> None:  # R-SND-02
    other = await make_pair(env.store, buyer="b-2")
    sender_id, (first, _) = await held_for_sender(env, 2)
    record = env.record(state=MessageState.HELD, sender_id=sender_id, pair=other)
    beside = await env.accepted(record, ItemState.HELD)
    await env.store.senders.flip(sender_id, SenderState.APPROVED, by="link")
    assert {item.id for item in await env.claim()} == {first.id, beside.id}


async def test_a_word_about_a_domain_releases_its_writers_mail_in_one_order(env: StoreEnv) -> None:  # R-SND-01 R-SND-02
    seller_id = env.pair.seller.party.id
    names = [f"{name}@seller.example" for name in ("zoe", "ann")]
    senders = [await env.store.senders.put(seller_id, name, SenderState.UNKNOWN) for name in names]
    items = []
    for sender in (*senders, *senders):
        items.append(await env.accepted(env.record(state=MessageState.HELD, sender_id=sender.id), ItemState.HELD))
        env.database.clock.at += MINUTE
    await env.store.senders.put(seller_id, "@seller.example", SenderState.APPROVED)
    assert ids(await env.drained()) == [[item.id] for item in items]


async def test_blocking_a_sender_returns_all_that_is_held_of_it(env: StoreEnv) -> None:  # R-SND-02
    sender_id, (waiting,) = await held_for_sender(env, 1)
    other = await held(env, Hold.TIME, sender_id=sender_id)
    await env.store.senders.flip(sender_id, SenderState.BLOCKED, by="link")
    for item in (waiting, other):
        assert not_none(await env.store.queue.item(item.id)).state is ItemState.RETURNED
        assert not_none(await env.store.records.summary(item.message_id)).state is MessageState.RETURNED
        last = (await env.store.records.history(item.message_id))[-1]
        assert (last.type, last.data) == (EventType.RETURNED, HoldData(sender="blocked", by="link"))


@pytest.mark.parametrize(
    ("before", "state", "refused"),
    [
        (SenderState.UNKNOWN, SenderState.BLOCKED, True),
        (SenderState.APPROVED, SenderState.BLOCKED, True),
        (SenderState.UNKNOWN, SenderState.RETIRED, True),
        (SenderState.APPROVED, SenderState.RETIRED, False),
    ],
)
async def test_a_decision_with_notice_refuses_the_held_mail_in_its_own_transaction(
    env: StoreEnv, before: SenderState, state: SenderState, refused: bool
) -> None:  # R-SND-02
    seller_id, address = env.pair.seller.party.id, "temp@seller.example"
    sender = await env.store.senders.put(seller_id, address, before)
    item = await held(env, sender_id=sender.id)
    await env.store.senders.flip_many(seller_id, [address], state, by="dana", with_notice=True)
    assert not_none(await env.store.queue.item(item.id)).hold is (Hold.REFUSED if refused else Hold.DECISION)
    last = (await env.store.records.history(item.message_id))[-1]
    marked = (EventType.MARKED, MarkData(mark=Mark.REFUSED, by="dana"))
    assert ((last.type, last.data) == marked) is refused


async def test_mail_held_for_another_reason_is_not_released_by_an_old_word(env: StoreEnv) -> None:
    sender = await env.store.senders.put(env.pair.seller.party.id, "known@seller.example", SenderState.APPROVED)
    await held(env, sender_id=sender.id)
    assert await env.claim() == []


# ---------------------------------------------------------------- crashes


@pytest.mark.parametrize("hold", [Hold.DECISION, Hold.REFUSED])
async def test_a_crash_over_an_ended_hold_never_sends_it_without_its_word(
    env: StoreEnv, hold: Hold
) -> None:  # R-SND-02
    item = await held(env)
    if hold is Hold.REFUSED:
        await env.store.holds.refuse(item.message_id, "dana")
    env.database.clock.at += WEEKS
    assert [each.hold for each in await env.claim()] == [hold]
    assert await env.store.queue.release(None) == 1
    assert not_none(await env.store.queue.item(item.id)).state is ItemState.HELD
    assert [each.hold for each in await env.claim("node-2")] == [hold]
    env.database.clock.at += timedelta(seconds=301)
    assert [each.hold for each in await env.claim()] == [hold]  # the lease that ran out, too


async def test_a_crash_over_an_expired_hold_leaves_room_for_the_word(env: StoreEnv) -> None:
    item = await held(env)
    env.database.clock.at += WEEKS
    await env.claim()
    assert not await env.store.holds.release(item.message_id, "dana")
    await env.store.queue.release("node-1")
    assert await env.store.holds.release(item.message_id, "dana")
    assert [each.hold for each in await env.claim()] == [None]


async def test_a_crash_loses_no_item_whose_time_had_come(env: StoreEnv) -> None:
    item = await held(env, Hold.TIME, due_in=timedelta(0))
    await env.claim()
    await env.store.queue.release(None)
    assert [each.id for each in await env.claim()] == [item.id]


@pytest.mark.parametrize("state", [ItemState.DEFERRED, ItemState.QUEUED])
async def test_an_attempt_that_was_put_off_waits_for_the_word_again(
    env: StoreEnv, state: ItemState
) -> None:  # R-SND-02
    item = await held(env)
    env.database.clock.at += WEEKS
    (claimed,) = await env.claim()
    later = env.database.clock.now() + timedelta(minutes=5)
    assert await env.store.queue.settle(env.ended(claimed, state, due_at=later, dialled=False))
    assert await env.store.queue.item(item.id) == replace(item, due_at=later)
    assert not_none(await env.store.records.summary(item.message_id)).state is MessageState.HELD
    assert await env.claim() == []
    env.database.clock.at = later
    assert [each.hold for each in await env.claim()] == [Hold.DECISION]


async def test_what_is_parked_keeps_what_it_waited_for(env: StoreEnv) -> None:
    item = await held(env, due_in=timedelta(0))
    (claimed,) = await env.claim()
    assert await env.store.queue.settle(env.ended(claimed, ItemState.PARKED))
    assert not_none(await env.store.queue.item(item.id)).hold is Hold.DECISION


async def test_a_time_that_has_come_is_over_when_the_item_goes_on(env: StoreEnv) -> None:  # R-POL-11
    item = await held(env, Hold.TIME, due_in=timedelta(0))
    (claimed,) = await env.claim()
    assert await env.store.queue.settle(env.ended(claimed, ItemState.DEFERRED))
    kept = not_none(await env.store.queue.item(item.id))
    assert (kept.state, kept.hold) == (ItemState.DEFERRED, None)
    assert not_none(await env.store.records.summary(item.message_id)).state is MessageState.DEFERRED


async def test_an_item_may_be_held_again_by_what_it_waited_for(env: StoreEnv) -> None:
    item = await held(env, Hold.TIME, due_in=timedelta(0))
    (claimed,) = await env.claim()
    later = env.database.clock.now() + timedelta(hours=1)
    assert await env.store.queue.settle(env.ended(claimed, ItemState.HELD, due_at=later))
    assert await env.claim() == []
    assert not_none(await env.store.queue.item(item.id)).hold is Hold.TIME


# ---------------------------------------------------------------- races


async def test_a_word_that_races_the_expiry_wins_or_loses_whole(env: StoreEnv, database: Database) -> None:  # R-SND-02
    items = [await held(env) for _ in range(20)]
    env.database.clock.at += WEEKS
    async with database.node() as other:
        words: list[Awaitable[Any]] = [env.store.holds.release(item.message_id, "dana") for item in items]
        claims: list[Awaitable[Any]] = [env.claim(limit=3, node=other) for _ in range(10)]
        outcomes = await asyncio.gather(
            *(each for pair in zip(words, claims, strict=False) for each in pair), *words[10:]
        )
        claimed = [item for batch in outcomes[1:20:2] for item in batch]
        claimed += [item for _ in range(10) for item in await env.claim(limit=3)]
    won = dict(zip([item.id for item in items], [*outcomes[:20:2], *outcomes[20:]], strict=True))
    assert len(claimed) == len({item.id for item in claimed}) == 20
    for item in claimed:
        assert item.hold is (None if won[item.id] else Hold.DECISION)


async def test_two_processes_that_release_one_message_release_it_once(
    env: StoreEnv, database: Database
) -> None:  # R-SND-02
    item = await held(env)
    codes = await other_processes.at_once(database, *[(other_processes.release, item.message_id)] * 2)
    assert sorted(map(not_none, codes)) == [0, 1]
    assert await types(env, item) == [EventType.RECEIVED, EventType.RELEASED]
    assert len(await env.claim()) == 1


async def test_two_processes_that_approve_one_sender_release_its_mail_once(
    env: StoreEnv, database: Database
) -> None:  # R-SND-02
    sender_id, items = await held_for_sender(env, 20)
    assert await other_processes.at_once(database, *[(other_processes.approve, sender_id)] * 2) == [0, 0]
    for item in items:
        assert await types(env, item) == [EventType.RECEIVED, EventType.RELEASED]
    assert ids(await env.drained()) == [[item.id] for item in items]


async def test_a_crash_in_the_middle_of_an_approval_releases_all_or_nothing(
    env: StoreEnv, database: Database
) -> None:  # R-SND-02
    sender_id, items = await held_for_sender(env, 5)
    assert await other_processes.at_once(database, (other_processes.approve_and_die, sender_id)) == [9]
    assert not_none(await env.store.senders.get(sender_id)).state is SenderState.UNKNOWN
    assert await env.claim() == []
    await env.store.senders.flip(sender_id, SenderState.APPROVED, by="link")
    assert ids(await env.drained()) == [[item.id] for item in items]


async def test_mail_that_is_being_held_while_its_sender_is_approved_does_not_stay_held(
    env: StoreEnv, database: Database
) -> None:
    sender = await env.store.senders.put(env.pair.seller.party.id, "temp@seller.example", SenderState.UNKNOWN)
    async with database.node() as other:
        records = [env.record(state=MessageState.HELD, sender_id=sender.id) for _ in range(20)]
        accepts: list[Awaitable[object]] = [
            (env.store, other)[n % 2].acceptances.add(env.acceptance(record, env.item(record, ItemState.HELD)))
            for n, record in enumerate(records)
        ]
        accepts.insert(10, other.senders.flip(sender.id, SenderState.APPROVED, by="link"))
        await asyncio.gather(*accepts)
    assert sum(map(len, await env.drained())) == 20
