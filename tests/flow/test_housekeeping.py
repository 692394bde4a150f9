"""Letters that come due by themselves are lost with no node."""

from dataclasses import replace
from datetime import timedelta

from relay.core.model.policy import Policy
from relay.housekeeping import Housekeeping
from relay.ports import NoticeSent
from tests.support.market_env import SELLER, START, MarketEnv


async def test_an_announcement_that_died_with_its_node_is_written_by_another(market: MarketEnv) -> None:  # R-POL-20
    coming = replace(Policy(), version="2", effective_at=START + timedelta(days=3))
    await market.set_marketplace(policies=(Policy(), coming))
    turn = NoticeSent(party_id=market.pair.seller.party.id, topic="policy 2 (turn)", at=market.clock.now())
    assert await market.store.notice_log.add(turn)  # by a node that then dies
    sweep = Housekeeping()
    await sweep.announcements(market.services)
    assert await market.deliver_due() == []
    market.clock.forward(120)
    for _ in range(2):
        await sweep.announcements(market.services)
    assert [mail.rcpt_to for mail in await market.deliver_due()] == [SELLER]
