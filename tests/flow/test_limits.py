"""What passes today and what waits: quotas, the price of a mark, quiet hours, closed threads, the operator's orders."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP

import pytest

from relay.core.model.message import MessageState
from relay.core.model.optout import OptOut
from relay.core.model.order import FulfilledBy, OrderUpdate
from relay.core.model.party import Role, SettingsUpdate
from relay.core.model.policy import Attachments, Bypass, ContentAction, Hours, Policy, Quotas
from relay.core.model.sender import SenderState
from relay.ports import Misuse, MisuseCause
from tests.support.market_env import ACCEPTED, BUYER, SELLER, START, MarketEnv, parsed

SMALL = Policy(quotas=Quotas(seller_per_day=10, pair_per_day=2, buyer_per_day=10))


async def use(market: MarketEnv, policy: Policy) -> None:
    await market.set_marketplace(policies=(policy,))


async def opt_out(market: MarketEnv) -> None:
    buyer_id = market.pair.buyer.party.id
    await market.store.opt_outs.put(
        OptOut(buyer_id=buyer_id, seller_id=None, kind=None, source="page", changed_at=market.clock.now()), out=True
    )


async def test_over_quota_waits_for_the_reset_by_itself_with_one_notice(market: MarketEnv) -> None:  # R-POL-11 R-OUT-02
    await use(market, SMALL)
    for _ in range(2):
        await market.send(SELLER, market.buyer_alias)
    assert len(await market.deliver_due()) == 2
    replies = [*await market.send(SELLER, market.buyer_alias), *await market.send(SELLER, market.buyer_alias)]
    assert [reply.code for reply in replies] == [250, 250]
    [notice] = await market.deliver_due()
    assert notice.rcpt_to == SELLER
    assert len(await market.store.records.messages(state=MessageState.HELD)) == 2
    market.clock.forward(86_400)  # midnight in Tokyo has passed
    assert [mail.rcpt_to for mail in await market.deliver_due()] == [BUYER, BUYER]


async def test_over_quota_a_login_is_told_when_to_come_again(market: MarketEnv) -> None:  # R-POL-11
    await use(market, SMALL)
    replies = [(await market.send(SELLER, market.buyer_alias, login=Role.SELLER, trusted=False))[0] for _ in range(3)]
    assert [reply.code for reply in replies] == [250, 250, 450]
    assert "1 more" in replies[0].text
    assert replies[2].enhanced == "4.7.1"
    assert "quota_pair" in replies[2].text
    assert START.astimezone(UTC).strftime("%Y") in replies[2].text
    assert len(await market.deliver_due()) == 2


@pytest.mark.parametrize("login", [Role.SELLER, None])
async def test_sessions_at_one_instant_overshoot_no_quota(market: MarketEnv, login: Role | None) -> None:  # R-POL-11
    await use(market, SMALL)
    sent = (market.send(SELLER, market.buyer_alias, login=login, trusted=not login) for _ in range(6))
    codes = sorted(reply.code for [reply] in await asyncio.gather(*sent))
    assert codes == ([250] * 2 + [450] * 4 if login else [250] * 6)
    assert [mail.rcpt_to for mail in await market.deliver_due()].count(BUYER) == 2


async def test_marks_at_one_instant_overshoot_no_quota(market: MarketEnv) -> None:  # R-POL-06
    await opt_out(market)
    await use(market, Policy(bypass=Bypass(per_day=1)))
    sent = (market.send(SELLER, market.buyer_alias, Subject="[Important] your address") for _ in range(3))
    await asyncio.gather(*sent)
    assert [mail.rcpt_to for mail in await market.deliver_due()].count(BUYER) == 1


async def test_answers_and_critical_mail_use_up_no_quota(market: MarketEnv) -> None:  # R-POL-11
    await use(market, SMALL)
    for _ in range(4):
        await market.send(BUYER, market.seller_alias, Subject="When?")
        await market.send(SELLER, market.buyer_alias, Subject="Re: When?")
        market.clock.forward(60)
    assert len(await market.deliver_due()) == 8
    market.clock.forward(60)
    await market.send(SELLER, market.buyer_alias)
    assert (await market.store.records.messages())[0].state is MessageState.QUEUED


async def test_quotas_hold_over_a_restart(market: MarketEnv) -> None:  # R-POL-11
    await use(market, SMALL)
    for _ in range(2):
        await market.send(SELLER, market.buyer_alias)
    await market.store.close()
    await market.store.open()
    [reply] = await market.send(SELLER, market.buyer_alias, login=Role.SELLER, trusted=False)
    assert reply.code == 450


async def test_quiet_hours_are_the_buyers(market: MarketEnv) -> None:  # R-POL-12
    await use(market, Policy(hours=Hours(time_zone="Asia/Tokyo", quiet="22:00-07:00")))
    await market.store.parties.put(
        "market", Role.BUYER, "B1", settings=SettingsUpdate(time_zone="Europe/Berlin", quiet_hours="")
    )
    # 10:00 in Tokyo, 02:00 in Berlin
    await market.send(SELLER, market.buyer_alias)
    assert await market.deliver_due() == []
    await market.send(SELLER, market.buyer_alias, Subject="[Important] your address")
    assert [mail.rcpt_to for mail in await market.deliver_due()] == [BUYER]
    market.clock.forward(5 * 3_600 + 60)
    assert [mail.rcpt_to for mail in await market.deliver_due()] == [BUYER]


async def test_a_mark_of_importance_has_its_price(market: MarketEnv) -> None:  # R-POL-06
    await use(market, Policy(bypass=Bypass(per_day=2)))
    await opt_out(market)
    for _ in range(3):
        await market.send(SELLER, market.buyer_alias, Subject="[Important] your address")
    mails = await market.deliver_due()
    assert [mail.rcpt_to for mail in mails] == [BUYER, BUYER, SELLER]
    assert "bypass_quota" in mails[2].content.decode("ascii")


async def test_a_spent_score_switches_the_mark_off_until_staff_restore_it(market: MarketEnv) -> None:  # R-POL-06
    await opt_out(market)
    seller_id = market.pair.seller.party.id
    await market.send(SELLER, market.buyer_alias, Subject="[Important] your address")
    await market.deliver_due()
    [first] = await market.store.records.messages()
    misuse = Misuse(
        message_id=first.id, seller_id=seller_id, cause=MisuseCause.NOT_IMPORTANT, points=12, at=market.clock.now()
    )
    assert await market.store.limits.add_misuse(misuse)
    assert not await market.store.limits.add_misuse(misuse)
    await market.send(SELLER, market.buyer_alias, Subject="[Important] again")
    [notice] = await market.deliver_due()
    assert notice.rcpt_to == SELLER
    assert "bypass_off" in notice.content.decode("ascii")
    market.clock.forward(1)
    await market.store.limits.restore_bypass(seller_id, by="staff")
    market.clock.forward(1)
    await market.send(SELLER, market.buyer_alias, Subject="[Important] and again")
    assert BUYER in [mail.rcpt_to for mail in await market.deliver_due()]


async def test_a_thread_closes_and_is_reopened(market: MarketEnv) -> None:  # R-POL-18
    await market.send(SELLER, market.buyer_alias)
    await market.deliver_due()
    market.clock.forward(181 * 86_400)
    await market.send(BUYER, market.seller_alias)
    [notice] = await market.deliver_due()
    assert notice.rcpt_to == BUYER
    assert "thread_closed" in notice.content.decode("ascii")
    await market.store.threads.reopen(market.pair.id, by="link")
    await market.send(BUYER, market.seller_alias)
    assert [mail.rcpt_to for mail in await market.deliver_due()] == [SELLER]


async def operators_order(market: MarketEnv) -> None:
    await market.store.orders.put(
        OrderUpdate(
            marketplace_id="market",
            pair_id=market.pair.id,
            external_id="A-1",
            fulfilled_by=FulfilledBy.OPERATOR,
        )
    )


@pytest.mark.parametrize("tag", ["", "+A-1"])
async def test_the_operators_orders_are_the_operators_affair(market: MarketEnv, tag: str) -> None:  # R-POL-13
    await operators_order(market)
    local_part, _, domain = market.buyer_alias.partition("@")
    await market.send(SELLER, f"{local_part}{tag}@{domain}")
    [notice] = await market.deliver_due()
    assert notice.rcpt_to == SELLER
    assert "channel_off" in notice.content.decode("ascii")
    await market.send(BUYER, market.seller_alias, Subject="Where is it?", X_Relay_Kind="order_problem")
    [mail] = await market.deliver_due()
    assert mail.rcpt_to == "ops@operator.example"


async def test_with_product_support_product_questions_reach_the_seller(market: MarketEnv) -> None:  # R-POL-13
    await operators_order(market)
    await market.store.parties.put("market", Role.SELLER, "S1", settings=SettingsUpdate(product_support=True))
    await market.send(BUYER, market.seller_alias, Subject="Which glaze?", X_Relay_Kind="customisation")
    await market.send(BUYER, market.seller_alias, Subject="Where is it?", X_Relay_Kind="order_problem")
    assert sorted(mail.rcpt_to for mail in await market.deliver_due()) == ["ops@operator.example", SELLER]


async def test_a_policy_to_come_judges_from_its_day_on(market: MarketEnv) -> None:  # R-POL-15
    later = replace(SMALL, version="later", effective_at=datetime(2026, 11, 24, tzinfo=UTC))
    await market.set_marketplace(policies=(Policy(version="now"), later))
    await market.send(SELLER, market.buyer_alias)
    market.clock.forward(timedelta(days=1).total_seconds())
    await market.send(SELLER, market.buyer_alias)
    assert {one.policy_version for one in await market.store.records.messages()} == {"now", "later"}


async def test_a_check_is_answered_and_relays_nothing(market: MarketEnv) -> None:  # R-POL-19
    [reply] = await market.send(SELLER, f"check+{market.buyer_alias}")
    assert reply.code == 250
    assert "not relayed" in reply.text
    [answer] = await market.deliver_due()
    assert answer.rcpt_to == SELLER
    assert parsed(answer)["Auto-Submitted"] == "auto-replied"
    assert BUYER not in answer.content.decode("ascii")
    await opt_out(market)
    await market.send(SELLER, f"check+{market.buyer_alias}")
    [closed] = await market.deliver_due()
    assert parsed(closed).get_content() != parsed(answer).get_content()
    assert {one.state for one in await market.store.records.messages()} == {MessageState.RETURNED}


async def test_over_quota_a_check_is_answered_at_once(market: MarketEnv) -> None:  # R-POL-19
    await use(market, SMALL)
    for _ in range(2):
        await market.send(SELLER, market.buyer_alias, login=Role.SELLER, trusted=False)
    await market.deliver_due()
    [reply] = await market.send(SELLER, f"check+{market.buyer_alias}", login=Role.SELLER, trusted=False)
    assert reply.code == 250
    [answer] = await market.deliver_due()
    assert answer.rcpt_to == SELLER
    assert "quota_pair" in answer.content.decode("ascii")


async def test_a_check_beside_a_returned_mail_hides_neither(market: MarketEnv) -> None:  # R-IN-05 R-POL-19
    await market.set_marketplace(reject_at_data=True)
    await opt_out(market)
    replies = await market.send(SELLER, market.buyer_alias, f"check+{market.buyer_alias}")
    assert [reply.code for reply in replies] == [250, 250]
    assert [mail.rcpt_to for mail in await market.deliver_due()] == [SELLER, SELLER]


async def test_a_service_question_that_is_held_still_goes_to_the_operator(market: MarketEnv) -> None:  # R-POL-13
    held = Attachments(action=ContentAction.HOLD)
    await use(market, Policy(attachments=held))
    await operators_order(market)
    await market.send_raw(_with_attachment("plan.exe"), BUYER, market.seller_alias)
    [message] = await market.store.records.messages(state=MessageState.HELD)
    await market.deliver_due()
    await market.store.holds.release(message.id, by="staff")
    assert [mail.rcpt_to for mail in await market.deliver_due()] == ["ops@operator.example"]


async def test_a_buyer_hears_when_the_operator_cannot_be_reached(market: MarketEnv) -> None:  # R-POL-13 R-OUT-05
    await operators_order(market)
    market.courier.answers["ops@operator.example"] = replace(ACCEPTED, accepted=False, permanent=True, code=550)
    await market.send(BUYER, market.seller_alias, Subject="Where is it?")
    assert [mail.rcpt_to for mail in await market.deliver_due()] == [BUYER]


def _with_attachment(name: str) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"], message["Subject"] = BUYER, "Where is it?"
    message.set_content("See the plan")
    message.add_attachment(b"MZ\x90\x00", maintype="application", subtype="octet-stream", filename=name)
    return bytes(message)


async def more_buyers(market: MarketEnv, number: int) -> list[str]:
    """Aliases of further buyers of the same seller."""
    aliases = []
    for each in range(number):
        buyer = await market.store.parties.put(
            "market", Role.BUYER, f"more-{each}", mailbox=f"more{each}@phone.example"
        )
        pair = await market.store.pairs.put(
            "market", buyer.id, market.pair.seller.party.id, dict.fromkeys(Role, "market.example")
        )
        aliases.append(pair.buyer.alias.address)
    return aliases


async def test_many_recipients_of_one_mail_are_many_messages_for_a_quota(market: MarketEnv) -> None:  # R-POL-11 R-IN-05
    await use(market, Policy(quotas=Quotas(seller_per_day=2, pair_per_day=0, buyer_per_day=0)))
    one, two, three, four = await more_buyers(market, 4)
    replies = await market.send(SELLER, one, one.replace("@", "+again@"), two, three, four)
    assert ["queued" in reply.text for reply in replies] == [True, True, True, False, False]
    assert "0 more today" in replies[2].text
    mails = await market.deliver_due()
    assert sorted(mail.rcpt_to for mail in mails) == ["more0@phone.example", "more1@phone.example", SELLER]
    await market.send(SELLER, three, four)
    assert await market.deliver_due() == []  # told already


async def test_many_recipients_of_one_marked_mail_are_many_uses_of_the_mark(
    market: MarketEnv,
) -> None:  # R-POL-06 R-IN-05
    await use(market, Policy(bypass=Bypass(per_day=1)))
    aliases = await more_buyers(market, 2)
    for ref in ("more-0", "more-1"):
        buyer = await market.store.parties.by_ref("market", Role.BUYER, ref)
        assert buyer is not None
        await market.store.opt_outs.put(
            OptOut(buyer_id=buyer.id, seller_id=None, kind=None, source="page", changed_at=START), out=True
        )
    replies = await market.send(SELLER, *aliases, Subject="[Important] your address")
    assert ["queued" in reply.text for reply in replies] == [True, False]


async def test_each_recipients_own_quota_is_told_of_each_day(market: MarketEnv) -> None:  # R-POL-11 R-OUT-07
    await use(market, Policy(quotas=Quotas(seller_per_day=0, pair_per_day=1, buyer_per_day=0)))
    aliases = await more_buyers(market, 2)
    market.clock.forward(13 * 3_600)  # an hour before midnight in Tokyo
    for again in range(2):
        for alias in aliases:
            await market.send(SELLER, alias)
            await market.send(SELLER, alias)
        assert [mail.rcpt_to for mail in await market.deliver_due()].count(SELLER) == 2, again
        market.clock.forward(20 * 3_600)


async def test_each_of_several_staff_is_told_of_his_own_mail(market: MarketEnv) -> None:  # R-POL-11 R-OUT-07
    await use(market, SMALL)
    await market.store.senders.put(market.pair.seller.party.id, "staff@pottery.example", SenderState.APPROVED)
    for _ in range(2):
        await market.send(SELLER, market.buyer_alias)
    await market.deliver_due()
    for writer in (SELLER, "staff@pottery.example"):
        for _ in range(2):
            await market.send(writer, market.buyer_alias)
        assert [mail.rcpt_to for mail in await market.deliver_due()] == [writer]


async def test_a_question_to_the_operator_asks_the_seller_nothing(
    market: MarketEnv,
) -> None:  # R-POL-13 R-POL-04 R-REC-08
    await market.store.orders.put(
        OrderUpdate(
            marketplace_id="market", external_id="A-1", pair_id=market.pair.id, fulfilled_by=FulfilledBy.OPERATOR
        )
    )
    await market.send(BUYER, market.seller_alias, Subject="Where is it?")
    assert not await market.store.threads.has_open_question(market.pair.id)
    assert await market.store.threads.turns(market.pair.seller.party.id, START - timedelta(days=1)) == []


async def test_what_a_quota_holds_leaves_a_quota_a_day(market: MarketEnv) -> None:  # R-POL-11
    await use(market, SMALL)
    for _ in range(6):
        await market.send(SELLER, market.buyer_alias)
    delivered = []
    for _ in range(4):
        delivered.append([mail.rcpt_to for mail in await market.deliver_due()].count(BUYER))
        market.clock.forward(86_400)
    assert delivered == [2, 2, 2, 0]
    market.clock.forward(86_400)
    for _ in range(50):
        await market.send(SELLER, market.buyer_alias)  # more than the days that are looked at have room for
    for _ in range(15):
        market.clock.forward(86_400)
        await market.deliver_due()
    assert await market.store.records.messages(state=MessageState.HELD) == []


async def test_an_order_is_known_by_a_tag_in_lower_case(market: MarketEnv) -> None:  # R-ADR-05
    await operators_order(market)
    local_part, _, domain = market.buyer_alias.partition("@")
    await market.send(SELLER, f"{local_part}+a-1@{domain}")
    assert {one.order_external_id for one in await market.store.records.messages()} == {"A-1"}
