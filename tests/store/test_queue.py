"""The queue: one item to one claimer, leases that run out, outcomes written once."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from relay.core.model.event import EventType
from relay.core.model.item import Item, ItemState
from relay.core.model.message import MessageState
from relay.ports import Settlement
from tests.store.store_env import START, Database, StoreEnv, execute
from tests.support.narrowing import not_none


def settlement(env: StoreEnv, item: Item, state: ItemState, **more: Any) -> Settlement:
    event = env.event(item.message_id, EventType.DEFERRED, code=250)
    made = Settlement(item=item, owner="node-1", state=state, due_at=env.database.clock.now(), events=(event,))
    return replace(made, **more)


async def taken(env: StoreEnv) -> Item:
    await env.accepted(env.record())
    (item,) = await env.claim()
    return item


async def test_a_claim_leases_what_is_due_and_counts_the_attempt(env: StoreEnv) -> None:
    item = await env.accepted(env.record())
    later = env.record()
    await env.store.acceptances.add(
        env.acceptance(later, env.item(later, due_at=env.database.clock.now() + timedelta(seconds=1)))
    )
    assert await env.claim() == [replace(item, state=ItemState.LEASED, attempts=1)]
    assert await env.claim() == []


async def test_a_claim_takes_the_longest_due_first_and_no_more_than_asked(env: StoreEnv) -> None:
    items = []
    for _ in range(5):
        items.append(await env.accepted(env.record()))
        env.database.clock.at += timedelta(seconds=1)
    assert [item.id for item in await env.claim(limit=2)] == [item.id for item in items[:2]]
    assert [item.id for item in await env.claim(limit=9)] == [item.id for item in items[2:]]


async def test_two_claimers_never_get_one_item(env: StoreEnv, database: Database) -> None:  # R-SCL-02
    await asyncio.gather(*(env.accepted(env.record()) for _ in range(40)))
    async with database.node() as other:
        claims = [env.claim(f"node-{number}", limit=3, node=(env.store, other)[number % 2]) for number in range(20)]
        claimed = [item.id for items in await asyncio.gather(*claims) for item in items]
        claimed += [item.id for item in await env.claim(limit=40)]  # one node may have marked them for the other
    assert len(claimed) == len(set(claimed)) == 40


async def test_a_lease_that_ran_out_is_claimed_by_another(env: StoreEnv) -> None:
    item = await taken(env)
    env.database.clock.at += timedelta(seconds=299)
    assert await env.claim("node-2") == []
    env.database.clock.at += timedelta(seconds=2)
    (again,) = await env.claim("node-2")
    assert (again.id, again.attempts) == (item.id, 2)


@pytest.mark.parametrize("days", [-30, 30])
async def test_a_clock_that_jumps_by_days_strands_nothing(env: StoreEnv, days: int) -> None:
    waiting = await taken(env)
    due_at = env.database.clock.now() + timedelta(hours=4)
    assert await env.store.queue.settle(settlement(env, waiting, ItemState.DEFERRED, due_at=due_at))
    leased = await taken(env)
    env.database.clock.at = START + timedelta(days=days)
    assert {item.id for item in await env.claim("node-2")} == {waiting.id, leased.id}


async def test_a_renewed_lease_holds(env: StoreEnv) -> None:
    item = await taken(env)
    env.database.clock.at += timedelta(seconds=200)
    await env.store.queue.renew("node-1", [item.id], env.database.clock.now() + timedelta(seconds=300))
    await env.store.queue.renew("node-1", [], env.database.clock.now())
    await env.store.queue.renew("node-2", [item.id], START)
    env.database.clock.at += timedelta(seconds=200)
    assert await env.claim("node-2") == []


@pytest.mark.parametrize(
    ("state", "message_state"),
    [
        (ItemState.QUEUED, MessageState.QUEUED),
        (ItemState.DEFERRED, MessageState.DEFERRED),
        (ItemState.ACCEPTED, MessageState.ACCEPTED),
        (ItemState.BOUNCED, MessageState.BOUNCED),
        (ItemState.RETURNED, MessageState.RETURNED),
        (ItemState.PARKED, MessageState.QUEUED),
    ],
)
async def test_a_settlement_moves_item_and_record_with_its_event(
    env: StoreEnv, state: ItemState, message_state: MessageState
) -> None:  # R-OUT-03
    item = await taken(env)
    assert await env.store.queue.settle(settlement(env, item, state))
    assert not_none(await env.store.queue.item(item.id)).state is state
    assert not_none(await env.store.records.summary(item.message_id)).state is message_state
    types = [event.type for event in await env.store.records.history(item.message_id)]
    assert types == [EventType.RECEIVED, EventType.DEFERRED]


async def test_an_illegal_move_is_refused_before_anything_is_written(env: StoreEnv) -> None:
    item = await taken(env)
    for state in (ItemState.HELD, ItemState.LEASED):
        with pytest.raises(ValueError, match="leased item cannot become"):
            await env.store.queue.settle(settlement(env, item, state))
    assert not_none(await env.store.queue.item(item.id)).state is ItemState.LEASED


async def test_a_lost_lease_makes_the_settlement_a_no_op(env: StoreEnv) -> None:
    item = await taken(env)
    env.database.clock.at += timedelta(seconds=301)
    await env.claim("node-2")
    notice = env.notice(env.record(id=item.message_id))
    assert not await env.store.queue.settle(settlement(env, item, ItemState.BOUNCED, notice=notice))
    assert not_none(await env.store.queue.item(item.id)).state is ItemState.LEASED
    assert await env.store.records.notices(item.message_id) == []
    assert len(await env.store.records.history(item.message_id)) == 1
    assert await env.store.queue.settle(settlement(env, item, ItemState.ACCEPTED, owner="node-2"))


async def test_one_of_two_settlements_of_an_item_counts(env: StoreEnv) -> None:
    item = await taken(env)
    both = [env.store.queue.settle(settlement(env, item, state)) for state in (ItemState.BOUNCED, ItemState.ACCEPTED)]
    assert await asyncio.gather(*both) == [True, False]
    assert not_none(await env.store.queue.item(item.id)).state is ItemState.BOUNCED
    assert len(await env.store.records.history(item.message_id)) == 2


async def test_many_settlements_at_once_each_find_their_own(env: StoreEnv) -> None:
    await asyncio.gather(*(env.accepted(env.record()) for _ in range(30)))
    items = await env.claim(limit=30)
    states = [(ItemState.ACCEPTED, ItemState.DEFERRED, ItemState.BOUNCED)[number % 3] for number in range(30)]
    outcomes = [settlement(env, item, state) for item, state in zip(items, states, strict=True)]
    outcomes[5] = replace(outcomes[5], owner="somebody else")
    won = await asyncio.gather(*map(env.store.queue.settle, outcomes))
    assert won == [number != 5 for number in range(30)]
    found = [not_none(await env.store.queue.item(item.id)).state for item in items]
    assert found == [ItemState.LEASED if number == 5 else state for number, state in enumerate(states)]


async def test_a_settlements_notice_rides_the_queue_and_leaves_the_record_alone(env: StoreEnv) -> None:  # R-OUT-05
    item = await taken(env)
    notice = env.notice(env.record(id=item.message_id), content=b"bounced\r\n")
    assert await env.store.queue.settle(settlement(env, item, ItemState.BOUNCED, notice=notice))
    (claimed,) = await env.claim()
    assert claimed == replace(notice.item, state=ItemState.LEASED, attempts=1)
    stored_content = await env.store.queue.content(claimed)
    assert stored_content is not None
    assert (stored_content.original, stored_content.header, stored_content.edits, stored_content.pair) == (
        b"bounced\r\n",
        None,
        (),
        env.pair,
    )
    assert await env.store.queue.settle(settlement(env, claimed, ItemState.ACCEPTED))
    assert not_none(await env.store.records.summary(item.message_id)).state is MessageState.BOUNCED
    assert await env.store.records.notices(item.message_id) == [b"bounced\r\n"]


async def test_the_delayed_notice_is_remembered(env: StoreEnv) -> None:  # R-OUT-02
    item = await taken(env)
    await env.store.queue.settle(settlement(env, item, ItemState.DEFERRED, delay_noticed=True))
    (item,) = await env.claim()
    assert item.delay_noticed
    await env.store.queue.settle(settlement(env, item, ItemState.DEFERRED))
    assert not_none(await env.store.queue.item(item.id)).delay_noticed


async def test_leases_are_given_back_by_owner_or_all(env: StoreEnv) -> None:
    for owner in ("node-1", "node-2"):
        await env.accepted(env.record())
        await env.claim(owner)
    assert await env.store.queue.release("node-1") == 1
    assert len(await env.claim("node-3")) == 1
    assert await env.store.queue.release(None) == 2
    assert len(await env.claim("node-4")) == 2


async def test_flush_makes_deferred_items_due(env: StoreEnv) -> None:
    for destination in ("a.example", "b.example"):
        record = env.record()
        await env.store.acceptances.add(env.acceptance(record, env.item(record, destination=destination)))
    due_at = env.database.clock.now() + timedelta(hours=4)
    for item in await env.claim():
        await env.store.queue.settle(settlement(env, item, ItemState.DEFERRED, due_at=due_at))
    assert await env.store.queue.flush("a.example") == 1
    assert [item.destination for item in await env.claim()] == ["a.example"]
    assert await env.store.queue.flush() == 1
    assert [item.destination for item in await env.claim()] == ["b.example"]


async def test_the_queue_is_shown_by_destination_and_state(env: StoreEnv) -> None:
    done = await taken(env)
    await env.store.queue.settle(settlement(env, done, ItemState.ACCEPTED))
    await taken(env)
    for _ in range(2):
        await env.accepted(env.record())
    await env.accepted(env.record(state=MessageState.HELD), ItemState.HELD)
    lines = await env.store.queue.lines()
    assert {(line.destination, line.state, line.count) for line in lines} == {
        ("mail.example", ItemState.HELD, 1),
        ("mail.example", ItemState.LEASED, 1),
        ("mail.example", ItemState.QUEUED, 2),
    }
    assert {line.oldest_at for line in lines} == {START}
    assert {line.next_due_at for line in lines} == {START, START + timedelta(days=14)}


async def test_an_unreadable_letter_is_none(env: StoreEnv) -> None:
    item = await taken(env)
    await execute(env.store, "UPDATE body SET sealed = $1 WHERE part = 'original'", b"x" * 40)
    assert await env.store.queue.content(item) is None
    await execute(env.store, "DELETE FROM body")
    assert await env.store.queue.content(item) is None
    assert await env.store.queue.content(replace(item, message_id="nothing")) is None


async def test_a_destroyed_key_takes_letters_names_and_addresses_with_it(env: StoreEnv) -> None:  # R-REC-04
    seller = env.pair.seller.party
    record = env.record()
    item = await env.accepted(record)
    await env.store.acceptances.add(env.acceptance(other := env.record(), notices=(env.notice(other),)))
    await execute(env.store, "DELETE FROM holder_key WHERE holder_id = $1", seller.id)
    assert await env.store.queue.content(item) is None
    assert await env.store.records.message(record.id) is None
    assert await env.store.parties.mailbox(seller.id) is None
    assert await env.store.senders.of_party(seller.id) == []
    pair = await env.store.pairs.get(env.pair.id)
    assert pair is not None
    assert (pair.seller.mailbox, pair.seller.addresses, pair.seller.party.display_name) == (None, frozenset(), "")
    assert pair.buyer == env.pair.buyer
    assert [each.address for each in await env.claim()] == [None, None]
    assert await env.store.records.notices(other.id) == []
    assert len(await env.store.records.history(record.id)) == 1


async def queued_for(env: StoreEnv, *destinations: str) -> None:
    for destination in destinations:
        record = env.record()
        await env.store.acceptances.add(env.acceptance(record, env.item(record, destination=destination)))


async def test_a_claim_takes_for_each_destination_what_its_lane_has_room_for(env: StoreEnv) -> None:  # R-OUT-01
    await queued_for(env, *["a.example"] * 5, *["b.example"] * 2, "c.example")
    now = env.database.clock.now()
    assert await env.store.queue.lanes(now, horizon_s=864_000) == (["a.example", "b.example", "c.example"], "")
    claimed = await env.store.queue.claim("node-1", now, {"a.example": 2, "b.example": 9}, lease_s=300)
    assert Counter(item.destination for item in claimed) == {"a.example": 2, "b.example": 2}
    assert await env.store.queue.lanes(now, horizon_s=864_000) == (["a.example", "c.example"], "")
    assert len(await env.claim()) == 4


async def test_the_lanes_are_read_page_by_page(env: StoreEnv) -> None:  # R-OUT-01
    names = ["", *(f"{number}.example" for number in range(6))]
    await queued_for(env, *names, "5.example")
    pages, after = [], ""
    while True:
        page, after = await env.store.queue.lanes(env.database.clock.now(), horizon_s=864_000, after=after, limit=3)
        pages.append(page)
        if not after:
            break
    assert pages == [names[:3], names[3:6], names[6:]]


async def test_an_item_whose_mailbox_has_moved_changes_its_lane(env: StoreEnv) -> None:  # R-ADR-04
    item = await taken(env)
    moved = replace(item, destination="new.example")
    assert await env.store.queue.settle(settlement(env, moved, ItemState.QUEUED, events=(), dialled=False))
    assert [again.destination for again in await env.claim()] == ["new.example"]


async def test_an_item_for_a_mailbox_that_is_gone_is_claimed_too(env: StoreEnv) -> None:
    record = env.record()
    await env.store.acceptances.add(env.acceptance(record, env.item(record, destination="")))
    assert [item.destination for item in await env.claim()] == [""]


async def test_an_attempt_that_was_not_made_is_not_counted(env: StoreEnv) -> None:  # R-OUT-02
    item = await taken(env)
    assert await env.store.queue.settle(settlement(env, item, ItemState.DEFERRED, events=(), dialled=False))
    assert [again.attempts for again in await env.claim()] == [1]
