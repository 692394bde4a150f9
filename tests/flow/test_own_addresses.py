"""The relay's own addresses are nobody's sender: they enter no list, and nothing of a list changes them in a text."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from relay.core.mail.mime import Part
from relay.core.model.facts import Authentication, Proof
from relay.core.model.marketplace import Marketplaces
from relay.core.model.message import Incoming, MessageState
from relay.core.model.party import Role
from relay.core.model.policy import ActionByKind, Content, ContentAction, Policy
from relay.core.model.reason import ReasonCode
from relay.core.model.sender import SenderState
from relay.core.signed_link import Purpose
from relay.edge.authenticate import SessionAuthenticator
from relay.housekeeping import Housekeeping
from relay.ports import Delivery
from relay.ports.signed_links import LinkError, LinkFault
from relay.signed_links import SignedLinkService
from tests.support.market_env import BUYER, SELLER, START, MarketEnv, parsed

GONE = Delivery(
    accepted=False, permanent=True, code=550, enhanced="5.1.1", text="no such user", phase="rcpt", host="mx", tls=""
)
MOBILE = "m.market.example"
OTHER_FOLDED = "xn--wgv71a.example"
WAITING = "lawyer@elsewhere.example"


class Proven(SessionAuthenticator):
    """Finds every From aligned."""

    async def authenticate(self, incoming: Incoming, from_address: str, root: Part) -> Authentication:
        return Authentication(proof=Proof.ALIGNED)


@pytest.fixture(autouse=True)
async def several_domains(market: MarketEnv) -> None:
    """A mobile domain, and another marketplace with an international one. No rule looks at addresses in texts."""
    policies = (Policy(content=Content(contact=ActionByKind(action=ContentAction.ALLOW))),)
    own = replace(market.services.marketplaces.by_id["market"], mobile_domain=MOBILE, policies=policies)
    other = replace(own, id="other", domain=OTHER_FOLDED, mobile_domain="")
    market.services.marketplaces = Marketplaces.of([own, other], "mx.market.example")


def own_address(market: MarketEnv, which: str) -> str:
    named = {"writer's alias": market.seller_alias, "reader's alias": market.buyer_alias}
    return named.get(which, which)


OWN = (
    "writer's alias",
    "reader's alias",
    "anybody@market.example",
    "Anybody@MARKET.example",
    f"anybody@{MOBILE}",
    f"anybody@{OTHER_FOLDED}",
    "anybody@日本.example",
    "anybody@mx.market.example",
)


@pytest.mark.parametrize("which", OWN)
async def test_own_mail_that_returns_is_a_loop_and_no_new_sender(
    market: MarketEnv, which: str
) -> None:  # R-OUT-08 R-SND-02
    market.services.authenticator = Proven()
    address = own_address(market, which)
    before = await market.store.senders.of_party(market.pair.seller.party.id)
    content = f"From: {address}\r\nTo: {market.buyer_alias}\r\nSubject: x\r\n\r\nx\r\n".encode()
    await market.send_raw(content, SELLER, market.buyer_alias, trusted=False)
    assert await market.deliver_due() == []
    [record] = await market.store.records.messages()
    assert record.state is MessageState.RETURNED
    assert record.detail.reason_codes[0] is ReasonCode.LOOP
    assert await market.store.senders.of_party(market.pair.seller.party.id) == before
    await market.send(SELLER, market.buyer_alias)
    [mail] = await market.deliver_due()
    assert market.seller_alias in parsed(mail)["From"]


@pytest.mark.parametrize("which", OWN)
async def test_no_login_may_write_from_an_own_address(market: MarketEnv, which: str) -> None:  # R-IN-02
    content = f"From: {own_address(market, which)}\r\nSubject: x\r\n\r\nx\r\n".encode()
    [reply] = await market.send_raw(content, SELLER, market.buyer_alias, login=Role.SELLER)
    assert (reply.code, reply.enhanced) == (553, "5.7.1")
    assert await market.store.senders.pending(market.pair.seller.party.id) == []


async def test_a_subdomain_that_is_not_configured_is_like_any_other(market: MarketEnv) -> None:  # R-SND-02
    [reply] = await market.send("staff@office.market.example", market.buyer_alias, login=Role.SELLER, trusted=False)
    assert (reply.code, "held" in reply.text) == (250, True)


@pytest.mark.parametrize("state", SenderState)
@pytest.mark.parametrize(
    "entry", ["{alias}", "anybody@market.example", "@market.example", f"@{MOBILE}", f"@{OTHER_FOLDED}"]
)
async def test_what_an_old_list_holds_of_ours_changes_no_text(
    market: MarketEnv, entry: str, state: SenderState
) -> None:
    """R-REW-04: on either side's list, in whatever state; the aliases in a mail stay as they are."""
    address = entry.format(alias=market.buyer_alias)
    for side in (market.pair.seller, market.pair.buyer):
        await market.store.senders.put(side.party.id, address, state)
    texts = (market.buyer_alias, market.seller_alias, "anybody@market.example", f"x@{MOBILE}", f"x@{OTHER_FOLDED}")
    await market.send(SELLER, market.buyer_alias, body="\n".join(texts))
    [mail] = await market.deliver_due()
    sent = parsed(mail)
    assert market.seller_alias in sent["From"]
    assert sent.get_content().splitlines()[: len(texts)] == list(texts)


async def test_an_old_entry_lets_nobody_write_from_an_own_address(market: MarketEnv) -> None:  # R-OUT-08
    market.services.authenticator = Proven()
    await market.store.senders.put(market.pair.seller.party.id, "@market.example", SenderState.APPROVED)
    await market.send(market.seller_alias, market.buyer_alias, trusted=False)
    assert await market.deliver_due() == []
    await market.send(market.seller_alias, f"check+{market.buyer_alias}", trusted=False)
    assert {mail.rcpt_to for mail in await market.deliver_due()} <= {SELLER}


async def test_an_envelope_sender_of_ours_is_no_ones_address_in_the_text(market: MarketEnv) -> None:  # R-REW-04
    content = (
        f"From: {SELLER}\r\nTo: {market.buyer_alias}\r\nSubject: x\r\n\r\nWrite to {market.buyer_alias}\r\n".encode()
    )
    await market.send_raw(content, market.buyer_alias, market.buyer_alias, login=Role.SELLER)
    [mail] = await market.deliver_due()
    assert f"Write to {market.buyer_alias}" in parsed(mail).get_content()


async def test_a_link_approves_no_address_of_ours(market: MarketEnv) -> None:  # R-SND-02
    sender = await market.store.senders.put(market.pair.seller.party.id, market.buyer_alias, SenderState.UNKNOWN)
    links, now = market.services.links, market.clock.now()
    token = links.url(Purpose.SENDER, sender.party_id, sender.id, now).removeprefix(links.prefix)
    desk = SignedLinkService(lambda: market.services)
    assert [choice.value for choice in (await desk.look(token)).choices] == ["block"]
    with pytest.raises(LinkError) as refused:
        await desk.act(token, "approve")
    assert refused.value.why is LinkFault.CHOICE
    await desk.act(token, "block")
    known = await market.store.senders.get(sender.id)
    assert known
    assert known.state is SenderState.BLOCKED


async def own_mail_of_every_kind(market: MarketEnv) -> dict[str, bytes]:
    """Mail that the relay wrote or passed on, by its kind, as its recipient has it."""
    kinds: dict[str, bytes] = {}
    await market.send(SELLER, market.buyer_alias)
    [relayed] = await market.deliver_due()
    kinds["relayed"] = relayed.content
    await market.send(SELLER, f"check+{market.buyer_alias}")
    [notice] = await market.deliver_due()
    kinds["notice"] = notice.content
    market.courier.answers[BUYER] = GONE
    await market.send(SELLER, market.buyer_alias)
    [undelivered] = await market.deliver_due()
    kinds["delivery report"] = undelivered.content
    market.courier.answers.clear()
    await market.send(BUYER, "postmaster@market.example")
    [for_operator] = await market.deliver_due()
    kinds["operator"] = for_operator.content
    coming = Policy(version="2", effective_at=START + timedelta(days=3))
    await market.set_marketplace(policies=(Policy(), coming))
    await Housekeeping().announcements(market.services)
    [letter] = await market.deliver_due()
    kinds["letter"] = letter.content
    return kinds


async def test_own_mail_of_every_kind_is_known_when_it_comes_back(market: MarketEnv) -> None:  # R-OUT-08
    """A forwarding program gives it a From of its own, proven, listed or not: it is not passed on, and nobody asked."""
    market.services.authenticator = Proven()
    for kind, content in (await own_mail_of_every_kind(market)).items():
        header, body = content.split(b"\r\n\r\n", 1)
        lines = re.sub(rb"(?im)^(from|to):.*(\r\n[ \t].*)*\r\n", b"", header + b"\r\n")
        for writer in (SELLER, "forward@elsewhere.example"):
            again = f"From: {writer}\r\nTo: {market.buyer_alias}\r\n".encode() + lines + b"\r\n" + body
            await market.send_raw(again, "forward@elsewhere.example", market.buyer_alias, trusted=False)
            assert await market.deliver_due() == [], kind
            record = (await market.store.records.messages(limit=1))[0]
            assert (record.state, record.detail.reason_codes[0]) == (MessageState.RETURNED, ReasonCode.LOOP), kind
    assert await market.store.senders.pending(market.pair.seller.party.id) == []


async def test_what_the_operator_has_had_does_not_come_again_but_a_report_does(market: MarketEnv) -> None:  # R-OUT-08
    own = await own_mail_of_every_kind(market)
    [reply] = await market.send_raw(own["operator"], BUYER, "abuse@market.example")
    assert reply.code == 554
    for kind in ("relayed", "notice", "letter"):
        [reply] = await market.send_raw(b"Resent-From: x@y.example\r\n" + own[kind], BUYER, "abuse@market.example")
        assert reply.code == 250, kind


# ---------------------------------------------------------------- who counts as the party


async def test_an_address_that_only_waits_is_left_in_the_texts_of_others(market: MarketEnv) -> None:  # R-REW-04
    await market.send(WAITING, market.buyer_alias, login=Role.SELLER, trusted=False)
    await market.deliver_due()
    for writer, alias in ((SELLER, market.buyer_alias), (BUYER, market.seller_alias)):
        await market.send(writer, alias, body=f"Ask {WAITING}")
        [mail] = await market.deliver_due()
        assert f"Ask {WAITING}" in parsed(mail).get_content()


@pytest.mark.parametrize("state", [SenderState.APPROVED, SenderState.BLOCKED, SenderState.RETIRED])
async def test_an_address_that_was_decided_on_is_hidden(market: MarketEnv, state: SenderState) -> None:  # R-REW-01
    await market.store.senders.put(market.pair.seller.party.id, WAITING, state)
    await market.send(SELLER, market.buyer_alias, body=f"Ask {WAITING}")
    [mail] = await market.deliver_due()
    assert f"Ask {market.seller_alias}" in parsed(mail).get_content()


async def test_a_retired_address_that_writes_again_stays_hidden(market: MarketEnv) -> None:  # R-REW-01 R-SND-03
    await market.store.senders.put(market.pair.seller.party.id, WAITING, SenderState.RETIRED)
    await market.send(WAITING, market.buyer_alias, login=Role.SELLER, trusted=False)
    await market.deliver_due()
    [_] = await market.store.senders.pending(market.pair.seller.party.id)
    await market.send(SELLER, market.buyer_alias, body=f"Ask {WAITING}")
    [mail] = await market.deliver_due()
    assert f"Ask {market.seller_alias}" in parsed(mail).get_content()


async def test_held_mail_names_none_of_those_who_are_approved_with_it(market: MarketEnv) -> None:  # R-REW-01 R-SND-02
    """The mail is rewritten when it comes, and leaves when its writer, and others who waited, are approved."""
    writers = ("ann@pottery.example", "bob@pottery.example")
    for _ in range(2):
        for writer in writers:
            body = "\n".join(writers)
            await market.send(writer, market.buyer_alias, login=Role.SELLER, trusted=False, body=body)
    await market.deliver_due()
    await market.store.senders.flip_many(market.pair.seller.party.id, writers, SenderState.APPROVED, by="cli")
    market.clock.forward(1)
    relayed = await market.deliver_due()
    assert len(relayed) == 4
    for mail in relayed[1:]:  # when the first one came, nobody else waited
        assert not any(writer.encode() in mail.content for writer in writers)
    assert writers[0].encode() not in relayed[0].content
