"""The limit of verdicts per writer (R-POL-11): counted once each, kept back above it, and then as they were."""

from dataclasses import replace

import pytest

from relay.core.model.message import MessageState
from relay.core.model.party import Role
from relay.core.model.policy import Policy, Quotas
from relay.core.model.reason import ReasonCode
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
