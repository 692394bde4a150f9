"""The operator learns that held mail waits for the staff, and nobody else's wait makes a mail (R-SND-02)."""

import asyncio
from collections.abc import Sequence

import pytest

from relay.actions import holds, senders
from relay.actions.actor import Actor, Right
from relay.core.model.item import Hold
from relay.core.model.message import MessageState
from relay.core.model.party import Role
from relay.core.model.sender import SenderState
from relay.housekeeping import Housekeeping
from relay.ports import HeldMessage, Outgoing
from relay.ports.audit import Way
from relay.steps.staff_mail import Decider, waits_for
from tests.support.market_env import BUYER, SELLER, MarketEnv, parsed

OPERATOR = "ops@operator.example"
DISGUISED = "電話は〇三の一二三四の五六七八です"
HOUR_S, DAY_S = 3_600, 86_400


async def hold_one(market: MarketEnv) -> str:
    """Sends a mail that the policy holds for the staff, and returns its id."""
    await market.send(SELLER, market.buyer_alias, login=Role.SELLER, body=DISGUISED)
    newest = await market.newest()
    assert newest.state == "held", newest
    market.clock.forward(1)
    return newest.id


async def told(market: MarketEnv) -> Sequence[Outgoing]:
    """The mails to the operator that a sweep causes now."""
    await Housekeeping().staff(market.services)
    return [mail for mail in await market.deliver_due() if mail.rcpt_to == OPERATOR]


def words(mail: Outgoing) -> str:
    return str(parsed(mail).get_content())


async def waiting(market: MarketEnv) -> Sequence[HeldMessage]:
    return await market.store.holds.held("market")


async def test_the_operator_gets_one_mail_then_one_an_hour_about_new_mail_then_one_a_day(market: MarketEnv) -> None:
    assert await told(market) == []
    first = await hold_one(market)
    (mail,) = await told(market)
    assert first in words(mail)
    assert "disguised contact data" in words(mail)
    assert (mail.mail_from, await told(market)) == ("", [])
    second = await hold_one(market)
    assert await told(market) == []
    market.clock.forward(HOUR_S)
    (mail,) = await told(market)
    assert first in words(mail)
    assert second in words(mail)
    market.clock.forward(2 * HOUR_S)
    assert await told(market) == []
    market.clock.forward(DAY_S)
    assert len(await told(market)) == 1
    for one in (first, second):
        await holds.release(Actor.admin("ann"), market.services, one)
    market.clock.forward(2 * DAY_S)
    assert await told(market) == []


async def test_the_mail_names_no_address_and_no_word_of_the_message(market: MarketEnv) -> None:
    await hold_one(market)
    (mail,) = await told(market)
    shown = f"{mail.content.decode()} {words(mail)}"
    assert not [one for one in (SELLER, BUYER, "shop-owner", "About the table", DISGUISED) if one in shown]


async def test_a_sender_that_waits_for_its_owner_is_not_for_the_staff(market: MarketEnv) -> None:
    await market.send("new@pottery.example", market.buyer_alias, login=Role.SELLER)
    (held,) = await waiting(market)
    assert waits_for(held) is Decider.OWNER
    assert await told(market) == []
    assert await market.store.holds.held("market", beside_senders=True) == []


async def test_a_new_sender_with_disguised_contact_data_is_for_the_staff(market: MarketEnv) -> None:
    await market.send("new@pottery.example", market.buyer_alias, login=Role.SELLER, body=DISGUISED)
    (held,) = await waiting(market)
    assert waits_for(held) is Decider.STAFF
    assert len(await told(market)) == 1


@pytest.mark.parametrize(("hold", "decider"), [(Hold.TIME, Decider.NOBODY), (Hold.DECISION, Decider.STAFF)])
async def test_mail_that_only_waits_for_a_time_waits_for_nobody(
    market: MarketEnv, hold: Hold, decider: Decider
) -> None:
    await hold_one(market)
    (held,) = await waiting(market)
    assert waits_for(HeldMessage(message=held.message, hold=hold, until=held.until)) is decider


async def test_two_nodes_write_one_mail(market: MarketEnv) -> None:
    await hold_one(market)
    await asyncio.gather(*(Housekeeping().staff(market.services) for _ in range(2)))
    assert len(await told(market)) == 1


async def test_held_mail_of_one_marketplace_is_not_shown_to_another(market: MarketEnv) -> None:  # R-ADR-09
    await hold_one(market)
    assert await market.store.holds.held("other") == []
    assert len(await market.store.holds.held()) == 1


@pytest.mark.parametrize(
    ("address", "state"),
    [
        ("new@pottery.example", SenderState.BLOCKED),
        ("@pottery.example", SenderState.BLOCKED),
        ("new@pottery.example", SenderState.RETIRED),
    ],
)
async def test_held_mail_comes_back_with_a_notice_when_the_staff_decide_against_its_sender(
    market: MarketEnv, address: str, state: SenderState
) -> None:  # R-SND-02, R-OUT-07
    await market.send("new@pottery.example", market.buyer_alias, login=Role.SELLER)
    await market.deliver_asked()
    seller = market.pair.seller.party
    if address.startswith("@"):
        await market.store.senders.put(seller.id, address, SenderState.RETIRED)
    await senders.decide(Actor.admin("ann"), market.services, seller, [address], state)
    assert [mail.rcpt_to for mail in await market.deliver_due()] == [SELLER]
    (message,) = await market.store.records.messages("market", state=MessageState.RETURNED)
    history = await market.store.records.history(message.id)
    assert [event.type for event in history][-4:] == ["marked", "returned", "notice_queued", "accepted"]


async def test_the_owners_own_block_makes_no_notice(market: MarketEnv) -> None:
    await market.send("new@pottery.example", market.buyer_alias, login=Role.SELLER)
    await market.deliver_asked()
    owner = Actor.party(market.pair.seller.party.id, Right.DECIDE_SENDERS, Way.LINK)
    await senders.decide(owner, market.services, market.pair.seller.party, ["new@pottery.example"], SenderState.BLOCKED)
    assert await market.deliver_due() == []
    assert len(await market.store.records.messages("market", state=MessageState.RETURNED)) == 1
