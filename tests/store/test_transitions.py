"""The table of an item's moves is the truth: the store's operations make each of them, and no other."""

from datetime import timedelta

import pytest

from relay.core.model.event import EventType
from relay.core.model.item import INITIAL_STATES, TRANSITIONS, Hold, Item, ItemState
from relay.core.model.message import MessageState
from relay.core.model.sender import SenderState
from relay.ports import UnavailableError
from tests.store.store_env import StoreEnv, execute, select

_LOG = "CREATE TABLE moves (old TEXT NOT NULL, new TEXT NOT NULL)"
_SQLITE_TRIGGER = """CREATE TRIGGER log_moves AFTER UPDATE OF state ON item WHEN OLD.state <> NEW.state
BEGIN INSERT INTO moves VALUES (OLD.state, NEW.state); END"""
_POSTGRES_TRIGGERS = (
    """CREATE FUNCTION log_move() RETURNS trigger LANGUAGE plpgsql AS
    $body$ BEGIN INSERT INTO moves VALUES (OLD.state, NEW.state); RETURN NULL; END $body$""",
    """CREATE TRIGGER log_moves AFTER UPDATE ON item FOR EACH ROW
    WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION log_move()""",
)


async def log_moves(env: StoreEnv) -> None:
    """From now on the database notes each change of an item's state, whichever statement makes it."""
    await execute(env.store, _LOG)
    for trigger in (_SQLITE_TRIGGER,) if env.database.is_sqlite else _POSTGRES_TRIGGERS:
        await execute(env.store, trigger)


async def made_moves(env: StoreEnv) -> set[tuple[ItemState, ItemState]]:
    rows = await select(env.store, "SELECT DISTINCT old, new FROM moves")
    return {(ItemState(row["old"]), ItemState(row["new"])) for row in rows}


async def leased(env: StoreEnv) -> Item:
    """A claimed item, from the queue."""
    await env.accepted(env.record())
    [item] = await env.claim()
    return item


async def held(env: StoreEnv) -> tuple[str, str]:
    """A message that is held for its sender, who is not listed: its id, and the sender's address."""
    address = f"{env.ids.new()}@seller.example"
    sender = await env.store.senders.put(env.pair.seller.party.id, address, SenderState.UNKNOWN)
    record = env.record(state=MessageState.HELD, sender_id=sender.id)
    await env.accepted(record, ItemState.HELD)
    return record.id, address


async def settle_in_every_way(env: StoreEnv) -> None:
    for state in sorted(TRANSITIONS[ItemState.LEASED] - {ItemState.HELD}):
        assert await env.store.queue.settle(env.ended(await leased(env), state))
        env.database.clock.forward(1)
        await finish(env)


async def finish(env: StoreEnv) -> None:
    """Delivers all that is due, so that the next claim finds nothing but its own item."""
    await env.drained()


async def decide_in_every_way(env: StoreEnv) -> None:
    seller = env.pair.seller.party.id
    for state in (SenderState.APPROVED, SenderState.BLOCKED):
        _, address = await held(env)
        await env.store.senders.put(seller, address, state)
        await finish(env)
    released, _ = await held(env)
    assert await env.store.holds.release(released, "dana")
    await finish(env)
    refused, _ = await held(env)
    assert await env.store.holds.refuse(refused, "dana")
    [item] = await env.claim()
    assert await env.store.queue.settle(env.ended(item, ItemState.RETURNED))


async def end_leases_in_every_way(env: StoreEnv) -> None:
    await leased(env)
    assert await env.store.queue.release("node-1") == 1
    await finish(env)
    await held(env)
    env.database.clock.forward(timedelta(days=15).total_seconds())
    [item] = await env.claim()
    assert item.hold is Hold.DECISION
    assert await env.store.queue.release(None) == 1
    [item] = await env.claim()
    assert await env.store.queue.settle(env.ended(item, ItemState.DEFERRED))
    await finish(env)


async def put_off(env: StoreEnv) -> None:
    item = await leased(env)
    later = env.database.clock.now() + timedelta(hours=1)
    assert await env.store.queue.settle(env.ended(item, ItemState.DEFERRED, due_at=later))
    assert await env.store.queue.flush() == 1
    [item] = await env.claim()
    assert await env.store.queue.settle(env.ended(item, ItemState.ACCEPTED))
    for expected in (EventType.BOUNCED, EventType.REPORT_RECEIVED):
        kept = await env.store.reports.add(env.report(item))
        assert kept
        assert kept.event.type is expected


async def test_the_operations_make_the_moves_of_the_table_and_no_other(env: StoreEnv) -> None:  # R-OUT-03
    await log_moves(env)
    await settle_in_every_way(env)
    await decide_in_every_way(env)
    await put_off(env)
    await end_leases_in_every_way(env)
    assert await made_moves(env) == {(old, new) for old, news in TRANSITIONS.items() for new in news}


async def test_a_new_item_begins_in_one_of_three_states(env: StoreEnv) -> None:
    for state in ItemState:
        record = env.record()
        acceptance = env.acceptance(record, env.item(record, state))
        if state in INITIAL_STATES:
            await env.store.acceptances.add(acceptance)
        else:
            with pytest.raises((ValueError, UnavailableError)):
                await env.store.acceptances.add(acceptance)
            assert await env.store.records.summary(record.id) is None


async def test_a_leased_item_becomes_nothing_that_the_table_does_not_name(env: StoreEnv) -> None:
    item = await leased(env)
    for state in set(ItemState) - TRANSITIONS[ItemState.LEASED]:
        with pytest.raises(ValueError, match="a leased item cannot become"):
            await env.store.queue.settle(env.ended(item, state))
