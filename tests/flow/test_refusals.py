"""Accepted and refused mail: aliases, tags, strangers, blocked senders, the operator; over a real store."""

from dataclasses import replace

import pytest

from relay.actions import pairs
from relay.actions.actor import Actor
from relay.core.model.event import EventType
from relay.core.model.marketplace import Fallback, Marketplaces
from relay.core.model.message import Incoming, MessageState, Peer, Port
from relay.core.model.order import OrderUpdate
from relay.core.model.party import PartyState, Role
from relay.core.model.reason import ReasonCode
from relay.core.model.sender import SenderState
from relay.core.notice import smtp_text
from relay.ports import MessageFilter
from tests.support.market_env import BUYER, DOMAIN, MX_IP, SELLER, Aligned, MarketEnv, parsed


async def test_a_stranger_is_told_what_a_wrong_alias_is_told(market: MarketEnv) -> None:  # R-ADR-07
    peer_reply = await market.send("nobody@elsewhere.example", market.buyer_alias)
    wrong = await market.intake.rcpt_to(_peer(market), "nobody@elsewhere.example", f"aaaaaaaaaaaaaaaa@{DOMAIN}")
    assert peer_reply == [wrong]
    assert (wrong.code, wrong.enhanced) == (550, "5.1.1")
    assert await market.deliver_due() == []
    [summary] = await market.store.records.messages()
    assert summary.state is MessageState.REFUSED


@pytest.mark.parametrize("state", PartyState)
async def test_a_stranger_does_not_learn_an_aliass_state(market: MarketEnv, state: PartyState) -> None:  # R-ADR-07
    wrong = await market.intake.rcpt_to(_peer(market), "nobody@elsewhere.example", f"aaaaaaaaaaaaaaaa@{DOMAIN}")
    await market.store.parties.put("market", Role.BUYER, "B1", state=state)
    assert (await market.intake.rcpt_to(_peer(market), "nobody@elsewhere.example", market.buyer_alias)).code == 250
    assert await market.send("nobody@elsewhere.example", market.buyer_alias) == [wrong]
    # The seller's own address in From proves nothing to a door that asks for proof.
    await market.set_marketplace(authentication=Fallback.REFUSE)
    assert await market.send(SELLER, market.buyer_alias, trusted=False) == [wrong]


@pytest.mark.parametrize(
    ("address", "listed_by"), [(BUYER, "other_side"), ("other@shop.example", "another"), ("new@shop.example", None)]
)
async def test_a_login_hears_of_no_from_whose_it_is(
    market: MarketEnv, address: str, listed_by: str | None
) -> None:  # R-IN-02 R-SND-02
    """The other side's, another account's, nobody's: one answer, one request to the owner; the record has the fact."""
    await market.store.parties.put("market", Role.SELLER, "S2", mailbox="other@shop.example")
    [reply] = await market.send(address, market.buyer_alias, login=Role.SELLER)
    [summary] = await market.store.records.messages()
    assert reply.text == f"{summary.id} held, this From address waits for the account owner's approval (sender_pending)"
    assert summary.detail.listed_by == listed_by
    [question] = await market.deliver_asked()
    assert (question.rcpt_to, address.partition("@")[0][:5] in parsed(question).get_content()) == (SELLER, True)


@pytest.mark.parametrize("address", [SELLER, BUYER, "other@shop.example", "new@shop.example", f"x@{DOMAIN}"])
async def test_a_logins_mail_to_its_own_alias_gets_one_refusal(market: MarketEnv, address: str) -> None:  # R-IN-02
    await market.store.parties.put("market", Role.SELLER, "S2", mailbox="other@shop.example")
    [reply] = await market.send(address, market.seller_alias, login=Role.SELLER)
    assert reply == smtp_text.reply(ReasonCode.OWN_ALIAS, market.services.marketplaces.by_id["market"])
    assert await market.deliver_due() == []
    [first, second] = await market.send(SELLER, market.seller_alias, market.buyer_alias, login=Role.SELLER)
    assert (first.code, first) == (250, second)


async def test_mail_from_the_readers_own_address_sends_the_other_side_no_request(market: MarketEnv) -> None:  # R-SND-02
    """An address that the other side lists counts as pending, and nothing of it reaches the party that it waits for."""
    market.services.authenticator = Aligned()
    seller_id = market.pair.seller.party.id
    await market.send("new@shop.example", market.buyer_alias, trusted=False)
    [request] = await market.deliver_asked()
    assert request.rcpt_to == SELLER
    [reply] = await market.send(BUYER, market.buyer_alias, trusted=False)
    assert "(sender_pending)" in reply.text
    assert [mail.rcpt_to for mail in await market.deliver_asked()] == [BUYER]
    assert len(await market.store.senders.pending(seller_id)) == 2


@pytest.mark.parametrize("login", [Role.SELLER, None])
async def test_a_blocked_sender_is_refused_and_recorded_whole(market: MarketEnv, login: Role | None) -> None:
    # R-SND-04, R-REC-01
    await market.store.senders.put(market.pair.seller.party.id, SELLER, SenderState.BLOCKED)
    [reply] = await market.send(SELLER, market.buyer_alias, login=login)
    assert (reply.code, reply.enhanced) == (550, "5.7.1")
    [summary] = await market.store.records.messages(state=MessageState.REFUSED)
    stored = await market.store.records.message(summary.id)
    assert stored
    assert b"Good day" in stored.original


async def test_a_strangers_mail_leaves_its_envelope_and_no_body(market: MarketEnv) -> None:  # R-REC-01
    await market.send("nobody@elsewhere.example", market.buyer_alias)
    [summary] = await market.store.records.messages(state=MessageState.REFUSED)
    stored = await market.store.records.message(summary.id)
    assert stored
    assert (stored.mail_from, stored.subject, stored.original) == ("nobody@elsewhere.example", "", b"")
    assert summary.size_bytes > 0


async def test_a_tag_names_no_order_of_another_pair(market: MarketEnv) -> None:  # R-ADR-05
    second = await market.store.parties.put("market", Role.BUYER, "B2", mailbox="second@phone.example")
    seller = market.pair.seller.party.id
    other = await market.store.pairs.put("market", second.id, seller, dict.fromkeys(Role, DOMAIN))
    for pair, name in ((other, "O9"), (market.pair, "O1"), (market.pair, "O2")):
        await market.store.orders.put(OrderUpdate(marketplace_id="market", pair_id=pair.id, external_id=name))
    for tag in ("+O9@", "+O1@"):
        [reply] = await market.send(SELLER, market.buyer_alias.replace("@", tag))
        assert reply.code == 250
    assert [summary.order_external_id for summary in await market.store.records.messages()] == ["O1", None]


@pytest.mark.parametrize("tag", ["+", "++", "+a+b", "+a=b.c", "+{x}", "+'", "+" + "x" * 40, "+重"])
async def test_an_odd_tag_is_ignored(market: MarketEnv, tag: str) -> None:  # R-ADR-05
    raw = f"From: {SELLER}\r\nSubject: x\r\n\r\nGood day\r\n".encode()
    address = market.buyer_alias.upper().replace("@", tag + "@")
    assert (await market.intake.rcpt_to(_peer(market), SELLER, address)).code == 250
    [reply] = await market.send_raw(raw, SELLER, address)
    assert reply.code == 250
    [mail] = await market.deliver_due()
    assert mail.rcpt_to == BUYER


async def test_a_domain_that_changed_hands_brings_no_mail_to_old_pairs(market: MarketEnv) -> None:  # R-ADR-09
    await market.set_marketplace(id="heir")
    [reply] = await market.send(SELLER, market.buyer_alias)
    assert (reply.code, reply.enhanced) == (550, "5.1.1")


async def test_postmaster_and_abuse_reach_the_operator(market: MarketEnv) -> None:  # R-IN-10
    for name in ("postmaster", "abuse"):
        assert (await market.intake.rcpt_to(_peer(market), "x@y.example", f"{name}@{DOMAIN}")).code == 250
        await market.send("x@y.example", f"{name}@{DOMAIN}", body="Please help")
    mails = await market.deliver_due()
    assert [mail.rcpt_to for mail in mails] == ["ops@operator.example"] * 2
    assert all("Please help" in mail.content.decode() for mail in mails)


async def test_the_operator_gets_what_cannot_be_read_but_not_what_goes_round(market: MarketEnv) -> None:
    # R-IN-10, R-OUT-08
    abuse = f"Abuse+report@{DOMAIN}"
    broken = b"From: MAILER-DAEMON (nobody)\r\nSubject: x\r\n\r\nPlease help\r\n"
    [reply] = await market.send_raw(broken, "", abuse)
    assert reply.code == 250
    [mail] = await market.deliver_due()
    assert mail.rcpt_to == "ops@operator.example"
    assert b"Please help" in mail.content
    [reply] = await market.send_raw(b"Received: from a by b\r\n" * 31 + broken, "", abuse)
    assert (reply.code, reply.enhanced) == (554, "5.4.6")
    assert await market.deliver_due() == []


BROKEN = b"From: MAILER-DAEMON (nobody)\r\nSubject: x\r\n\r\nPlease help\r\n"
READABLE = b"From: x@y.example\r\nSubject: x\r\n\r\nPlease help\r\n"


@pytest.mark.parametrize("raw", [READABLE, BROKEN])
@pytest.mark.parametrize(
    "names",
    [
        [f"postmaster+{number}" for number in range(100)],
        ["abuse"] * 100,
        ["Abuse", "postmaster", "POSTMASTER+x", "check+abuse"],
    ],
)
async def test_the_operator_gets_one_transaction_once(market: MarketEnv, raw: bytes, names: list[str]) -> None:
    # R-IN-06, R-IN-10, R-REW-05
    replies = await market.send_raw(raw, "x@y.example", *(f"{name}@{DOMAIN}" for name in names))
    [summary] = await market.store.records.messages()
    assert len(replies) == len(names)
    assert {(reply.code, reply.text) for reply in replies} == {(250, replies[0].text)}
    assert summary.id in replies[0].text
    events = [event.type for event in await market.store.records.history(summary.id)]
    assert events.count(EventType.COPY_MERGED) == len(names) - 1
    [mail] = await market.deliver_due()
    assert (mail.rcpt_to, b"Please help" in mail.content) == ("ops@operator.example", True)


@pytest.mark.parametrize("raw", [READABLE, BROKEN])
async def test_a_loop_to_the_operator_is_recorded_once(market: MarketEnv, raw: bytes) -> None:  # R-OUT-08, R-REW-05
    names = ("postmaster", "postmaster+1", "abuse", "abuse")
    looping = b"Received: from a by b\r\n" * 31 + raw
    replies = await market.send_raw(looping, "x@y.example", *(f"{name}@{DOMAIN}" for name in names))
    assert [(reply.code, reply.enhanced) for reply in replies] == [(554, "5.4.6")] * 4
    [summary] = await market.store.records.messages()
    assert summary.state is MessageState.REFUSED
    assert await market.deliver_due() == []


@pytest.mark.parametrize("raw", [READABLE, BROKEN])
async def test_the_operators_of_two_marketplaces_get_a_copy_each(market: MarketEnv, raw: bytes) -> None:
    # R-ADR-09, R-REW-05
    here = market.services.marketplaces.by_id["market"]
    there = replace(here, id="other", domain="other.example", operator="ops@other-operator.example")
    market.services.marketplaces = Marketplaces.of([here, there], "mx.market.example")
    addresses = [f"{name}@{domain}" for name in ("abuse", "postmaster") for domain in (DOMAIN, "other.example")]
    replies = await market.send_raw(raw, "x@y.example", *addresses)
    assert [reply.code for reply in replies] == [250] * 4
    assert [reply.text for reply in replies[:2]] == [reply.text for reply in replies[2:]]
    assert len({reply.text for reply in replies}) == 2
    mails = await market.deliver_due()
    assert sorted(mail.rcpt_to for mail in mails) == ["ops@operator.example", "ops@other-operator.example"]
    assert sorted(one.marketplace_id for one in await market.store.records.messages()) == ["market", "other"]


async def test_the_operator_and_a_party_get_the_same_mail(market: MarketEnv) -> None:  # R-IN-05, R-REW-05
    to = [f"postmaster@{DOMAIN}", market.buyer_alias, f"abuse@{DOMAIN}", market.buyer_alias]
    replies = await market.send(SELLER, *to)
    assert [reply.text for reply in replies[:2]] == [reply.text for reply in replies[2:]]
    assert sorted(mail.rcpt_to for mail in await market.deliver_due()) == [BUYER, "ops@operator.example"]
    assert len(await market.store.records.messages()) == 2


@pytest.mark.parametrize("raw", [READABLE, BROKEN])
async def test_lmtp_has_an_answer_for_each_recipient_that_is_merged(market: MarketEnv, raw: bytes) -> None:
    # R-IN-01, R-REW-05
    names = ("postmaster", "a" * 16, "abuse", "postmaster+1", "a" * 16)
    incoming = Incoming(
        peer=replace(_peer(market), port=Port.LMTP),
        mail_from="x@y.example",
        rcpt_to=tuple(f"{name}@{DOMAIN}" for name in names),
        smtputf8=False,
        content=raw,
        received_at=market.clock.now(),
    )
    replies = await market.intake.data(incoming)
    assert [reply.code // 100 for reply in replies] == [2, 5, 2, 2, 5]
    assert len({reply.text for reply in replies}) == 2
    assert len(await market.store.records.messages()) == 2


async def test_unreadable_mail_of_a_login_is_kept_once_for_each_alias(market: MarketEnv) -> None:  # R-REC-01, R-REW-05
    to = [market.buyer_alias.replace("@", f"+{number}@") for number in range(50)] + [market.buyer_alias] * 50
    replies = await market.send_raw(BROKEN, SELLER, *to, login=Role.SELLER)
    assert len(replies) == 100
    assert {(reply.code, reply.text) for reply in replies} == {(replies[0].code, replies[0].text)}
    [summary] = await market.store.records.messages()
    stored = await market.store.records.message(summary.id)
    assert stored
    assert (summary.state, stored.original) == (MessageState.REFUSED, BROKEN)


async def test_an_address_of_nobody_is_recorded_once_however_it_is_tagged(
    market: MarketEnv,
) -> None:  # R-ADR-07, R-REW-05
    nobody = "a" * 16
    names = (nobody, nobody, nobody.upper(), f"{nobody}+1", "b" * 16)
    replies = await market.send(SELLER, *(f"{name}@{DOMAIN}" for name in names), login=Role.SELLER)
    assert [(reply.code, reply.enhanced) for reply in replies] == [(550, "5.1.1")] * 5
    assert [summary.state for summary in await market.store.records.messages()] == [MessageState.REFUSED] * 2


async def test_other_domains_are_refused_with_and_without_a_login(market: MarketEnv) -> None:  # R-ADR-08
    for login in (None, Role.SELLER):
        reply = await market.intake.rcpt_to(_peer(market, login), SELLER, "someone@gmail.example")
        assert (reply.code, reply.enhanced) == (550, "5.7.1")


def _peer(market: MarketEnv, login: Role | None = None) -> Peer:
    party = market.pair.side(login).party.id if login else None
    return Peer(port=Port.MX, client_ip="192.0.2.1", helo="h.example", tls=True, login_party_id=party)


@pytest.mark.parametrize("to", ["buyer_alias", "seller_alias"])
async def test_a_writer_on_no_list_confirms_no_address_of_the_account(market: MarketEnv, to: str) -> None:  # R-POL-08
    """The other side itself may write from an address that nobody knows, and guess."""
    market.services.authenticator = Aligned()
    answers = set()
    for address in (SELLER, BUYER, "nobody@shop.example"):
        body = f"Hello, is {address} you?"
        [reply] = await market.send("new@shop.example", getattr(market, to), trusted=False, body=body)
        answers.add(reply.text.partition(" ")[2])
    assert len(answers) == 1


@pytest.mark.parametrize(
    ("login", "state", "address", "reason"),
    [
        (True, PartyState.SUSPENDED, "{alias}", "recipient_unavailable"),
        (True, PartyState.CLOSED, "check+{alias}", "recipient_unavailable"),
        (True, PartyState.ACTIVE, "aaaaaaaaaaaaaaaa@market.example", "address_unknown"),
        (True, PartyState.ACTIVE, "x@elsewhere.example", "no_relaying"),
        (False, PartyState.ACTIVE, "aaaaaaaaaaaaaaaa@market.example", "address_unknown"),
    ],
)
async def test_a_recipient_refused_to_a_login_is_in_the_record_of_its_party(
    market: MarketEnv, login: bool, state: PartyState, address: str, reason: str
) -> None:  # R-REC-01
    await market.store.parties.put("market", Role.BUYER, "B1", state=state)
    seller_id = market.pair.seller.party.id
    peer = Peer(port=Port.SUBMISSION, client_ip=MX_IP, helo="h", tls=True, login_party_id=seller_id if login else None)
    reply = await market.intake.rcpt_to(peer, SELLER, address.format(alias=market.buyer_alias))
    assert (reply.code, reason in reply.text) == (550, True)
    found = await market.store.records.messages("market", wanted=MessageFilter(party_id=seller_id))
    assert [one.detail.reason_codes for one in found] == ([(reason,)] if login else [])
    for one in found:
        assert (one.state, one.author_role, one.author_ref, one.size_bytes) == ("refused", Role.SELLER, "S1", 0)
        assert one.pair_id == (market.pair.id if reason == "recipient_unavailable" else None)
        assert [event.type for event in await market.store.records.history(one.id)] == [EventType.REFUSED]


async def test_refused_mail_of_a_login_has_its_author(market: MarketEnv) -> None:  # R-REC-01
    seller = market.pair.seller.party
    await market.store.senders.put(seller.id, "old@pottery.example", SenderState.BLOCKED)
    (reply,) = await market.send("old@pottery.example", market.buyer_alias, login=Role.SELLER)
    assert "(sender_blocked)" in reply.text
    (found,) = await market.store.records.messages("market", wanted=MessageFilter(party_id=seller.id))
    assert (found.author_role, found.author_ref, found.detail.reason_codes) == (Role.SELLER, "S1", ("sender_blocked",))


@pytest.mark.parametrize("login", [None, Role.SELLER])
async def test_mail_to_a_retired_alias_is_refused_as_to_an_unknown_address(
    market: MarketEnv, login: Role | None
) -> None:  # R-ADR-02, R-ADR-07
    old, pair_id = market.buyer_alias, market.pair.id
    assert (await market.store.pairs.renew(pair_id, {Role.BUYER: DOMAIN})) is not None
    renewed = await market.store.pairs.get(pair_id)
    assert renewed is not None
    peer = replace(_peer(market), login_party_id=market.pair.seller.party.id if login else None)
    at_rcpt = await market.intake.rcpt_to(peer, SELLER, old)
    replies = [at_rcpt] if login else await market.send(SELLER, old)
    assert [(reply.code, reply.enhanced) for reply in replies] == [(550, "5.1.1")]
    assert (await market.intake.rcpt_to(peer, SELLER, renewed.buyer.alias.address)).code == 250
    (reply,) = await market.send(SELLER, renewed.buyer.alias.address, login=login)
    assert reply.code == 250
    assert [mail.rcpt_to for mail in await market.deliver_due()] == [BUYER]


async def test_a_closed_pair_gets_its_mail_of_before_and_no_more(market: MarketEnv) -> None:  # R-ADR-02
    await market.send(SELLER, market.buyer_alias)
    closed = await pairs.close(Actor.admin("ann"), market.services, market.pair)
    assert closed.is_closed
    assert [mail.rcpt_to for mail in await market.deliver_due()] == [BUYER]
    for writer, alias in ((SELLER, market.buyer_alias), (BUYER, market.seller_alias)):
        assert [reply.code for reply in await market.send(writer, alias)] == [550]
    assert await market.deliver_due() == []


@pytest.mark.parametrize("state", [PartyState.SUSPENDED, PartyState.ACTIVE])
async def test_the_records_of_refused_recipients_are_limited_for_each_party_and_day(
    market: MarketEnv, state: PartyState
) -> None:  # R-IN-06, R-REC-01
    seller = market.pair.seller.party
    await market.store.parties.put("market", Role.SELLER, seller.external_ref, state=state)
    address = market.buyer_alias if state is PartyState.SUSPENDED else f"aaaaaaaaaaaaaaaa@{DOMAIN}"

    async def recorded() -> int:
        replies = {await market.intake.rcpt_to(_peer(market, Role.SELLER), SELLER, address) for _ in range(110)}
        assert {reply.code for reply in replies} == {550}
        return len(await market.store.records.messages(limit=1_000))

    assert await recorded() == 100
    market.clock.forward(86_400)
    assert await recorded() == 200
