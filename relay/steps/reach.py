"""Gathers the facts for the pre-send check of a seller (R-POL-19): those of a message that is not written yet."""

from datetime import datetime, timedelta

from relay.core.model.facts import Authentication, Facts, Proof
from relay.core.model.marketplace import Marketplace
from relay.core.model.order import Order
from relay.core.model.pair import Pair
from relay.core.model.party import Role
from relay.core.model.standing import Standing
from relay.core.policy import reach as core
from relay.ports import Store
from relay.steps.gather import usage


async def reach(store: Store, marketplace: Marketplace, pair: Pair, order: Order | None, now: datetime) -> Standing:
    """The standing of the pair's seller towards its buyer about `order` (None: about no order)."""
    policy = marketplace.policy_at(now)
    facts = Facts(
        marketplace=marketplace,
        pair=pair,
        to=Role.BUYER,
        tag=order.external_id if order else "",
        order=order,
        authentication=Authentication(proof=Proof.LOGIN),
        from_address="",
        sender=None,
        listed_elsewhere=False,
        pending_senders=0,
        opt_outs=tuple(await store.opt_outs(pair.buyer.party.id, pair.seller.party.id)),
        thread_refs=(),
        open_question=await store.open_question(pair.id),
        auto_replies_today=0,
        orders=tuple(await store.orders_of(pair.id)),
        usage=await usage(store, pair, policy, now),
        misuse=await store.misuse_score(pair.seller.party.id, now - timedelta(seconds=policy.bypass.score_s)),
        thread_last_at=await store.thread_last_at(pair.id, order.id if order else None),
    )
    return core.reach(facts, policy, now)
