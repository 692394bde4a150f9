"""DKIM keys change over in one step, and a retired one is gone for good."""

import asyncio

from relay.core.dkim import KeyState
from relay.ports import DkimKey
from tests.store.store_env import StoreEnv, select


async def _put(env: StoreEnv, selector: str, state: KeyState, algorithm: str = "rsa-sha256") -> None:
    key = DkimKey(domain="m.example", selector=selector, algorithm=algorithm, private_der=b"secret-der", state=state)
    await env.store.dkim_keys.put(key)


async def _states(env: StoreEnv) -> dict[str, KeyState]:
    return {key.selector: key.state for key in await env.store.dkim_keys.of_domain("M.example")}


async def test_the_new_key_takes_over_from_those_of_its_algorithm(env: StoreEnv) -> None:  # R-REW-10
    await _put(env, "old", KeyState.ACTIVE)
    await _put(env, "other", KeyState.ACTIVE, "ed25519-sha256")
    await _put(env, "new", KeyState.PREPARED)
    before = {key.selector: key.since for key in await env.store.dkim_keys.of_domain("m.example")}
    assert await env.store.dkim_keys.activate("M.example", "new")
    assert await _states(env) == {
        "new": KeyState.ACTIVE,
        "old": KeyState.REPLACED,
        "other": KeyState.ACTIVE,
    }
    (other,) = (key for key in await env.store.dkim_keys.of_domain("m.example") if key.selector == "other")
    assert other.since == before["other"]


async def test_only_a_prepared_key_becomes_active_and_once(env: StoreEnv) -> None:
    await _put(env, "old", KeyState.ACTIVE)
    await _put(env, "new", KeyState.PREPARED)
    done = await asyncio.gather(*(env.store.dkim_keys.activate("m.example", "new") for _ in range(2)))
    assert sorted(done) == [False, True]
    assert not await env.store.dkim_keys.activate("m.example", "old")
    assert not await env.store.dkim_keys.activate("m.example", "unknown")


async def test_a_retired_key_is_destroyed_and_an_active_one_cannot_be(env: StoreEnv) -> None:
    await _put(env, "old", KeyState.REPLACED)
    await _put(env, "new", KeyState.ACTIVE)
    assert not await env.store.dkim_keys.retire("m.example", "new")
    assert await env.store.dkim_keys.retire("m.example", "old")
    assert not await env.store.dkim_keys.retire("m.example", "old")
    (gone,) = (key for key in await env.store.dkim_keys.of_domain("m.example") if key.selector == "old")
    assert (gone.state, gone.private_der) == (KeyState.RETIRED, b"")
    rows = await select(env.store, "SELECT wrapped FROM dkim_key WHERE selector = 'old'")
    assert [bytes(row["wrapped"]) for row in rows] == [b""]
