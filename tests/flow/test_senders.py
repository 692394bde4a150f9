"""Unlisted senders on their way through the flow: held, told of once, released once and in order, given back in time."""

import re
from dataclasses import replace
from datetime import timedelta

from relay.core.model.event import EventType
from relay.core.model.message import MessageState
from relay.core.model.order import FulfilledBy, OrderUpdate
from relay.core.model.party import Role, SettingsUpdate
from relay.core.model.policy import Hours, Policy, Senders
from relay.core.model.sender import SenderState
from relay.core.notice.values import unlinked
from tests.support.market_env import ACCEPTED, BUYER, SELLER, START, MarketEnv, parsed

HELPER = "helper@pottery.example"
DAY = 86_400


async def from_helper(market: MarketEnv, number: int = 1, address: str = HELPER) -> None:
    [reply] = await market.send(
        address, market.buyer_alias, login=Role.SELLER, trusted=False, Subject=f"Number {number}"
    )
    assert reply.code == 250
    assert "held" in reply.text


async def states(market: MarketEnv) -> list[MessageState]:
    return [one.state for one in await market.store.records.messages() if one.pair_id]


async def test_the_owner_is_told_once_and_sees_whom_it_is_about(market: MarketEnv) -> None:  # R-SND-02 R-OUT-07
    await from_helper(market, 1)
    await from_helper(market, 2)
    assert await market.deliver_due() == [], "the answer does not wait for a question"
    [question] = await market.deliver_asked()
    assert question.rcpt_to == SELLER  # the registered mailbox, never the unlisted one
    text = parsed(question).get_content()
    assert unlinked(HELPER) in text
    assert market.services.links.prefix in text


async def test_approval_releases_all_in_their_order_and_once(market: MarketEnv) -> None:  # R-SND-02
    for number in (1, 2, 3):
        await from_helper(market, number)
    await market.deliver_due()
    [pending] = await market.store.senders.pending(market.pair.seller.party.id)
    assert pending.held == 3
    for _ in range(2):
        assert await market.store.senders.flip(pending.sender.id, SenderState.APPROVED, by="link")
    market.clock.forward(1)
    relayed = await market.deliver_due()
    assert [parsed(mail)["Subject"] for mail in relayed] == ["Number 1", "Number 2", "Number 3"]
    assert {mail.rcpt_to for mail in relayed} == {BUYER}
    await market.send(HELPER, market.buyer_alias, login=Role.SELLER, trusted=False)
    [mail] = await market.deliver_due()
    assert mail.rcpt_to == BUYER


async def test_a_block_gives_it_back_without_a_word_to_anybody_unproven(market: MarketEnv) -> None:  # R-SND-02 R-OUT-07
    await from_helper(market)
    await market.deliver_due()
    await market.store.senders.put(market.pair.seller.party.id, HELPER, SenderState.BLOCKED)
    assert await market.deliver_due() == []
    assert await states(market) == [MessageState.RETURNED]


async def test_nobodys_word_in_time_returns_it_with_a_notice(market: MarketEnv) -> None:  # R-SND-02
    await from_helper(market)
    await market.deliver_asked()
    market.clock.forward(14 * DAY - 60)
    assert await market.deliver_due() == []
    market.clock.forward(120)
    [notice] = await market.deliver_due()
    assert notice.rcpt_to == SELLER
    assert "hold_expired" in notice.content.decode("ascii")
    assert await states(market) == [MessageState.RETURNED]
    [pending] = await market.store.senders.pending(market.pair.seller.party.id)
    await market.store.senders.flip(pending.sender.id, SenderState.APPROVED, by="link")
    assert await market.deliver_due() == []  # too late for this one


async def test_a_refused_hold_comes_back_with_a_notice(market: MarketEnv) -> None:  # R-SND-02
    await market.send(SELLER, market.buyer_alias, trusted=False)  # not proven
    await market.deliver_asked()
    [held] = await market.store.records.messages(state=MessageState.HELD)
    assert await market.store.holds.refuse(held.id, by="staff")
    assert not await market.store.holds.refuse(held.id, by="staff")
    [notice] = await market.deliver_due()
    assert notice.rcpt_to == SELLER
    assert "hold_refused" in notice.content.decode("ascii")
    assert not await market.store.holds.release(held.id, by="staff")


async def test_three_an_hour_are_asked_about_at_once_then_all_in_one_letter(market: MarketEnv) -> None:  # R-SND-02
    """A letter for each of the first three, then one an hour, however many write; and three again after a quiet hour."""

    async def asked(minutes: int, *names: str) -> list[int]:
        """The number of addresses in each letter that this minute brings."""
        market.clock.at = START + timedelta(minutes=minutes)
        for name in names:
            await from_helper(market, 1, f"a@{name}.example")
        letters = await market.deliver_asked()
        assert {letter.rcpt_to for letter in letters} <= {SELLER}
        found = [parsed(letter).get_content() for letter in letters]
        known.update(name for text in found for name in re.findall(r"a \[at\] (\w+)", text))
        return [text.count(market.services.links.prefix) for text in found]

    known: set[str] = set()
    assert await asked(0, "one", "two") == [1, 1]
    assert await asked(1, "three", "four") == [1]
    assert await asked(30, "five") == []
    assert await asked(59, "six") == []
    assert await asked(60) == [3]
    assert known == {"one", "two", "three", "four", "five", "six"}
    assert await asked(61, "seven", "eight") == []
    assert await asked(119) == []
    assert await asked(121) == [1, 1]
    assert await asked(400, "nine") == [1]
    assert await asked(2_000) == []


async def test_a_burst_of_many_gets_three_letters_and_one(market: MarketEnv) -> None:  # R-SND-02
    for number in range(8):
        await from_helper(market, number, f"a@d{number}.example")
    assert len(await market.deliver_asked()) == 3
    for minutes in (20, 20, 19):
        market.clock.forward(minutes * 60)
        assert await market.deliver_asked() == []
    market.clock.forward(60)
    [digest] = await market.deliver_asked()
    assert parsed(digest).get_content().count(market.services.links.prefix) == 5


async def test_above_its_budget_a_domain_is_refused(market: MarketEnv) -> None:  # R-SND-02
    for number in range(5):
        await from_helper(market, number, f"helper{number}@pottery.example")
    [reply] = await market.send("one-more@pottery.example", market.buyer_alias, login=Role.SELLER, trusted=False)
    assert reply.code == 550
    [reply] = await market.send(SELLER, market.buyer_alias, login=Role.SELLER)
    assert reply.code == 250
    await from_helper(market, 1, "other@elsewhere.example")


async def test_big_mail_of_the_unlisted_is_refused(market: MarketEnv) -> None:  # R-SND-02
    policies = (Policy(senders=Senders(domain_bytes=3_000)),)
    await market.set_marketplace(policies=policies)
    await from_helper(market)
    for login in (Role.SELLER, None):
        [reply] = await market.send(HELPER, market.buyer_alias, login=login, trusted=False, body="x\n" * 1_600)
        assert reply.code == 550
    await from_helper(market)


async def test_a_buyers_other_mailbox_waits_for_the_buyer(market: MarketEnv) -> None:  # R-SND-05
    await market.send("hanako@work.example", market.seller_alias, login=Role.BUYER, trusted=False)
    [question] = await market.deliver_asked()
    assert question.rcpt_to == BUYER
    await market.store.senders.put(market.pair.buyer.party.id, "hanako@work.example", SenderState.APPROVED)
    [mail] = await market.deliver_due()
    assert mail.rcpt_to == SELLER


async def test_who_of_several_staff_wrote_is_recorded(market: MarketEnv) -> None:  # R-SND-06
    party_id = market.pair.seller.party.id
    for name in ("ann", "bob"):
        await market.store.senders.put(party_id, f"{name}@pottery.example", SenderState.APPROVED, label=name)
        await market.send(f"{name}@pottery.example", market.buyer_alias)
    labels = {sender.id: sender.label for sender in await market.store.senders.of_party(party_id)}
    recorded = [(await market.store.records.message(one.id)) for one in await market.store.records.messages()]
    assert [stored and stored.events[0].type for stored in recorded] == [EventType.RECEIVED] * 2
    turns = await market.store.threads.turns(party_id, market.clock.now() - timedelta(days=1))
    assert len(turns) == 2
    assert set(labels.values()) >= {"ann", "bob"}


async def test_one_mail_to_several_asks_the_owner_once(market: MarketEnv) -> None:  # R-SND-02
    other = await market.store.parties.put("market", Role.BUYER, "B2", mailbox="jiro@phone.example")
    pair = await market.store.pairs.put(
        "market", other.id, market.pair.seller.party.id, dict.fromkeys(Role, "market.example")
    )
    await market.send(HELPER, market.buyer_alias, pair.buyer.alias.address, login=Role.SELLER, trusted=False)
    assert [mail.rcpt_to for mail in await market.deliver_asked()] == [SELLER]
    assert await states(market) == [MessageState.HELD] * 2


async def test_approving_a_domain_is_a_word_for_those_who_wait_there(market: MarketEnv) -> None:  # R-SND-01 R-SND-02
    seller_id = market.pair.seller.party.id
    await from_helper(market, 1)
    await from_helper(market, 1, "other@elsewhere.example")
    await market.deliver_due()
    for _ in range(2):
        await market.store.senders.put(seller_id, "@pottery.example", SenderState.APPROVED)
    market.clock.forward(1)
    assert [mail.rcpt_to for mail in await market.deliver_due()] == [BUYER]
    assert [one.sender.address for one in await market.store.senders.pending(seller_id)] == ["other@elsewhere.example"]
    [reply] = await market.send(HELPER, market.buyer_alias, login=Role.SELLER, trusted=False)
    assert "queued" in reply.text
    await market.store.senders.flip_many(seller_id, ["@pottery.example"], SenderState.BLOCKED, by="cli")
    [reply] = await market.send(HELPER, market.buyer_alias, login=Role.SELLER, trusted=False)
    assert (reply.code, reply.enhanced) == (550, "5.7.1")


async def test_a_retired_domain_waits_for_no_word_and_its_writers_do(market: MarketEnv) -> None:  # R-SND-03
    seller_id = market.pair.seller.party.id
    await market.store.senders.put(seller_id, "@big.example", SenderState.RETIRED)
    await from_helper(market, 1, "somebody@big.example")
    [pending] = await market.store.senders.pending(seller_id)
    assert pending.sender.address == "somebody@big.example"
    await market.store.senders.flip(pending.sender.id, SenderState.APPROVED, by="link")
    await from_helper(market, 1, "else@big.example")


async def test_a_retired_address_counts_like_any_other_that_is_unlisted(market: MarketEnv) -> None:  # R-SND-02 R-SND-03
    await market.store.senders.put(market.pair.seller.party.id, HELPER, SenderState.RETIRED)
    for number in range(5):
        await from_helper(market, number, f"helper{number}@pottery.example")
    [reply] = await market.send(HELPER, market.buyer_alias, login=Role.SELLER, trusted=False)
    assert reply.code == 550


async def test_of_a_sender_who_waits_the_owner_hears_again_when_nothing_waits_any_more(market: MarketEnv) -> None:
    """R-SND-02: what is held is told of, or it would come back unseen."""
    await from_helper(market, 1)
    market.clock.forward(DAY)
    await from_helper(market, 2)
    assert len(await market.deliver_asked()) == 1
    market.clock.forward(20 * DAY)
    assert len(await market.deliver_asked()) == 2  # both have expired
    await from_helper(market, 3)
    [question] = await market.deliver_asked()
    assert question.rcpt_to == SELLER
    assert unlinked(HELPER) in parsed(question).get_content()


async def test_a_colleague_may_sign_with_the_address_that_waits(market: MarketEnv) -> None:  # R-SND-02 R-POL-08
    await market.send(HELPER, market.buyer_alias, login=Role.SELLER, trusted=False, body=f"Yours\n{HELPER}")
    assert await states(market) == [MessageState.HELD]


async def test_who_waits_for_nothing_any_more_takes_no_place(market: MarketEnv) -> None:  # R-SND-02
    for number in range(5):
        await from_helper(market, number, f"helper{number}@pottery.example")
    market.clock.forward(15 * DAY)
    await market.deliver_due()
    await from_helper(market, 1)


async def test_approval_looks_at_the_recipient_for_the_first_time(market: MarketEnv) -> None:  # R-SND-02 R-POL-13
    await from_helper(market)
    await market.deliver_due()
    order = OrderUpdate(
        marketplace_id="market", pair_id=market.pair.id, external_id="A-1", fulfilled_by=FulfilledBy.OPERATOR
    )
    await market.store.orders.put(order)
    await market.store.senders.put(market.pair.seller.party.id, HELPER, SenderState.APPROVED)
    [notice] = await market.deliver_due()
    assert notice.rcpt_to == SELLER
    assert "channel_off" in notice.content.decode("ascii")


async def test_what_waited_while_its_thread_closed_comes_back_like_new_mail(
    market: MarketEnv,
) -> None:  # R-POL-18 R-SND-02
    await market.send(SELLER, market.buyer_alias)
    await market.deliver_due()
    market.clock.forward(181 * DAY)
    for number in (1, 2):
        await from_helper(market, number)
    await market.deliver_due()
    await market.store.senders.put(market.pair.seller.party.id, HELPER, SenderState.APPROVED)
    notices = await market.deliver_due()
    assert [(one.rcpt_to, "thread_closed" in one.content.decode("ascii")) for one in notices] == [(SELLER, True)] * 2
    await market.send(SELLER, market.buyer_alias)
    [notice] = await market.deliver_due()
    assert "thread_closed" in notice.content.decode("ascii")


async def test_a_thread_that_was_reopened_meanwhile_takes_what_waited(market: MarketEnv) -> None:  # R-POL-18
    await market.send(SELLER, market.buyer_alias)
    await market.deliver_due()
    market.clock.forward(181 * DAY)
    await from_helper(market)
    await market.deliver_due()
    await market.store.threads.reopen(market.pair.id, by="link")
    await market.store.senders.put(market.pair.seller.party.id, HELPER, SenderState.APPROVED)
    assert [mail.rcpt_to for mail in await market.deliver_due()] == [BUYER]


async def test_a_persons_release_opens_no_thread_that_closed_meanwhile(market: MarketEnv) -> None:  # R-POL-18
    await market.send(SELLER, market.buyer_alias)
    await market.deliver_due()
    market.clock.forward(175 * DAY)
    await market.send(SELLER, market.buyer_alias, trusted=False)  # not proven
    [_] = await market.deliver_asked()
    [held] = await market.store.records.messages(state=MessageState.HELD)
    market.clock.forward(10 * DAY)
    assert await market.store.holds.release(held.id, by="staff")
    [notice] = await market.deliver_due()
    assert "thread_closed" in notice.content.decode("ascii")


async def test_a_released_service_question_goes_to_the_operator(market: MarketEnv) -> None:  # R-SND-05 R-POL-13
    await market.store.orders.put(
        OrderUpdate(
            marketplace_id="market", pair_id=market.pair.id, external_id="A-1", fulfilled_by=FulfilledBy.OPERATOR
        )
    )
    await market.send("hanako@work.example", market.seller_alias, login=Role.BUYER, trusted=False)
    await market.deliver_due()
    await market.store.senders.put(market.pair.buyer.party.id, "hanako@work.example", SenderState.APPROVED)
    [mail] = await market.deliver_due()
    assert mail.rcpt_to == "ops@operator.example"


async def test_what_is_released_at_night_waits_for_the_morning(market: MarketEnv) -> None:  # R-POL-12
    await from_helper(market)
    await market.deliver_due()
    settings = SettingsUpdate(time_zone="Asia/Tokyo", quiet_hours="09:30-11:00")  # it is ten there
    await market.store.parties.put("market", Role.BUYER, "B1", settings=settings)
    await market.store.senders.put(market.pair.seller.party.id, HELPER, SenderState.APPROVED)
    assert await market.deliver_due() == []
    market.clock.forward(3_600)
    assert [mail.rcpt_to for mail in await market.deliver_due()] == [BUYER]


async def test_time_in_a_hold_counts_as_delay(market: MarketEnv) -> None:  # R-POL-12 R-SND-02
    await market.set_marketplace(policies=(Policy(hours=Hours(delay_s=3_600)),))
    await from_helper(market)
    await market.deliver_due()
    market.clock.forward(600)
    await market.store.senders.put(market.pair.seller.party.id, HELPER, SenderState.APPROVED)
    assert await market.deliver_due() == []
    market.clock.forward(2_999)
    assert await market.deliver_due() == []
    market.clock.forward(1)
    assert [mail.rcpt_to for mail in await market.deliver_due()] == [BUYER]


async def test_what_waits_in_the_queue_respects_quiet_hours_that_have_begun(market: MarketEnv) -> None:  # R-POL-12
    busy = replace(ACCEPTED, accepted=False, permanent=False, code=450)
    market.courier.answers[BUYER] = busy
    await market.send(SELLER, market.buyer_alias)
    await market.deliver_due()
    del market.courier.answers[BUYER]
    settings = SettingsUpdate(time_zone="Asia/Tokyo", quiet_hours="09:30-11:00")
    await market.store.parties.put("market", Role.BUYER, "B1", settings=settings)
    market.clock.forward(120)
    assert await market.deliver_due() == []
    market.clock.forward(3_600)
    assert [mail.rcpt_to for mail in await market.deliver_due()] == [BUYER]
