"""The queue: one item to one claimer, leases that run out, outcomes written once."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from relay.core.model.event import EventType
from relay.core.model.item import Item, ItemKind, ItemState
from relay.core.model.message import MessageState
from relay.ports import Settlement
from tests.store.world import START, Place, World, execute
from tests.support.narrowing import not_none


def settlement(world: World, item: Item, state: ItemState, **more: Any) -> Settlement:
    event = world.event(item.message_id, EventType.DEFERRED, code=250)
    made = Settlement(item=item, owner="node-1", state=state, due_at=world.place.clock.now(), events=(event,))
    return replace(made, **more)


async def taken(world: World) -> Item:
    await world.accepted(world.record())
    (item,) = await world.claim()
    return item


async def test_a_claim_leases_what_is_due_and_counts_the_attempt(world: World) -> None:
    item = await world.accepted(world.record())
    later = world.record()
    await world.store.acceptances.add(
        world.acceptance(later, world.item(later, due_at=world.place.clock.now() + timedelta(seconds=1)))
    )
    assert await world.claim() == [replace(item, state=ItemState.LEASED, attempts=1)]
    assert await world.claim() == []


async def test_a_claim_takes_the_longest_due_first_and_no_more_than_asked(world: World) -> None:
    items = []
    for _ in range(5):
        items.append(await world.accepted(world.record()))
        world.place.clock.at += timedelta(seconds=1)
    assert [item.id for item in await world.claim(limit=2)] == [item.id for item in items[:2]]
    assert [item.id for item in await world.claim(limit=9)] == [item.id for item in items[2:]]


async def test_two_claimers_never_get_one_item(world: World, place: Place) -> None:  # R-SCL-02
    await asyncio.gather(*(world.accepted(world.record()) for _ in range(40)))
    async with place.node() as other:
        claims = [world.claim(f"node-{number}", limit=3, node=(world.store, other)[number % 2]) for number in range(20)]
        claimed = [item.id for items in await asyncio.gather(*claims) for item in items]
    assert len(claimed) == len(set(claimed)) == 40


async def test_a_lease_that_ran_out_is_claimed_by_another(world: World) -> None:
    item = await taken(world)
    world.place.clock.at += timedelta(seconds=299)
    assert await world.claim("node-2") == []
    world.place.clock.at += timedelta(seconds=2)
    (again,) = await world.claim("node-2")
    assert (again.id, again.attempts) == (item.id, 2)


@pytest.mark.parametrize("days", [-30, 30])
async def test_a_clock_that_jumps_by_days_strands_nothing(world: World, days: int) -> None:
    waiting = await taken(world)
    due_at = world.place.clock.now() + timedelta(hours=4)
    assert await world.store.queue.settle(settlement(world, waiting, ItemState.DEFERRED, due_at=due_at))
    leased = await taken(world)
    world.place.clock.at = START + timedelta(days=days)
    assert {item.id for item in await world.claim("node-2")} == {waiting.id, leased.id}


async def test_a_renewed_lease_holds(world: World) -> None:
    item = await taken(world)
    world.place.clock.at += timedelta(seconds=200)
    await world.store.queue.renew("node-1", [item.id], world.place.clock.now() + timedelta(seconds=300))
    await world.store.queue.renew("node-1", [], world.place.clock.now())
    await world.store.queue.renew("node-2", [item.id], START)
    world.place.clock.at += timedelta(seconds=200)
    assert await world.claim("node-2") == []


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
    world: World, state: ItemState, message_state: MessageState
) -> None:  # R-OUT-03
    item = await taken(world)
    assert await world.store.queue.settle(settlement(world, item, state))
    assert not_none(await world.store.queue.item(item.id)).state is state
    assert not_none(await world.store.records.summary(item.message_id)).state is message_state
    types = [event.type for event in await world.store.records.history(item.message_id)]
    assert types == [EventType.RECEIVED, EventType.DEFERRED]


async def test_an_illegal_move_is_refused_before_anything_is_written(world: World) -> None:
    item = await taken(world)
    for state in (ItemState.HELD, ItemState.LEASED):
        with pytest.raises(ValueError, match="leased item cannot become"):
            await world.store.queue.settle(settlement(world, item, state))
    assert not_none(await world.store.queue.item(item.id)).state is ItemState.LEASED


async def test_a_lost_lease_makes_the_settlement_a_no_op(world: World) -> None:
    item = await taken(world)
    world.place.clock.at += timedelta(seconds=301)
    await world.claim("node-2")
    notice = world.notice(world.record(id=item.message_id))
    assert not await world.store.queue.settle(settlement(world, item, ItemState.BOUNCED, notice=notice))
    assert not_none(await world.store.queue.item(item.id)).state is ItemState.LEASED
    assert await world.store.records.notices(item.message_id) == []
    assert len(await world.store.records.history(item.message_id)) == 1
    assert await world.store.queue.settle(settlement(world, item, ItemState.ACCEPTED, owner="node-2"))


async def test_one_of_two_settlements_of_an_item_counts(world: World) -> None:
    item = await taken(world)
    both = [
        world.store.queue.settle(settlement(world, item, state)) for state in (ItemState.BOUNCED, ItemState.ACCEPTED)
    ]
    assert await asyncio.gather(*both) == [True, False]
    assert not_none(await world.store.queue.item(item.id)).state is ItemState.BOUNCED
    assert len(await world.store.records.history(item.message_id)) == 2


async def test_many_settlements_at_once_each_find_their_own(world: World) -> None:
    await asyncio.gather(*(world.accepted(world.record()) for _ in range(30)))
    items = await world.claim(limit=30)
    states = [(ItemState.ACCEPTED, ItemState.DEFERRED, ItemState.BOUNCED)[number % 3] for number in range(30)]
    outcomes = [settlement(world, item, state) for item, state in zip(items, states, strict=True)]
    outcomes[5] = replace(outcomes[5], owner="somebody else")
    won = await asyncio.gather(*map(world.store.queue.settle, outcomes))
    assert won == [number != 5 for number in range(30)]
    found = [not_none(await world.store.queue.item(item.id)).state for item in items]
    assert found == [ItemState.LEASED if number == 5 else state for number, state in enumerate(states)]


async def test_a_settlements_notice_rides_the_queue_and_leaves_the_record_alone(world: World) -> None:  # R-OUT-05
    item = await taken(world)
    notice = world.notice(world.record(id=item.message_id), content=b"bounced\r\n")
    assert await world.store.queue.settle(settlement(world, item, ItemState.BOUNCED, notice=notice))
    (claimed,) = await world.claim()
    assert claimed == replace(notice.item, state=ItemState.LEASED, attempts=1)
    letter = await world.store.queue.content(claimed)
    assert letter is not None
    assert (letter.original, letter.header, letter.edits, letter.pair) == (b"bounced\r\n", None, (), world.pair)
    assert await world.store.queue.settle(settlement(world, claimed, ItemState.ACCEPTED))
    assert not_none(await world.store.records.summary(item.message_id)).state is MessageState.BOUNCED
    assert await world.store.records.notices(item.message_id) == [b"bounced\r\n"]


async def test_the_delayed_notice_is_remembered(world: World) -> None:  # R-OUT-02
    item = await taken(world)
    await world.store.queue.settle(settlement(world, item, ItemState.DEFERRED, delay_noticed=True))
    (item,) = await world.claim()
    assert item.delay_noticed
    await world.store.queue.settle(settlement(world, item, ItemState.DEFERRED))
    assert not_none(await world.store.queue.item(item.id)).delay_noticed


async def test_a_bounce_after_the_250_counts_once(world: World) -> None:  # R-OUT-04
    item = await taken(world)
    event = world.event(item.message_id, EventType.BOUNCED)
    assert not await world.store.queue.bounce(item.id, (event,), None)
    await world.store.queue.settle(settlement(world, item, ItemState.ACCEPTED))
    notice = world.notice(world.record(id=item.message_id))
    assert await world.store.queue.bounce(item.id, (event,), notice)
    again = world.event(item.message_id, EventType.BOUNCED)
    assert not await world.store.queue.bounce(item.id, (again,), world.notice(world.record(id=item.message_id)))
    assert not_none(await world.store.records.summary(item.message_id)).state is MessageState.BOUNCED
    assert len(await world.store.records.notices(item.message_id)) == 1
    assert not await world.store.queue.bounce("nothing", (), None)


async def test_a_notices_bounce_does_not_touch_its_record(world: World) -> None:
    record = world.record()
    await world.store.acceptances.add(world.acceptance(record, notices=(world.notice(record),)))
    (item,) = await world.claim()
    assert item.kind is ItemKind.NOTICE
    await world.store.queue.settle(settlement(world, item, ItemState.ACCEPTED))
    assert await world.store.queue.bounce(item.id, (), None)
    assert not_none(await world.store.records.summary(record.id)).state is MessageState.QUEUED


async def test_leases_are_given_back_by_owner_or_all(world: World) -> None:
    for owner in ("node-1", "node-2"):
        await world.accepted(world.record())
        await world.claim(owner)
    assert await world.store.queue.release("node-1") == 1
    assert len(await world.claim("node-3")) == 1
    assert await world.store.queue.release(None) == 2
    assert len(await world.claim("node-4")) == 2


async def test_flush_makes_deferred_items_due(world: World) -> None:
    for destination in ("a.example", "b.example"):
        record = world.record()
        await world.store.acceptances.add(world.acceptance(record, world.item(record, destination=destination)))
    due_at = world.place.clock.now() + timedelta(hours=4)
    for item in await world.claim():
        await world.store.queue.settle(settlement(world, item, ItemState.DEFERRED, due_at=due_at))
    assert await world.store.queue.flush("a.example") == 1
    assert [item.destination for item in await world.claim()] == ["a.example"]
    assert await world.store.queue.flush() == 1
    assert [item.destination for item in await world.claim()] == ["b.example"]


async def test_the_queue_is_shown_by_destination_and_state(world: World) -> None:
    done = await taken(world)
    await world.store.queue.settle(settlement(world, done, ItemState.ACCEPTED))
    await taken(world)
    for _ in range(2):
        await world.accepted(world.record())
    await world.accepted(world.record(state=MessageState.HELD), ItemState.HELD)
    lines = await world.store.queue.lines()
    assert {(line.destination, line.state, line.count) for line in lines} == {
        ("mail.example", ItemState.HELD, 1),
        ("mail.example", ItemState.LEASED, 1),
        ("mail.example", ItemState.QUEUED, 2),
    }
    assert {line.oldest_at for line in lines} == {START}
    assert {line.next_due_at for line in lines} == {START, START + timedelta(days=14)}


async def test_an_unreadable_letter_is_none(world: World) -> None:
    item = await taken(world)
    await execute(world.store, "UPDATE body SET sealed = $1 WHERE part = 'original'", b"x" * 40)
    assert await world.store.queue.content(item) is None
    await execute(world.store, "DELETE FROM body")
    assert await world.store.queue.content(item) is None
    assert await world.store.queue.content(replace(item, message_id="nothing")) is None


async def test_a_destroyed_key_takes_letters_names_and_addresses_with_it(world: World) -> None:  # R-REC-04
    seller = world.pair.seller.party
    record = world.record()
    item = await world.accepted(record)
    await world.store.acceptances.add(world.acceptance(other := world.record(), notices=(world.notice(other),)))
    await execute(world.store, "DELETE FROM holder_key WHERE holder_id = $1", seller.id)
    assert await world.store.queue.content(item) is None
    assert await world.store.records.message(record.id) is None
    assert await world.store.parties.mailbox(seller.id) is None
    assert await world.store.senders.of_party(seller.id) == []
    pair = await world.store.pairs.get(world.pair.id)
    assert pair is not None
    assert (pair.seller.mailbox, pair.seller.addresses, pair.seller.party.display_name) == (None, frozenset(), "")
    assert pair.buyer == world.pair.buyer
    assert [each.address for each in await world.claim()] == [None, None]
    assert await world.store.records.notices(other.id) == []
    assert len(await world.store.records.history(record.id)) == 1


async def test_a_claim_passes_over_the_destinations_that_are_busy(world: World) -> None:  # R-OUT-01
    for destination in ("a.example", "b.example", "c.example"):
        record = world.record()
        await world.store.acceptances.add(world.acceptance(record, world.item(record, destination=destination)))
    now = world.place.clock.now()
    claimed = await world.store.queue.claim(
        "node-1", now, limit=9, lease_s=300, horizon_s=864_000, but_for=("a.example", "c.example")
    )
    assert [item.destination for item in claimed] == ["b.example"]
    assert len(await world.claim()) == 2


async def test_an_item_for_a_mailbox_that_is_gone_is_claimed_too(world: World) -> None:
    record = world.record()
    await world.store.acceptances.add(world.acceptance(record, world.item(record, destination="")))
    assert [item.destination for item in await world.claim()] == [""]


async def test_an_attempt_that_was_not_made_is_not_counted(world: World) -> None:  # R-OUT-02
    item = await taken(world)
    assert await world.store.queue.settle(settlement(world, item, ItemState.DEFERRED, events=(), dialled=False))
    assert [again.attempts for again in await world.claim()] == [1]
