"""The limit of verdicts per writer (R-POL-11): counted once each, kept back above it, and then as they were."""

from dataclasses import replace

import pytest

from relay.core.model.message import MessageState
from relay.core.model.party import Role
from relay.core.model.policy import Policy, Quotas, Senders
from relay.core.model.reason import ReasonCode
from relay.core.model.sender import SenderState
from relay.edge.authenticate import SessionAuthenticator
from relay.ports import RecordAction, Use
from relay.steps.quota import probe_counters
from tests.support.market_env import BUYER, SELLER, Aligned, MarketEnv, parsed

POLICY = Policy(quotas=Quotas(returned_per_day=3, checks_per_hour=2))
DAY = 86_400


@pytest.fixture(autouse=True)
async def small_limits(market: MarketEnv) -> None:
    market.services.authenticator = Aligned()
    await market.set_marketplace(policies=(POLICY,))


async def returned(market: MarketEnv, number: int, *, login: Role | None = None, sender: str = SELLER) -> str:
    body = f"Write to me{number}@elsewhere.example"
    [reply] = await market.send(sender, market.buyer_alias, login=login, trusted=False, body=body)
    return f"{reply.code} {reply.text}"


async def count(market: MarketEnv, writer_key: str) -> list[int]:
    uses: tuple[Use, ...] = probe_counters(writer_key, POLICY, market.clock.now())
    return list(await market.store.limits.used(uses))


async def test_a_login_above_the_limit_is_put_off_until_the_reset(market: MarketEnv) -> None:
    for number in range(3):
        assert "(contact_data)" in await returned(market, number, login=Role.SELLER)
    for body in ("Good day", "Write to other@elsewhere.example"):
        [reply] = await market.send(SELLER, market.buyer_alias, login=Role.SELLER, body=body)
        assert (reply.code, reply.enhanced) == (450, "4.7.1")
        assert "again from 2026-11-23 15:00 UTC (quota_returned)" in reply.text
    [check] = await market.send(SELLER, f"check+{market.buyer_alias}", login=Role.SELLER)
    assert check.code == 450
    assert BUYER not in [mail.rcpt_to for mail in await market.deliver_due()]
    market.clock.forward(DAY)
    assert (await market.send(SELLER, market.buyer_alias, login=Role.SELLER))[0].code == 250
    assert [mail.rcpt_to for mail in await market.deliver_due()] == [BUYER]


async def test_other_mail_above_the_limit_waits_with_its_verdict(market: MarketEnv) -> None:
    """What would pass and what would come back look alike until the reset; one notice says so."""
    for number in range(3):
        await returned(market, number)
    await market.deliver_due()
    [passing] = await market.send(SELLER, market.buyer_alias, trusted=False)
    failing = await returned(market, 9)
    for text in (passing.text, failing):
        assert "held until 2026-11-23 15:00 UTC" in text
        assert "(quota_returned)" in text
    [notice] = await market.deliver_due()
    assert notice.rcpt_to == SELLER
    assert "contact_data" not in notice.content.decode()
    held = await market.store.records.messages(state=MessageState.HELD)
    kept = {one.detail.kept_action: [reason.code for reason in one.detail.kept_reasons] for one in held}
    assert kept == {RecordAction.RELAY: [], RecordAction.RETURN: [ReasonCode.CONTACT_DATA]}
    market.clock.forward(DAY)
    mails = {mail.rcpt_to: mail for mail in await market.deliver_due()}
    assert set(mails) == {BUYER, SELLER}
    assert "contact_data" in parsed(mails[SELLER]).as_string()


async def test_the_same_mail_sent_again_unchanged_counts_once(market: MarketEnv) -> None:
    seller_id = market.pair.seller.party.id
    for _ in range(5):
        assert "(contact_data)" in await returned(market, 1, login=Role.SELLER)
    assert await count(market, seller_id) == [1, 0]
    [reply] = await market.send(SELLER, market.seller_alias, login=Role.SELLER)
    assert "(own_alias)" in reply.text
    await market.send(SELLER, f"check+{market.buyer_alias}", login=Role.SELLER)
    assert await count(market, seller_id) == [3, 1]
    await market.send(SELLER, market.buyer_alias, login=Role.SELLER)
    assert await count(market, seller_id) == [3, 1]


async def test_checks_have_a_limit_of_an_hour(market: MarketEnv) -> None:  # R-POL-19
    alias = f"check+{market.buyer_alias}"
    for _ in range(2):
        [reply] = await market.send(SELLER, alias, trusted=False)
        assert "checked" in reply.text
    [by_login] = await market.send(SELLER, alias, login=Role.SELLER)
    assert (by_login.code, "again from 2026-11-23 02:00 UTC (quota_checks)" in by_login.text) == (450, True)
    await market.deliver_due()
    for _ in range(2):
        [reply] = await market.send(SELLER, alias, trusted=False)
        assert "not delivered (quota_checks)" in reply.text
    [notice] = await market.deliver_due()
    assert "quota_checks" in notice.content.decode()
    market.clock.forward(3_600)
    [reply] = await market.send(SELLER, alias, login=Role.SELLER, body="Another question")
    assert reply.code == 250


async def test_a_strangers_mail_does_not_use_up_the_accounts_limit(market: MarketEnv) -> None:
    for number in range(5):
        await returned(market, number, sender="stranger@elsewhere.example")
    assert await count(market, market.pair.seller.party.id) == [0, 0]
    assert "recorded and queued" in (await market.send(SELLER, market.buyer_alias, trusted=False))[0].text


async def test_a_transaction_counts_each_of_its_recipients(market: MarketEnv) -> None:
    """A text is judged for each recipient, so that one mail to many would be many guesses."""
    for number in range(2, 6):
        buyer = await market.store.parties.put("market", Role.BUYER, f"B{number}", mailbox=f"b{number}@phone.example")
        domains = dict.fromkeys(Role, market.pair.buyer.alias.domain)
        await market.store.pairs.put("market", buyer.id, market.pair.seller.party.id, domains)
    pairs = await market.store.pairs.in_marketplace("market")
    aliases = [pair.buyer.alias.address for pair in pairs]
    replies = await market.send(SELLER, *aliases, login=Role.SELLER, body="Write to me@elsewhere.example")
    assert [("contact_data" in reply.text, "quota_returned" in reply.text) for reply in replies] == [
        *[(True, False)] * 3,
        *[(False, True)] * 2,
    ]


async def test_mail_to_the_own_alias_gets_the_same_refusal_above_the_limit(market: MarketEnv) -> None:  # R-IN-02
    answers = []
    for number in range(5):
        [reply] = await market.send(SELLER, market.seller_alias, login=Role.SELLER, body=f"Number {number}")
        answers.append((reply.code, reply.text.partition(" ")[2]))
    assert len(set(answers)) == 1
    assert answers[0][0] == 550


@pytest.mark.parametrize("sender", [SELLER, "nobody@pottery.example"])
async def test_unproven_mail_gets_the_same_answer_however_much_of_it_comes(market: MarketEnv, sender: str) -> None:
    # R-IN-09
    market.services.authenticator = SessionAuthenticator()
    assert {(await returned(market, number, sender=sender))[:3] for number in range(6)} == {"550"}


async def test_the_same_text_under_another_subject_is_another_question(market: MarketEnv) -> None:
    for number in range(3):
        await market.send(
            SELLER, market.buyer_alias, login=Role.SELLER, body="me@elsewhere.example", Subject=f"No {number}"
        )
    assert (await count(market, market.pair.seller.party.id))[0] == 3


async def test_mail_kept_back_waits_for_a_day_with_room_in_the_quotas(market: MarketEnv) -> None:
    """Kept back until tomorrow it counts for tomorrow, so no more of it may leave then than the quotas allow."""
    policy = replace(POLICY, quotas=replace(POLICY.quotas, pair_per_day=2, seller_per_day=0, buyer_per_day=0))
    await market.set_marketplace(policies=(policy,))
    for number in range(3):
        await returned(market, number)
    for number in range(5):
        await market.send(SELLER, market.buyer_alias, trusted=False, Subject=f"Good day {number}")
    for day in range(3):
        market.clock.forward(DAY)
        left = [mail for mail in await market.deliver_due() if mail.rcpt_to == BUYER]
        assert len(left) == (2, 2, 1)[day]


# ---------------------------------------------------------------- writers whom an account's owner has not approved

STRANGER = "stranger@elsewhere.example"
PASSES, COMES_BACK = "Good day", "Write to other@elsewhere.example"


async def strangers_mail(market: MarketEnv, *bodies: str, above: int = 3) -> list[str]:
    """Sends mail of an unlisted writer who has used up the limit. Returns the answers without the ids of records."""
    senders = Senders(domain_mails=20, pending=2, pending_s=3 * DAY)
    await market.set_marketplace(policies=(replace(POLICY, senders=senders),))
    for number in range(above):
        await returned(market, number, sender=STRANGER)
    replies = [(await market.send(STRANGER, market.buyer_alias, trusted=False, body=body))[0] for body in bodies]
    return [f"{reply.code} {reply.text.partition(' ')[2]}" for reply in replies]


async def states_above(market: MarketEnv) -> set[MessageState]:
    """Returns the states of the mail that came above the limit."""
    records = [one for one in await market.store.records.messages() if one.detail.letter is None]
    return {one.state for one in records if one.detail.action is RecordAction.HOLD}


async def decide(market: MarketEnv, state: SenderState) -> None:
    [pending] = await market.store.senders.pending(market.pair.seller.party.id)
    assert await market.store.senders.flip(pending.sender.id, state, by="link")


async def test_a_stranger_above_the_limit_learns_nothing_and_the_owner_is_asked_once(market: MarketEnv) -> None:
    passing, coming_back = await strangers_mail(market, PASSES, COMES_BACK)
    assert passing == coming_back
    assert "(sender_pending)" in passing
    asked = [mail.rcpt_to for _ in range(3) for mail in await market.deliver_asked()]
    assert asked == [SELLER]


async def test_what_the_owner_approves_still_waits_for_the_reset(market: MarketEnv) -> None:
    await strangers_mail(market, PASSES, COMES_BACK)
    await market.deliver_asked()
    await decide(market, SenderState.APPROVED)
    assert [mail.rcpt_to for mail in await market.deliver_due()] == [BUYER]
    assert await market.deliver_due() == []
    market.clock.forward(DAY)
    [notice] = await market.deliver_due()
    assert notice.rcpt_to == SELLER
    assert "contact_data" in parsed(notice).as_string()
    assert await market.deliver_asked() == [], "nobody is asked again"


async def test_approved_mail_keeps_its_order_behind_what_was_kept_back(market: MarketEnv) -> None:  # R-SND-02
    await strangers_mail(market, COMES_BACK, PASSES)
    await market.deliver_asked()
    await decide(market, SenderState.APPROVED)
    assert await market.deliver_due() == []
    market.clock.forward(DAY)
    mails = [*await market.deliver_due(), *await market.deliver_due()]
    assert {mail.rcpt_to for mail in mails} == {SELLER, BUYER}


async def test_the_reset_releases_nothing_that_waits_for_the_owner(market: MarketEnv) -> None:
    await strangers_mail(market, COMES_BACK, PASSES)
    await market.deliver_asked()
    market.clock.forward(2 * DAY)
    assert await market.deliver_due() == []
    assert await states_above(market) == {MessageState.HELD}
    market.clock.forward(2 * DAY)
    assert BUYER not in [mail.rcpt_to for mail in await market.deliver_due()]
    assert await states_above(market) == {MessageState.RETURNED}


async def test_blocking_ends_what_was_kept_back_too(market: MarketEnv) -> None:
    await strangers_mail(market, COMES_BACK, PASSES)
    await decide(market, SenderState.BLOCKED)
    assert await states_above(market) == {MessageState.RETURNED}
    market.clock.forward(4 * DAY)
    assert BUYER not in [mail.rcpt_to for mail in await market.deliver_due()]


async def test_what_was_kept_back_gives_its_place_to_others(market: MarketEnv) -> None:  # R-SND-02
    await strangers_mail(market, COMES_BACK)
    await market.deliver_asked()
    for sender in ("a@first.example", "b@second.example"):
        assert "sender_pending" in (await market.send(sender, market.buyer_alias, trusted=False))[0].text
    assert BUYER not in [mail.rcpt_to for mail in await market.deliver_due()]
    waiting = await market.store.senders.pending(market.pair.seller.party.id)
    assert STRANGER not in {one.sender.address for one in waiting if one.held}


async def test_a_release_by_the_staff_does_not_shorten_the_wait(market: MarketEnv) -> None:
    for number in range(4):
        await returned(market, number)
    [kept] = await market.store.records.messages(state=MessageState.HELD)
    await market.deliver_due()
    assert await market.store.holds.release(kept.id, by="staff")
    assert await market.deliver_due() == []
    market.clock.forward(DAY)
    [notice] = await market.deliver_due()
    assert (notice.rcpt_to, "contact_data" in parsed(notice).as_string()) == (SELLER, True)


async def test_a_login_under_an_unlisted_address_learns_nothing_either(market: MarketEnv) -> None:
    for number in range(3):
        await returned(market, number, sender=STRANGER, login=Role.SELLER)
    answers = []
    for body in (PASSES, COMES_BACK):
        [reply] = await market.send(STRANGER, market.buyer_alias, login=Role.SELLER, body=body)
        answers.append(f"{reply.code} {reply.text.partition(' ')[2]}")
    assert answers[0] == answers[1]
