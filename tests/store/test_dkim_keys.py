"""DKIM keys change over in one step, and a retired one is gone for good."""

import asyncio

from relay.core.dkim import KeyState
from relay.ports import DkimKey
from tests.store.world import World, select


async def _put(world: World, selector: str, state: KeyState, algorithm: str = "rsa-sha256") -> None:
    key = DkimKey(domain="m.example", selector=selector, algorithm=algorithm, private_der=b"secret-der", state=state)
    await world.store.dkim_keys.put(key)


async def _states(world: World) -> dict[str, KeyState]:
    return {key.selector: key.state for key in await world.store.dkim_keys.of_domain("M.example")}


async def test_the_new_key_takes_over_from_those_of_its_algorithm(world: World) -> None:  # R-REW-10
    await _put(world, "old", KeyState.ACTIVE)
    await _put(world, "other", KeyState.ACTIVE, "ed25519-sha256")
    await _put(world, "new", KeyState.PREPARED)
    before = {key.selector: key.since for key in await world.store.dkim_keys.of_domain("m.example")}
    assert await world.store.dkim_keys.activate("M.example", "new")
    assert await _states(world) == {
        "new": KeyState.ACTIVE,
        "old": KeyState.REPLACED,
        "other": KeyState.ACTIVE,
    }
    (other,) = (key for key in await world.store.dkim_keys.of_domain("m.example") if key.selector == "other")
    assert other.since == before["other"]


async def test_only_a_prepared_key_becomes_active_and_once(world: World) -> None:
    await _put(world, "old", KeyState.ACTIVE)
    await _put(world, "new", KeyState.PREPARED)
    done = await asyncio.gather(*(world.store.dkim_keys.activate("m.example", "new") for _ in range(2)))
    assert sorted(done) == [False, True]
    assert not await world.store.dkim_keys.activate("m.example", "old")
    assert not await world.store.dkim_keys.activate("m.example", "unknown")


async def test_a_retired_key_is_destroyed_and_an_active_one_cannot_be(world: World) -> None:
    await _put(world, "old", KeyState.REPLACED)
    await _put(world, "new", KeyState.ACTIVE)
    assert not await world.store.dkim_keys.retire("m.example", "new")
    assert await world.store.dkim_keys.retire("m.example", "old")
    assert not await world.store.dkim_keys.retire("m.example", "old")
    (gone,) = (key for key in await world.store.dkim_keys.of_domain("m.example") if key.selector == "old")
    assert (gone.state, gone.private_der) == (KeyState.RETIRED, b"")
    rows = await select(world.store, "SELECT wrapped FROM dkim_key WHERE selector = 'old'")
    assert [bytes(row["wrapped"]) for row in rows] == [b""]
