"""A candidate policy tried on recorded mail, and what a seller may learn beforehand, over a real store."""

from dataclasses import replace
from datetime import timedelta

from relay.core.model.optout import OptOut
from relay.core.model.party import PartyState, Role
from relay.core.model.policy import Policy, Quotas
from relay.core.model.standing import Standing
from relay.core.model.verdict import Action
from relay.ports import QueueLine
from relay.steps.gather import reach
from relay.steps.replay import Replayed, replay
from tests.support.market_env import BUYER, SELLER, START, MarketEnv

FEWER = replace(Policy(), version="fewer", quotas=Quotas(pair_per_day=1))


async def _replayed(market: MarketEnv, candidate: Policy) -> list[Replayed]:
    shop, now = market.services.marketplaces.by_id["market"], market.clock.now()
    return [one async for one in replay(market.store, shop, candidate, START, now + timedelta(days=1), now)]


async def _queue(market: MarketEnv) -> list[QueueLine]:
    return list(await market.store.queue.lines())


async def test_the_same_policy_changes_nothing(market: MarketEnv) -> None:  # R-POL-15
    await market.send(SELLER, market.buyer_alias, login=Role.SELLER)
    await market.send(SELLER, market.buyer_alias, login=Role.SELLER, body="write to me at me@elsewhere.example")
    before = await _queue(market)
    found = await _replayed(market, Policy())
    assert [one.now and one.now.action for one in found] == [Action.RELAY, Action.RETURN]
    assert not any(one.differs for one in found)
    assert await _queue(market) == before


async def test_quotas_are_counted_anew_and_begin_again_with_the_day(market: MarketEnv) -> None:  # R-POL-11 R-POL-15
    for wait_s in (0, 3_600, 86_400):
        market.clock.forward(wait_s)
        await market.send(SELLER, market.buyer_alias, login=Role.SELLER)
    found = await _replayed(market, FEWER)
    assert [one.now and one.now.action for one in found] == [Action.RELAY] * 3
    assert [one.then and one.then.action for one in found] == [Action.RELAY, Action.HOLD, Action.RELAY]


async def test_an_answer_in_the_record_is_an_answer_in_the_replay(market: MarketEnv) -> None:  # R-POL-04 R-POL-15
    await market.send(SELLER, market.buyer_alias, login=Role.SELLER)
    await market.send(BUYER, market.seller_alias)
    await market.send(SELLER, market.buyer_alias, login=Role.SELLER)
    found = await _replayed(market, FEWER)
    assert [one.then and one.then.action for one in found] == [Action.RELAY] * 3


async def test_what_cannot_be_judged_again_is_counted_not_guessed(market: MarketEnv) -> None:  # R-POL-15
    await market.send("stranger@nowhere.example", market.buyer_alias)
    await market.send(SELLER, market.buyer_alias, login=Role.SELLER)
    found = [one for one in await _replayed(market, FEWER) if one.now]
    assert len(found) == 1


async def test_reach_follows_the_pair(market: MarketEnv) -> None:  # R-POL-19
    shop = market.services.marketplaces.by_id["market"]

    async def asked() -> Standing:
        pair = await market.store.pairs.get(market.pair.id)
        assert pair is not None
        return await reach(market.store, shop, pair, None, market.clock.now())

    assert await asked() is Standing.OPEN
    opt_out = OptOut(
        buyer_id=market.pair.buyer.party.id, seller_id=None, kind=None, source="page", changed_at=market.clock.now()
    )
    await market.store.opt_outs.put(opt_out, out=True)
    assert await asked() is Standing.CRITICAL_ONLY
    await market.store.parties.put("market", Role.BUYER, "B1", state=PartyState.SUSPENDED)
    assert await asked() is Standing.CLOSED
