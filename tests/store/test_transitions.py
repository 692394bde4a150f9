"""The table of an item's moves is the truth: the store's operations make each of them, and no other."""

from datetime import timedelta

import pytest

from relay.core.model.item import INITIAL_STATES, TRANSITIONS, Hold, Item, ItemState
from relay.core.model.message import MessageState
from relay.core.model.sender import SenderState
from relay.ports import UnavailableError
from tests.store.world import World, execute, select

_LOG = "CREATE TABLE moves (old TEXT NOT NULL, new TEXT NOT NULL)"
_SQLITE_TRIGGER = """CREATE TRIGGER log_moves AFTER UPDATE OF state ON item WHEN OLD.state <> NEW.state
BEGIN INSERT INTO moves VALUES (OLD.state, NEW.state); END"""
_POSTGRES_TRIGGERS = (
    """CREATE FUNCTION log_move() RETURNS trigger LANGUAGE plpgsql AS
    $body$ BEGIN INSERT INTO moves VALUES (OLD.state, NEW.state); RETURN NULL; END $body$""",
    """CREATE TRIGGER log_moves AFTER UPDATE ON item FOR EACH ROW
    WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION log_move()""",
)


async def log_moves(world: World) -> None:
    """From now on the database notes each change of an item's state, whichever statement makes it."""
    await execute(world.store, _LOG)
    for trigger in (_SQLITE_TRIGGER,) if world.place.is_sqlite else _POSTGRES_TRIGGERS:
        await execute(world.store, trigger)


async def made_moves(world: World) -> set[tuple[ItemState, ItemState]]:
    rows = await select(world.store, "SELECT DISTINCT old, new FROM moves")
    return {(ItemState(row["old"]), ItemState(row["new"])) for row in rows}


async def leased(world: World) -> Item:
    """A claimed item, from the queue."""
    await world.accepted(world.record())
    [item] = await world.claim()
    return item


async def held(world: World) -> tuple[str, str]:
    """A message that is held for its sender, who is not listed: its id, and the sender's address."""
    address = f"{world.ids.new()}@seller.example"
    sender = await world.store.senders.put(world.pair.seller.party.id, address, SenderState.UNKNOWN)
    record = world.record(state=MessageState.HELD, sender_id=sender.id)
    await world.accepted(record, ItemState.HELD)
    return record.id, address


async def settle_in_every_way(world: World) -> None:
    for state in sorted(TRANSITIONS[ItemState.LEASED] - {ItemState.HELD}):
        assert await world.store.queue.settle(world.ended(await leased(world), state))
        world.place.clock.forward(1)
        await finish(world)


async def finish(world: World) -> None:
    """Delivers all that is due, so that the next claim finds nothing but its own item."""
    await world.drained()


async def decide_in_every_way(world: World) -> None:
    seller = world.pair.seller.party.id
    for state in (SenderState.APPROVED, SenderState.BLOCKED):
        _, address = await held(world)
        await world.store.senders.put(seller, address, state)
        await finish(world)
    released, _ = await held(world)
    assert await world.store.holds.release(released, "dana")
    await finish(world)
    refused, _ = await held(world)
    assert await world.store.holds.refuse(refused, "dana")
    [item] = await world.claim()
    assert await world.store.queue.settle(world.ended(item, ItemState.RETURNED))


async def end_leases_in_every_way(world: World) -> None:
    await leased(world)
    assert await world.store.queue.release("node-1") == 1
    await finish(world)
    await held(world)
    world.place.clock.forward(timedelta(days=15).total_seconds())
    [item] = await world.claim()
    assert item.hold is Hold.DECISION
    assert await world.store.queue.release(None) == 1
    [item] = await world.claim()
    assert await world.store.queue.settle(world.ended(item, ItemState.DEFERRED))
    await finish(world)


async def put_off(world: World) -> None:
    item = await leased(world)
    later = world.place.clock.now() + timedelta(hours=1)
    assert await world.store.queue.settle(world.ended(item, ItemState.DEFERRED, due_at=later))
    assert await world.store.queue.flush() == 1
    [item] = await world.claim()
    assert await world.store.queue.settle(world.ended(item, ItemState.ACCEPTED))
    assert await world.store.queue.bounce(item.id, (), None)
    assert not await world.store.queue.bounce(item.id, (), None)


async def test_the_operations_make_the_moves_of_the_table_and_no_other(world: World) -> None:  # R-OUT-03
    await log_moves(world)
    await settle_in_every_way(world)
    await decide_in_every_way(world)
    await put_off(world)
    await end_leases_in_every_way(world)
    assert await made_moves(world) == {(old, new) for old, news in TRANSITIONS.items() for new in news}


async def test_a_new_item_begins_in_one_of_three_states(world: World) -> None:
    for state in ItemState:
        record = world.record()
        acceptance = world.acceptance(record, world.item(record, state))
        if state in INITIAL_STATES:
            await world.store.acceptances.add(acceptance)
        else:
            with pytest.raises((ValueError, UnavailableError)):
                await world.store.acceptances.add(acceptance)
            assert await world.store.records.summary(record.id) is None


async def test_a_leased_item_becomes_nothing_that_the_table_does_not_name(world: World) -> None:
    item = await leased(world)
    for state in set(ItemState) - TRANSITIONS[ItemState.LEASED]:
        with pytest.raises(ValueError, match="a leased item cannot become"):
            await world.store.queue.settle(world.ended(item, state))
