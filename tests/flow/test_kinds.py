"""The inferred kind on the way of a message: opt-outs, the record, a release, and who answers a question (R-POL-21)."""

import pytest

from relay.core.model.kind import Kind
from relay.core.model.message import MessageState
from relay.core.model.optout import OptOut
from relay.core.model.order import FulfilledBy, OrderUpdate
from relay.core.model.party import Role, SettingsUpdate
from relay.core.model.reason import ReasonCode
from tests.support.market_env import BUYER, SELLER, MarketEnv

REVIEW = "Please leave us a review on the product page."
DELAY = "We are sorry, your order will be delayed. Our supplier is late."


async def _opt_out(market: MarketEnv, kind: Kind | None) -> None:
    buyer_id = market.pair.buyer.party.id
    out = OptOut(buyer_id=buyer_id, seller_id=None, kind=kind, source="page", changed_at=market.clock.now())
    await market.store.opt_outs.put(out, out=True)


@pytest.mark.parametrize(
    ("kind", "body", "state"),
    [
        (Kind.REVIEW_REQUEST, REVIEW, MessageState.RETURNED),
        (Kind.REVIEW_REQUEST, "The table is 72 cm tall.", MessageState.QUEUED),
        (Kind.REVIEW_REQUEST, f"The table is 72 cm tall.\n\n> {REVIEW}", MessageState.QUEUED),
        (Kind.PROMOTION, "Summer sale: 20% off everything in our shop!", MessageState.RETURNED),
        (Kind.PROMOTION, REVIEW, MessageState.QUEUED),
        (Kind.STATUS_COPY, "Your order has been shipped today.", MessageState.RETURNED),
    ],
)
async def test_an_opt_out_of_a_kind_stops_mail_without_a_tag(
    market: MarketEnv, kind: Kind, body: str, state: MessageState
) -> None:  # R-POL-02
    await _opt_out(market, kind)
    await market.send(SELLER, market.buyer_alias, login=Role.SELLER, body=body)
    assert (await market.newest()).state is state


async def test_an_opt_out_of_a_kind_stops_queued_mail_too(market: MarketEnv) -> None:  # R-POL-02
    await market.send(SELLER, market.buyer_alias, login=Role.SELLER, body=REVIEW)
    market.clock.forward(2)
    await _opt_out(market, Kind.REVIEW_REQUEST)
    await market.deliver_due()
    assert (await market.newest()).state is MessageState.RETURNED


async def test_the_record_has_the_kind_with_its_evidence(market: MarketEnv) -> None:  # R-POL-16
    await market.send(SELLER, market.buyer_alias, login=Role.SELLER, body=REVIEW)
    summary = await market.newest()
    assert summary.kind == Kind.REVIEW_REQUEST
    evidence = summary.detail.evidence
    assert evidence[0].topic == "asks_for_review"
    assert REVIEW[evidence[0].start : evidence[0].end] == "Please leave us a review"
    assert [one.weight for one in evidence] == sorted((one.weight for one in evidence), reverse=True)


async def test_the_record_of_a_named_kind_has_no_evidence(market: MarketEnv) -> None:
    await market.send(SELLER, market.buyer_alias, login=Role.SELLER, body=REVIEW, X_Relay_Kind="promotion")
    summary = await market.newest()
    assert (summary.kind, summary.detail.evidence) == (Kind.PROMOTION, ())


async def test_an_inferred_critical_kind_is_not_critical_after_a_hold_either(market: MarketEnv) -> None:  # R-POL-05
    order = OrderUpdate(marketplace_id="market", pair_id=market.pair.id, external_id="A-1")
    await market.store.orders.put(order)
    local_part, domain = market.buyer_alias.split("@")
    await market.send("helper@pots.example", f"{local_part}+A-1@{domain}", login=Role.SELLER, trusted=False, body=DELAY)
    held = await market.newest()
    assert (held.state, held.kind) == (MessageState.HELD, Kind.DELAY_OR_UNAVAILABLE)
    await _opt_out(market, None)
    assert await market.store.holds.release(held.id, by="staff")
    await market.deliver_due()
    assert (await market.newest()).state is MessageState.RETURNED


@pytest.mark.parametrize(
    ("body", "to_operator"),
    [
        ("Is the table made of solid wood? How tall are the legs?", False),
        ("テーブルの高さと素材を教えてください。", False),
        ("When will my order be shipped? The tracking number does not work.", True),
        ("返品したいのですが、どうすればいいですか。", True),
        ("まだ届きません。", True),
        ("My grandfather was a potter too.", True),
    ],
)
async def test_product_questions_go_to_the_seller_and_all_else_to_the_operator(
    market: MarketEnv, body: str, to_operator: bool
) -> None:  # R-POL-13
    await market.store.parties.put("market", Role.SELLER, "S1", settings=SettingsUpdate(product_support=True))
    order = OrderUpdate(
        marketplace_id="market", pair_id=market.pair.id, external_id="A-1", fulfilled_by=FulfilledBy.OPERATOR
    )
    await market.store.orders.put(order)
    await market.send(BUYER, market.seller_alias, login=Role.BUYER, body=body)
    assert (await market.newest()).detail.to_operator is to_operator


async def test_a_request_to_cancel_gives_a_warning(market: MarketEnv) -> None:
    await market.send(SELLER, market.buyer_alias, login=Role.SELLER, body="Please cancel the order from your side.")
    summary = await market.newest()
    assert (summary.state, summary.detail.warnings) == (MessageState.QUEUED, (ReasonCode.ASKS_BUYER_TO_CANCEL,))
