"""Mail that nothing proves: one answer for every From address, and what is kept of it (R-IN-09, R-REC-01)."""

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from relay import flow
from relay.core.model.marketplace import Fallback
from relay.core.model.message import Incoming, MessageState, Peer, Port
from relay.core.model.party import PartyState, Role
from relay.core.model.reply import Reply
from relay.core.model.sender import SenderState
from relay.housekeeping import Housekeeping
from relay.ports import OvertakenError, UnavailableError
from relay.steps.daily_budget import CountedDailyBudget
from tests.support.failing_store import fail
from tests.support.market_env import BUYER, SELLER, MarketEnv, parsed

ANSWER = (
    "We cannot verify that this message comes from its From address: if that address is registered here, its owner has "
    "been asked and can still let it through; otherwise it is not passed on (sender_unproven); see "
    "https://market.example/help"
)
UNLISTED = "nobody@big.example"
DAY = 86_400


def incoming(market: MarketEnv, sender: str, *to: str, port: Port = Port.MX, body: str = "Good day") -> Incoming:
    content = f"From: {sender}\r\nTo: {', '.join(to)}\r\nSubject: About the table\r\n\r\n{body}\r\n".encode()
    peer = Peer(port=port, client_ip="192.0.2.77", helo="h.example", tls=True)
    return Incoming(
        peer=peer, mail_from=sender, rcpt_to=to, smtputf8=False, content=content, received_at=market.clock.now()
    )


async def said(market: MarketEnv, sender: str, *to: str, **more: Any) -> Sequence[Reply]:
    return await market.intake.data(incoming(market, sender, *(to or (market.buyer_alias,)), **more))


async def lists(market: MarketEnv) -> dict[str, str]:
    """Returns one address for each thing that an address can be to the seller's side, by what it is."""
    seller_id = market.pair.seller.party.id
    for state in (SenderState.BLOCKED, SenderState.UNKNOWN, SenderState.RETIRED):
        await market.store.senders.put(seller_id, f"{state}@pottery.example", state)
    await market.store.senders.put(seller_id, "@whole.example", SenderState.APPROVED)
    await market.store.parties.put("market", Role.SELLER, "S2", mailbox="other@glass.example")
    return {
        "approved": SELLER,
        "of an approved domain": "any@whole.example",
        **{state: f"{state}@pottery.example" for state in ("blocked", "unknown", "retired")},
        "the other side's": BUYER,
        "another account's": "other@glass.example",
        "of the relay": "any@market.example",
        "nobody's": UNLISTED,
    }


@pytest.mark.parametrize("port", [Port.MX, Port.LMTP])
@pytest.mark.parametrize("body", ["Good day", "Write to me@else.example"], ids=["plain", "what policy returns"])
async def test_every_unproven_from_gets_the_same_answer(market: MarketEnv, port: Port, body: str) -> None:
    expected = Reply(550, "5.7.1", ANSWER)
    addresses = await lists(market)
    for reject in (False, True):
        await market.set_marketplace(reject_at_data=reject)
        for is_what, address in addresses.items():
            for to in (market.buyer_alias, market.buyer_alias.replace("@", "+A-1@"), f"check+{market.buyer_alias}"):
                assert await said(market, address, to, port=port, body=body) == [expected], (is_what, to)
    for state in (PartyState.SUSPENDED, PartyState.CLOSED):
        await market.store.parties.put("market", Role.SELLER, "S1", state=state)
        assert await said(market, SELLER, port=port) == await said(market, UNLISTED, port=port) == [expected]
    assert len(ANSWER) < 490


async def test_several_recipients_get_it_each(market: MarketEnv) -> None:
    jiro = await market.store.parties.put("market", Role.BUYER, "B2", mailbox="jiro@phone.example")
    seller_id = market.pair.seller.party.id
    pair = await market.store.pairs.put("market", jiro.id, seller_id, dict.fromkeys(Role, "market.example"))
    for sender in (SELLER, UNLISTED):
        replies = await said(market, sender, market.buyer_alias, pair.buyer.alias.address)
        assert replies == [Reply(550, "5.7.1", ANSWER)] * 2
    held = await market.store.records.messages(state=MessageState.HELD)
    assert len(held) == 2


async def test_a_listed_address_is_kept_and_its_owner_asked(market: MarketEnv) -> None:
    await said(market, SELLER)
    shown = await market.newest()
    assert shown.state is MessageState.HELD
    [question] = await market.deliver_asked()
    assert question.rcpt_to == SELLER
    assert await market.store.holds.release(shown.id, by="link")
    assert not await market.store.holds.release(shown.id, by="link")
    [relayed] = await market.deliver_due()
    assert (relayed.rcpt_to, parsed(relayed)["Subject"]) == (BUYER, "About the table")
    assert await market.deliver_due() == []


async def test_of_a_strangers_mail_the_content_is_kept_for_a_while(market: MarketEnv) -> None:  # R-REC-01
    sweep = Housekeeping()
    await said(market, UNLISTED, body="first")
    first = await market.newest()
    await said(market, UNLISTED, body="second")
    second = await market.newest()
    assert (first.state, first.size_bytes) == (
        MessageState.REFUSED,
        len(incoming(market, UNLISTED, market.buyer_alias, body="first").content),
    )
    assert await market.deliver_due() == []  # nobody is told
    market.clock.forward(7 * DAY - 1)
    await sweep.strangers(market.services)
    for shown, body in ((first, b"first"), (second, b"second")):
        stored = await market.store.records.message(shown.id)
        assert stored is not None
        assert body in stored.original
        assert stored.mail_from == UNLISTED
    market.clock.forward(2)
    await sweep.strangers(market.services)
    await sweep.strangers(market.services)
    stored = await market.store.records.message(first.id)
    assert stored is not None
    assert (stored.original, stored.mail_from, stored.summary.size_bytes) == (b"", UNLISTED, first.size_bytes)
    assert len(stored.events) == 1


async def test_no_more_than_a_budget_a_day_is_kept(market: MarketEnv) -> None:  # R-REC-01
    size_bytes = len(incoming(market, UNLISTED, market.buyer_alias).content)
    market.services.stranger_budget = CountedDailyBudget(4 * (2 * size_bytes + 1))
    kept = []
    for day in range(2):
        for _ in range(3):
            assert [reply.text for reply in await said(market, UNLISTED)] == [ANSWER]
            stored = await market.store.records.message((await market.newest()).id)
            assert stored is not None
            kept.append((day, bool(stored.original)))
        market.clock.forward(DAY)
    assert kept == [(0, True), (0, True), (0, False), (1, True), (1, True), (1, False)]


@pytest.mark.parametrize("failure", [OvertakenError("overtaken"), UnavailableError("unavailable")])
async def test_a_transaction_that_was_not_committed_takes_nothing_of_the_budget(
    market: MarketEnv, failure: UnavailableError
) -> None:  # R-REC-01
    size_bytes = len(incoming(market, UNLISTED, market.buyer_alias).content)
    market.services.stranger_budget = CountedDailyBudget(4 * size_bytes)
    fail(market, "acceptances.add", failure)
    with contextlib.suppress(UnavailableError):
        await said(market, UNLISTED)
    if not isinstance(failure, OvertakenError):  # that one is judged again at once
        await said(market, UNLISTED)
    stored = await market.store.records.message((await market.newest()).id)
    assert stored is not None
    assert stored.original


async def test_a_budget_that_is_given_back_on_a_later_day_adds_nothing(market: MarketEnv) -> None:
    budget, now = CountedDailyBudget(40), market.clock.now()
    assert budget.take("a", 10, now)
    assert budget.take("a", 1, now + timedelta(days=1))
    budget.release("a", 10, now)
    assert not budget.take("a", 10, now + timedelta(days=1))
    budget.release("a", 1, now + timedelta(days=1))
    assert budget.take("a", 10, now + timedelta(days=1))


@pytest.mark.parametrize("port", [Port.MX, Port.LMTP])
async def test_one_client_leaves_most_of_the_budget_to_others(market: MarketEnv, port: Port) -> None:  # R-REC-01
    async def is_kept(domain: str, client_ip: str) -> bool:
        mail = incoming(market, f"x@{domain}", market.buyer_alias, port=port)
        await market.intake.data(replace(mail, peer=replace(mail.peer, client_ip=client_ip)))
        stored = await market.store.records.message((await market.newest()).id)
        assert stored is not None
        return bool(stored.original)

    size_bytes = len(incoming(market, "x@a.example", market.buyer_alias, port=port).content)
    market.services.stranger_budget = CountedDailyBudget(10 * size_bytes)
    # Behind a server in front the domain of MAIL FROM is the client, else the network is.
    same = ["198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.4"]
    assert [await is_kept("a.example", client_ip) for client_ip in same] == [True, True, False, False]
    other = [("b.example", "192.0.2.1"), ("c.example", "203.0.113.1")]
    assert [await is_kept(*client) for client in other] == [True, True]


async def test_without_the_fallback_a_stranger_is_refused_as_before(market: MarketEnv) -> None:  # R-ADR-07
    await market.set_marketplace(authentication=Fallback.REFUSE)
    first, second = await said(market, SELLER), await said(market, UNLISTED)
    assert first == second
    assert "address_unknown" in first[0].text
    stored = await market.store.records.message((await market.newest()).id)
    assert stored is not None
    assert stored.original == b""


async def test_listed_or_not_it_costs_the_same_work(market: MarketEnv) -> None:
    """Counted as calls of Python functions until the mail is judged, so that no clock is asked."""
    counts = {}
    for sender in (SELLER, SELLER.replace("owner", "other")) * 2:
        calls = 0

        def count(frame: object, event: str, argument: object) -> None:
            nonlocal calls
            calls += event == "call"

        mail = incoming(market, sender, market.buyer_alias, body="Good day " * 200)
        sys.setprofile(count)
        try:
            await flow.judge(market.services, mail)
        finally:
            sys.setprofile(None)
        counts[sender] = calls
    listed, unlisted = counts.values()
    assert abs(listed - unlisted) < 0.02 * listed, counts
