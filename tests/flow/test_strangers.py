"""Nobody speaks to a party through the relay's own mail (R-SND-02, R-OUT-07).

Whatever a stranger writes, the party reads at most an address that is no link, and not even that where the address is
the other side's or the buyer has opted out.
"""

from dataclasses import replace
from email import message_from_bytes, policy

import pytest

from relay.core.mail.mime import Part
from relay.core.model.facts import Authentication, Proof
from relay.core.model.message import Incoming, MessageState
from relay.core.model.optout import OptOut
from relay.core.model.party import Role
from relay.core.model.policy import Policy, Senders
from relay.core.model.sender import SenderState
from relay.core.notice.values import unlinked
from relay.edge.authenticate import SessionAuthenticator
from tests.support.market_env import BUYER, SELLER, MarketEnv

HOSTILE = "Account closed: log in at http://phish.example/verify or call +81-90-1234-5678"
WORDS = ("phish", "Account closed", "90-1234", "shouting", "secret-id", "evil-name")
STRANGER = "a@evil.example"
DAY = 86_400


class Answers(SessionAuthenticator):
    """Finds every From proven as `proof` says."""

    proof = Proof.ALIGNED

    async def authenticate(self, incoming: Incoming, from_address: str, root: Part) -> Authentication:
        return Authentication(proof=self.proof)


@pytest.fixture(autouse=True)
def proven(market: MarketEnv) -> Answers:
    answers = Answers()
    market.services.authenticator = answers
    return answers


async def attack(market: MarketEnv, to: str, sender: str = STRANGER, name: str = "") -> str:
    """Writes hostile words in all places of a mail, and returns the answer."""
    market.clock.forward(1)
    [reply] = await market.send(
        sender,
        to,
        trusted=False,
        body=HOSTILE,
        Subject=HOSTILE,
        Message_ID="<secret-id-call-0801234567@phish.example>",
        Comments=f"shouting {name}",
    )
    return f"{reply.code} {reply.text}"


async def all_mail(market: MarketEnv) -> list[str]:
    """All that the relay writes from now on to anybody, with decoded parts, until every hold has ended."""
    mails = []
    for _ in range(6):
        mails += await market.deliver_asked()
        market.clock.forward(3 * DAY)
    return [f"{mail.rcpt_to}\n{_whole(mail.content)}" for mail in mails]


def _whole(content: bytes) -> str:
    message = message_from_bytes(content, policy=policy.default)
    parts = [str(value) for value in message.values()]
    for part in message.walk():
        octets = part.get_payload(decode=True)
        parts += [octets.decode("utf-8", "replace")] if isinstance(octets, bytes) else []
    return "\n".join(parts)


async def opt_out(market: MarketEnv, seller_id: str | None) -> None:
    now, buyer_id = market.clock.now(), market.pair.buyer.party.id
    out = OptOut(buyer_id=buyer_id, seller_id=seller_id, kind=None, source="test", changed_at=now)
    await market.store.opt_outs.put(out, out=True)


async def test_the_owner_reads_the_address_and_no_word(market: MarketEnv) -> None:
    assert "held" in await attack(market, market.seller_alias)
    mails = await all_mail(market)
    assert [mail.partition("\n")[0] for mail in mails] == [BUYER, BUYER]  # the question, and the end of its time
    assert unlinked(STRANGER) in mails[0]
    for mail in mails:
        assert STRANGER not in mail
        assert not any(word in mail for word in WORDS)


@pytest.mark.parametrize("name", ["evil-name.exe", "evil-name"])
async def test_mail_of_a_stranger_that_comes_back_is_told_to_nobody(market: MarketEnv, name: str) -> None:
    await market.set_marketplace(policies=(Policy(limits=replace(Policy().limits, message_bytes=100)),))
    await attack(market, market.seller_alias, name=name)
    [record] = await market.store.records.messages()
    assert record.state is MessageState.RETURNED
    assert await all_mail(market) == []
    await attack(market, f"check+{market.seller_alias}")
    assert await all_mail(market) == []


async def test_a_login_under_an_unlisted_address_is_told_without_words(market: MarketEnv) -> None:
    [reply] = await market.send(STRANGER, f"check+{market.buyer_alias}", login=Role.SELLER, Subject=HOSTILE)
    assert reply.code == 250
    [mail] = await all_mail(market)
    assert mail.startswith(SELLER)
    assert not any(word in mail for word in WORDS)


async def test_spoofed_mail_fills_nothing_and_says_nothing(market: MarketEnv, proven: Answers) -> None:  # R-IN-09
    """Few of it wait, whoever wrote them; the owner reads that something waits, three times, then in one letter."""
    proven.proof = Proof.NONE
    answers = [await attack(market, market.seller_alias, BUYER) for _ in range(12)]
    assert len(set(answers)) == 1
    assert answers[0].startswith("550")
    mails = await all_mail(market)
    assert len(mails) == 6  # three questions, three ends
    for mail in mails:
        assert mail.startswith(BUYER)
        assert not any(word in mail for word in WORDS)


async def test_a_domain_fills_neither_the_list_nor_the_disk(market: MarketEnv) -> None:
    """One domain has one place and a small budget; others, and the party's own domain, still find a place."""
    await market.set_marketplace(policies=(Policy(senders=Senders(pending=3)),))
    answers = [await attack(market, market.seller_alias, f"a{n}@mx{n}.evil.co.jp") for n in range(40)]
    assert [answer[:3] for answer in answers] == ["250"] * 5 + ["550"] * 35
    for address in ("hanako@work.example", "hanako@home.example", "second@phone.example"):
        assert "held" in await attack(market, market.seller_alias, address)
    await market.deliver_due()
    waiting = await market.store.senders.pending(market.pair.buyer.party.id)
    assert {one.sender.address.partition("@")[2] for one in waiting if one.held} == {
        "work.example",
        "home.example",
        "phone.example",
    }
    assert (await attack(market, market.seller_alias, "a@evil.co.jp"))[:3] == "550", "its budget is used up"


# ---------------------------------------------------------------- the other side, and those who have opted out


@pytest.mark.parametrize("entry", ["@private.example", "owner@private.example"])
@pytest.mark.parametrize("own_pair", [True, False])
async def test_nobody_is_asked_about_an_address_of_the_other_side(
    market: MarketEnv, entry: str, own_pair: bool
) -> None:
    """Also where the address writes to an alias of another pair; the answer is that of an unlisted one."""
    second = await market.store.parties.put("market", Role.SELLER, "S2", mailbox="s2@shop.example")
    pair = await market.store.pairs.put(
        "market", market.pair.buyer.party.id, second.id, dict.fromkeys(Role, "market.example")
    )
    lists = market.pair.seller.party.id if own_pair else second.id
    alias = pair.seller.alias.address
    unlisted = await attack(market, alias, "somebody@elsewhere.example")
    before = await market.deliver_asked()
    assert [mail.rcpt_to for mail in before] == [BUYER]
    await market.store.senders.put(lists, "@private.example", SenderState.APPROVED)
    answer = await attack(market, alias, "owner@private.example")
    assert answer.split(" ", 2)[2] == unlisted.split(" ", 2)[2]
    mails = await all_mail(market)
    assert len(mails) == 1  # the end of the time of the first
    assert not any("private" in mail for mail in mails)


@pytest.mark.parametrize("scope", ["all", "seller"])
async def test_a_buyer_who_has_opted_out_is_not_asked_about_strangers(market: MarketEnv, scope: str) -> None:
    await opt_out(market, None if scope == "all" else market.pair.seller.party.id)
    for address in (STRANGER, "hanako@sub.evil.example", "x@gmail.com"):
        assert "held" in await attack(market, market.seller_alias, address)
    assert await all_mail(market) == []
    assert await market.store.requests.parties() == []


async def test_a_buyer_who_has_opted_out_is_asked_about_what_is_near(market: MarketEnv) -> None:
    buyer = market.pair.buyer.party.id
    await opt_out(market, None)
    await market.store.senders.put(buyer, "old@work.example", SenderState.RETIRED)
    for address in ("second@phone.example", "third@mx.phone.example", "old@work.example"):
        assert "held" in await attack(market, market.seller_alias, address)
    mails = await market.deliver_asked()
    assert [mail.rcpt_to for mail in mails] == [BUYER] * 3


async def test_at_a_provider_the_same_domain_is_no_nearness(market: MarketEnv) -> None:
    await opt_out(market, None)
    await market.store.parties.put("market", Role.BUYER, "B1", mailbox="hanako@gmail.com")
    assert "held" in await attack(market, market.seller_alias, "stranger@gmail.com")
    assert await all_mail(market) == []


async def test_an_opt_out_of_one_kind_or_seller_leaves_the_others(market: MarketEnv) -> None:
    second = await market.store.parties.put("market", Role.SELLER, "S2", mailbox="s2@shop.example")
    await opt_out(market, second.id)
    assert "held" in await attack(market, market.seller_alias)
    assert [mail.rcpt_to for mail in await market.deliver_asked()] == [BUYER]


async def test_a_question_is_moot_once_it_is_decided(market: MarketEnv) -> None:
    for address in (STRANGER, "b@evil2.example"):
        await attack(market, market.seller_alias, address)
    buyer = market.pair.buyer.party.id
    await market.store.senders.put(buyer, STRANGER, SenderState.BLOCKED)
    mails = await market.deliver_asked()
    assert len(mails) == 1
    assert await market.store.requests.parties() == []
