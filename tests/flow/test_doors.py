"""Who is let in, and to whom: aliases, tags, strangers, blocked senders, the operator; over a real store."""

import pytest

from relay.core.model.marketplace import Fallback
from relay.core.model.message import MessageState, Peer, Port
from relay.core.model.order import Order
from relay.core.model.party import PartyState, Role
from relay.core.model.sender import SenderState
from tests.support.town import BUYER, DOMAIN, SELLER, Town


async def test_a_stranger_is_told_what_a_wrong_alias_is_told(market: Town) -> None:  # R-ADR-07
    peer_reply = await market.send("nobody@elsewhere.example", market.buyer_alias)
    wrong = await market.desk.rcpt_to(_peer(market), "nobody@elsewhere.example", f"aaaaaaaaaaaaaaaa@{DOMAIN}")
    assert peer_reply == [wrong]
    assert (wrong.code, wrong.enhanced) == (550, "5.1.1")
    assert await market.deliver_due() == []
    [summary] = await market.store.messages()
    assert summary.state is MessageState.REFUSED


@pytest.mark.parametrize("state", PartyState)
async def test_a_stranger_does_not_learn_an_aliass_state(market: Town, state: PartyState) -> None:  # R-ADR-07
    wrong = await market.desk.rcpt_to(_peer(market), "nobody@elsewhere.example", f"aaaaaaaaaaaaaaaa@{DOMAIN}")
    await market.store.put_party("market", Role.BUYER, "B1", state=state)
    assert (await market.desk.rcpt_to(_peer(market), "nobody@elsewhere.example", market.buyer_alias)).code == 250
    assert await market.send("nobody@elsewhere.example", market.buyer_alias) == [wrong]
    # The seller's own address in From proves nothing to a door that asks for proof.
    await market.set_marketplace(fallback=Fallback.REFUSE)
    assert await market.send(SELLER, market.buyer_alias, trusted=False) == [wrong]


async def test_a_from_of_another_party_is_misuse_of_the_login(market: Town) -> None:  # R-IN-02
    await market.store.put_party("market", Role.SELLER, "S2", mailbox="other@shop.example")
    [reply] = await market.send("other@shop.example", market.buyer_alias, login=Role.SELLER)
    assert (reply.code, reply.enhanced) == (553, "5.7.1")
    assert await market.deliver_due() == []


@pytest.mark.parametrize("login", [Role.SELLER, None])
async def test_a_blocked_sender_is_refused_and_recorded_whole(market: Town, login: Role | None) -> None:
    # R-SND-04, R-REC-01
    await market.store.put_sender(market.pair.seller.party.id, SELLER, SenderState.BLOCKED)
    [reply] = await market.send(SELLER, market.buyer_alias, login=login)
    assert (reply.code, reply.enhanced) == (550, "5.7.1")
    [summary] = await market.store.messages(state=MessageState.REFUSED)
    stored = await market.store.message(summary.id)
    assert stored
    assert b"Good day" in stored.original


async def test_a_strangers_mail_leaves_its_envelope_and_no_body(market: Town) -> None:  # R-REC-01
    await market.send("nobody@elsewhere.example", market.buyer_alias)
    [summary] = await market.store.messages(state=MessageState.REFUSED)
    stored = await market.store.message(summary.id)
    assert stored
    assert (stored.mail_from, stored.subject, stored.original) == ("nobody@elsewhere.example", "", b"")
    assert summary.size_bytes > 0


async def test_a_tag_names_no_order_of_another_pair(market: Town) -> None:  # R-ADR-05
    second = await market.store.put_party("market", Role.BUYER, "B2", mailbox="second@phone.example")
    seller = market.pair.seller.party.id
    other = await market.store.put_pair("market", second.id, seller, dict.fromkeys(Role, DOMAIN))
    for pair, name in ((other, "O9"), (market.pair, "O1")):
        await market.store.put_order(Order(id="", marketplace_id="market", pair_id=pair.id, external_id=name))
    for tag in ("+O9@", "+O1@"):
        [reply] = await market.send(SELLER, market.buyer_alias.replace("@", tag))
        assert reply.code == 250
    assert [summary.order_external_id for summary in await market.store.messages()] == ["O1", None]


@pytest.mark.parametrize("tag", ["+", "++", "+a+b", "+a=b.c", "+{x}", "+'", "+" + "x" * 40, "+重"])
async def test_an_odd_tag_is_ignored(market: Town, tag: str) -> None:  # R-ADR-05
    raw = f"From: {SELLER}\r\nSubject: x\r\n\r\nGood day\r\n".encode()
    address = market.buyer_alias.upper().replace("@", tag + "@")
    assert (await market.desk.rcpt_to(_peer(market), SELLER, address)).code == 250
    [reply] = await market.send_raw(raw, SELLER, address)
    assert reply.code == 250
    [mail] = await market.deliver_due()
    assert mail.rcpt_to == BUYER


async def test_a_domain_that_changed_hands_brings_no_mail_to_old_pairs(market: Town) -> None:  # R-ADR-09
    await market.set_marketplace(id="heir")
    [reply] = await market.send(SELLER, market.buyer_alias)
    assert (reply.code, reply.enhanced) == (550, "5.1.1")


async def test_postmaster_and_abuse_reach_the_operator(market: Town) -> None:  # R-IN-10
    for name in ("postmaster", "abuse"):
        assert (await market.desk.rcpt_to(_peer(market), "x@y.example", f"{name}@{DOMAIN}")).code == 250
        await market.send("x@y.example", f"{name}@{DOMAIN}", body="Please help")
    mails = await market.deliver_due()
    assert [mail.rcpt_to for mail in mails] == ["ops@operator.example"] * 2
    assert all("Please help" in mail.content.decode() for mail in mails)


async def test_the_operator_gets_what_cannot_be_read_but_not_what_goes_round(market: Town) -> None:
    # R-IN-10, R-OUT-08
    abuse = f"Abuse+report@{DOMAIN}"
    broken = b"From: MAILER-DAEMON (nobody)\r\nSubject: x\r\n\r\nPlease help\r\n"
    [reply] = await market.send_raw(broken, "", abuse)
    assert reply.code == 250
    [mail] = await market.deliver_due()
    assert (mail.rcpt_to, b"Please help" in mail.content) == ("ops@operator.example", True)
    [reply] = await market.send_raw(b"Received: from a by b\r\n" * 31 + broken, "", abuse)
    assert (reply.code, reply.enhanced) == (554, "5.4.6")
    assert await market.deliver_due() == []


async def test_other_domains_are_refused_with_and_without_a_login(market: Town) -> None:  # R-ADR-08
    for login in (None, Role.SELLER):
        reply = await market.desk.rcpt_to(_peer(market, login), SELLER, "someone@gmail.example")
        assert (reply.code, reply.enhanced) == (550, "5.7.1")


def _peer(market: Town, login: Role | None = None) -> Peer:
    party = market.pair.side(login).party.id if login else None
    return Peer(port=Port.MX, client_ip="192.0.2.1", helo="h.example", tls=True, login_party_id=party)
