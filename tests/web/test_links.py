"""Signed links over HTTP, on a real store: GET shows, POST does, once, and for the link's own party alone."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import httpx2
import pytest

from relay import texts
from relay.core.model.event import EventType, Mark, MarkData
from relay.core.model.facts import Scan, ScanOutcome
from relay.core.model.kind import Kind
from relay.core.model.message import MessageState
from relay.core.model.party import PartyState, Role
from relay.core.model.policy import Policy
from relay.core.model.reason import ReasonCode
from relay.core.model.sender import SenderState
from relay.core.signed_link import Link, Purpose, mint
from relay.edge.counters import ProcessCounters
from relay.edge.web.app import build
from relay.edge.web.signed_links import routes
from relay.edge.web.signed_links.language import wanted
from relay.ports import Misuse, MisuseCause, UnavailableError
from relay.ports.audit import AuditAction, Way
from relay.ports.signed_links import LINK_WORDS
from relay.signed_links import SignedLinkService
from tests.actions.action_env import SIGNER, SignedElsewhere
from tests.support.fakes import CountingObserver
from tests.support.market_env import BUYER, SELLER, MarketEnv, market_env, parsed

HELPER = "helper@pottery.example"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}
DAY = 86_400
CATALOGUE = texts.load()


@pytest.fixture
async def market(tmp_path: Path) -> AsyncIterator[MarketEnv]:
    async with market_env(tmp_path) as env:
        yield env


@pytest.fixture
async def web(market: MarketEnv) -> AsyncIterator[httpx2.AsyncClient]:
    async with client(market) as the_client:
        yield the_client


def client(market: MarketEnv) -> httpx2.AsyncClient:
    links = routes(
        SignedLinkService(lambda: market.services), CATALOGUE, ProcessCounters(market.clock), market.services.observer
    )
    app = build(observer_render=lambda: b"", ready=_ready, links=links)
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="https://links.market.example")


async def _ready() -> None:
    return None


def path(market: MarketEnv, purpose: Purpose, role: Role, subject_id: str) -> str:
    url = market.services.links.url(purpose, market.pair.side(role).party.id, subject_id, market.clock.now())
    return url.removeprefix(market.services.links.base_url)


async def from_seller(market: MarketEnv, **fields: str) -> str:
    """A seller's mail that reached the buyer; its record."""
    await market.send(SELLER, market.buyer_alias, login=Role.SELLER, trusted=False, **fields)
    await market.deliver_due()
    return (await market.store.records.messages())[0].id


async def from_buyer(market: MarketEnv) -> str:
    await market.send(BUYER, market.seller_alias, login=Role.BUYER, trusted=False)
    await market.deliver_due()
    return (await market.store.records.messages())[0].id


async def from_helper(market: MarketEnv, number: int = 1) -> str:
    """Mail of an unlisted address with the seller's login, held; the pending sender."""
    await market.send(HELPER, market.buyer_alias, login=Role.SELLER, trusted=False, Subject=f"Number {number}")
    [pending] = await market.store.senders.pending(market.pair.seller.party.id)
    return pending.sender.id


async def unproven(market: MarketEnv, subject: str = "Was it me?") -> str:
    """Mail under the seller's address that nothing proves, held; its record."""
    await market.send(SELLER, market.buyer_alias, trusted=False, Subject=subject)
    return (await market.store.records.messages(state=MessageState.HELD))[0].id


async def opt_outs(market: MarketEnv) -> set[tuple[bool, Kind | None]]:
    """Those in force, as (of this seller only, of that kind only)."""
    buyer, seller = market.pair.buyer.party.id, market.pair.seller.party.id
    return {(one.seller_id is not None, one.kind) for one in await market.store.opt_outs.in_force(buyer, seller)}


async def books(market: MarketEnv) -> Sequence[object]:
    """All that a link can change."""
    store, pair = market.store, market.pair
    messages = await store.records.messages()
    return [
        messages,
        [await store.records.history(message.id) for message in messages],
        await store.opt_outs.history(pair.buyer.party.id),
        await store.limits.misuse_history(pair.seller.party.id),
        await store.senders.of_party(pair.seller.party.id),
        await store.parties.get(pair.seller.party.id),
        await store.queue.lines(),
        await store.threads.last_at(pair.id, None),
        await store.audit_log.newest(),
    ]


def said(page: httpx2.Response) -> str:
    return unescape(re.sub(r"<[^>]+>", " ", page.text))


def choices(page: httpx2.Response) -> list[str]:
    return re.findall(r'name="choice" value="(\w+)"', page.text)


# ---------------------------------------------------------------- opting out


async def test_a_buyer_stops_and_allows_each_scope_on_the_page(
    market: MarketEnv, web: httpx2.AsyncClient
) -> None:  # R-POL-02
    body = "Please leave us a review on the product page."
    url = path(market, Purpose.OPT_OUT, Role.BUYER, await from_seller(market, body=body))
    assert choices(await web.get(url)) == ["seller", "all", "kind"]
    for choice, in_force in [
        ("seller", {(True, None)}),
        ("kind", {(True, None), (False, Kind.REVIEW_REQUEST)}),
        ("all", {(True, None), (False, Kind.REVIEW_REQUEST), (False, None)}),
        ("seller_undo", {(False, Kind.REVIEW_REQUEST), (False, None)}),
        ("kind_undo", {(False, None)}),
        ("all_undo", set()),
    ]:
        page = await web.post(url, data={"choice": choice})
        assert page.status_code == 200
        assert 'role="status"' in page.text
        assert await opt_outs(market) == in_force
    history = await market.store.opt_outs.history(market.pair.buyer.party.id)
    assert [(one.out, one.opt_out.source) for one in history] == [(True, "link")] * 3 + [(False, "link")] * 3


async def test_an_opt_out_of_a_kind_that_always_passes_is_not_offered(
    market: MarketEnv, web: httpx2.AsyncClient
) -> None:
    local_part, domain = market.buyer_alias.split("@")
    await market.send(SELLER, f"{local_part}+order_problem@{domain}", login=Role.SELLER, trusted=False)
    [message] = await market.store.records.messages()
    url = path(market, Purpose.OPT_OUT, Role.BUYER, message.id)
    assert choices(await web.get(url)) == ["seller", "all"]
    await web.post(url, data={"choice": "kind"})
    assert await opt_outs(market) == set()


async def test_an_opt_out_of_mail_without_a_clear_kind_is_not_offered(
    market: MarketEnv, web: httpx2.AsyncClient
) -> None:  # R-POL-02
    url = path(market, Purpose.OPT_OUT, Role.BUYER, await from_seller(market))
    assert (await market.store.records.messages())[0].kind == Kind.OTHER
    assert choices(await web.get(url)) == ["seller", "all"]
    await web.post(url, data={"choice": "kind"})
    assert await opt_outs(market) == set()


@pytest.mark.parametrize("encoding", ["urlencoded", "multipart"])
async def test_one_click_stops_this_seller_and_asks_nothing(
    market: MarketEnv, web: httpx2.AsyncClient, encoding: str
) -> None:  # R-POL-02, RFC 8058 §3.1
    url = path(market, Purpose.OPT_OUT, Role.BUYER, await from_seller(market))
    body: dict[str, Any] = (
        {"data": ONE_CLICK} if encoding == "urlencoded" else {"files": {"List-Unsubscribe": (None, "One-Click")}}
    )
    for _ in range(2):
        answer = await web.post(url, **body)
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
    assert await opt_outs(market) == {(True, None)}
    [change] = await market.store.opt_outs.history(market.pair.buyer.party.id)
    assert change.opt_out.source == "one-click"
    buyer_id = market.pair.buyer.party.id
    assert [(one.actor, one.way, one.action) for one in await market.store.audit_log.newest()] == [
        (buyer_id, Way.ONE_CLICK, AuditAction.OPT_OUT_SET)
    ]


async def test_an_opt_out_link_never_ends_and_others_do(market: MarketEnv, web: httpx2.AsyncClient) -> None:
    message_id = await from_seller(market)
    old = path(market, Purpose.OPT_OUT, Role.BUYER, message_id)
    ended = path(market, Purpose.REPORT, Role.BUYER, message_id)
    market.clock.forward(61 * DAY)
    assert (await web.post(old, data=ONE_CLICK)).status_code == 200
    assert await opt_outs(market) == {(True, None)}
    for page in (await web.get(ended), await web.post(ended, data={"choice": "report"})):
        assert page.status_code == 410
        assert "https://market.example/help" in page.text
        assert '<html lang="ja">' in page.text
    assert not [event for event in await market.store.records.history(message_id) if event.type is EventType.MARKED]


async def test_a_closed_account_may_still_opt_out_and_do_nothing_else(
    market: MarketEnv, web: httpx2.AsyncClient
) -> None:
    message_id = await from_seller(market)
    await market.store.parties.put("market", Role.BUYER, "B1", state=PartyState.CLOSED)
    assert (await web.post(path(market, Purpose.REPORT, Role.BUYER, message_id), data={"choice": "report"})).is_error
    assert (await web.post(path(market, Purpose.OPT_OUT, Role.BUYER, message_id), data=ONE_CLICK)).is_success


# ---------------------------------------------------------------- a buyer's and a seller's word


async def test_not_important_costs_the_seller_once(market: MarketEnv, web: httpx2.AsyncClient) -> None:  # R-POL-06
    url = path(market, Purpose.NOT_IMPORTANT, Role.BUYER, await from_seller(market))
    for _ in range(2):
        assert choices(await web.post(url, data={"choice": "tell"})) == []
    [misuse] = await market.store.limits.misuse_history(market.pair.seller.party.id)
    assert isinstance(misuse, Misuse)
    assert (misuse.cause, misuse.points) == (MisuseCause.NOT_IMPORTANT, Policy().bypass.points_not_important)


async def test_no_reply_needed_can_be_undone_and_tells_the_buyer_nothing(
    market: MarketEnv, web: httpx2.AsyncClient
) -> None:
    message_id = await from_buyer(market)  # R-REC-08
    url = path(market, Purpose.NO_REPLY, Role.SELLER, message_id)
    since = market.clock.now() - timedelta(days=1)
    for choice, left_out in [("leave_out", True), ("leave_out", True), ("undo", False)]:
        page = await web.post(url, data={"choice": choice})
        assert choices(page) == ["undo" if left_out else "leave_out"]
        [turn] = await market.store.threads.turns(market.pair.seller.party.id, since)
        assert turn.no_reply_needed is left_out
    assert await market.deliver_due() == []


async def test_a_report_reaches_the_operator_once_with_its_words_which_no_event_holds(
    market: MarketEnv, web: httpx2.AsyncClient
) -> None:  # R-REW-09
    message_id = await from_seller(market)
    url = path(market, Purpose.REPORT, Role.BUYER, message_id)
    answers = await asyncio.gather(
        *(web.post(url, data={"choice": "report", "words": "he asks\r\nfor \x00money\x1b[2J 詐欺"}) for _ in range(3))
    )
    assert [choices(answer) for answer in answers] == [[]] * 3
    again = await web.post(url, data={"choice": "report", "words": "once more"})
    assert message_id in said(again)
    assert choices(again) == []
    [letter] = await market.deliver_due()
    assert letter.rcpt_to == "ops@operator.example"
    text = parsed(letter).get_content().replace("\r\n", "\n")
    assert "he asks\nfor money[2J 詐欺" in text
    assert message_id in text
    assert BUYER not in text
    [marked] = [event for event in await market.store.records.history(message_id) if event.type is EventType.MARKED]
    assert marked.data == MarkData(mark=Mark.REPORTED, by="buyer")


async def test_what_a_reporter_types_is_capped(market: MarketEnv, web: httpx2.AsyncClient) -> None:
    url = path(market, Purpose.REPORT, Role.BUYER, await from_seller(market))
    assert (await web.post(url, data={"choice": "report", "words": "x" * 9_000})).status_code == 200
    [letter] = await market.deliver_due()
    assert parsed(letter).get_content().count("x") < 2_050


# ---------------------------------------------------------------- holds


async def test_approving_a_sender_releases_its_mail_once_however_many_click(
    market: MarketEnv, web: httpx2.AsyncClient
) -> None:  # R-SND-02
    sender_id = await from_helper(market)
    await from_helper(market, 2)
    await market.deliver_due()
    url = path(market, Purpose.SENDER, Role.SELLER, sender_id)
    page = await web.get(url)
    assert HELPER in said(page)
    assert re.search(r"Messages waiting\s+2\b", said(page))
    assert choices(page) == ["approve", "block"]
    answers = await asyncio.gather(*(web.post(url, data={"choice": "approve"}) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {200}
    assert [choices(answer) for answer in answers] == [["block"]] * 4
    market.clock.forward(1)
    assert [parsed(mail)["Subject"] for mail in await market.deliver_due()] == ["Number 1", "Number 2"]
    for message in await market.store.records.messages(state=MessageState.ACCEPTED):
        released = [e for e in await market.store.records.history(message.id) if e.type is EventType.RELEASED]
        assert len(released) == (1 if message.pair_id else 0)


async def test_an_address_cannot_look_like_another_one(market: MarketEnv, web: httpx2.AsyncClient) -> None:
    # R-SND-02: the address from right to left, a part that nobody sees, and a control character
    seller_id = market.pair.seller.party.id
    for hidden in ("\u202e", "\u2066", "\u200b", "\x9b"):
        local_part = f"{hidden}moc.knab"
        pending = await market.store.senders.put(seller_id, f"{local_part}@evil.example", SenderState.UNKNOWN)
        page = await web.get(path(market, Purpose.SENDER, Role.SELLER, pending.id))
        assert hidden not in page.text
        assert f"[U+{ord(hidden):04X}]moc.knab@evil.example" in said(page)


async def test_of_two_words_at_once_each_message_hears_one(
    market: MarketEnv, web: httpx2.AsyncClient
) -> None:  # R-SND-02
    sender_id = await from_helper(market)
    await from_helper(market, 2)
    await market.deliver_due()
    url = path(market, Purpose.SENDER, Role.SELLER, sender_id)
    await asyncio.gather(*(web.post(url, data={"choice": choice}) for choice in ("approve", "block") * 3))
    market.clock.forward(1)
    relayed = len([mail for mail in await market.deliver_due() if mail.rcpt_to == BUYER])
    states = [message.state for message in await market.store.records.messages() if message.pair_id]
    assert sorted(states) == sorted([MessageState.ACCEPTED] * relayed + [MessageState.RETURNED] * (2 - relayed))


async def test_a_blocked_sender_s_mail_goes_back_and_the_word_can_be_changed(
    market: MarketEnv, web: httpx2.AsyncClient
) -> None:  # R-SND-02 R-SND-03
    sender_id = await from_helper(market)
    await market.deliver_due()
    url = path(market, Purpose.SENDER, Role.SELLER, sender_id)
    assert choices(await web.post(url, data={"choice": "block"})) == ["approve"]
    assert await market.deliver_due() == []
    assert (await market.store.records.messages(state=MessageState.RETURNED))[0].pair_id
    await web.post(url, data={"choice": "approve"})
    sender = await market.store.senders.get(sender_id)
    assert sender is not None
    assert sender.state is SenderState.APPROVED
    assert await market.deliver_due() == []  # what went back stays there


@pytest.mark.parametrize(("choice", "subjects"), [("mine", ["Was it me?"]), ("not_mine", [])])
async def test_a_held_message_is_confirmed_or_disowned(
    market: MarketEnv, web: httpx2.AsyncClient, choice: str, subjects: list[str]
) -> None:  # R-IN-09
    message_id = await unproven(market)
    await market.deliver_due()
    url = path(market, Purpose.CONFIRM, Role.SELLER, message_id)
    page = await web.get(url)
    assert "Was it me?" in said(page)
    assert choices(page) == ["mine", "not_mine"]
    other = {"mine": "not_mine", "not_mine": "mine"}[choice]
    answers = [await web.post(url, data={"choice": one}) for one in (choice, choice, other)]
    assert [choices(answer) for answer in answers] == [[], [], []]
    market.clock.forward(1)
    assert [parsed(mail)["Subject"] for mail in await market.deliver_due() if mail.rcpt_to == BUYER] == subjects


async def test_the_domain_that_signs_is_confirmed_once(market: MarketEnv, web: httpx2.AsyncClient) -> None:  # R-IN-09
    plain = await unproven(market)
    market.services.authenticator = SignedElsewhere()
    held = [await unproven(market, f"Number {number}") for number in (1, 2)]
    await market.deliver_due()
    url = path(market, Purpose.CONFIRM, Role.SELLER, held[0])
    page = await web.get(url)
    assert SIGNER in said(page)
    assert choices(page) == ["mine", "always", "not_mine"]
    assert choices(await web.post(url, data={"choice": "always"})) == []
    market.clock.forward(1)
    subjects = [parsed(mail)["Subject"] for mail in await market.deliver_due() if mail.rcpt_to == BUYER]
    assert sorted(subjects) == ["Number 1", "Number 2"]  # the other one waited for the same
    [reply] = await market.send(SELLER, market.buyer_alias, trusted=False, Subject="Number 3")
    assert "queued" in reply.text
    other = path(market, Purpose.CONFIRM, Role.SELLER, plain)
    assert choices(await web.get(other)) == ["mine", "not_mine"]
    assert (await web.post(other, data={"choice": "always"})).status_code == 400
    entries = await market.store.audit_log.newest()
    assert AuditAction.SIGNING_DOMAIN_CONFIRMED in {one.action for one in entries}


async def test_the_owner_s_word_does_not_lift_what_a_scanner_found(market: MarketEnv, web: httpx2.AsyncClient) -> None:
    market.services.scanners = [_Suspicious()]  # R-IN-09 R-POL-17
    message_id = await unproven(market)
    await market.deliver_due()
    url = path(market, Purpose.CONFIRM, Role.SELLER, message_id)
    assert choices(await web.get(url)) == ["not_mine"]
    assert choices(await web.post(url, data={"choice": "mine"})) == ["not_mine"]
    market.clock.forward(1)
    assert await market.deliver_due() == []


class _Suspicious:
    async def scan(self, content: bytes) -> Scan:
        return Scan(scanner="rspamd", outcome=ScanOutcome.SPAM)


# ---------------------------------------------------------------- threads and product support


async def test_a_closed_conversation_is_opened_again(market: MarketEnv, web: httpx2.AsyncClient) -> None:  # R-POL-18
    await from_seller(market)
    market.clock.forward(200 * DAY)
    message_id = await from_seller(market, Subject="Late")
    assert (await market.store.records.messages(state=MessageState.RETURNED))[0].pair_id
    url = path(market, Purpose.REOPEN, Role.SELLER, message_id)
    assert choices(await web.get(url)) == ["reopen"]
    for _ in range(2):
        assert choices(await web.post(url, data={"choice": "reopen"})) == []
    await from_seller(market, Subject="Now")
    assert parsed(market.courier.taken[-1])["Subject"] == "Now"


async def test_product_support_is_turned_on_and_off(market: MarketEnv, web: httpx2.AsyncClient) -> None:  # R-POL-13
    url = path(market, Purpose.PRODUCT_SUPPORT, Role.SELLER, "")
    for choice, on in [("turn_on", True), ("turn_on", True), ("turn_off", False)]:
        page = await web.post(url, data={"choice": choice})
        assert choices(page) == ["turn_off" if on else "turn_on"]
        seller = await market.store.parties.get(market.pair.seller.party.id)
        assert seller is not None
        assert seller.settings.product_support is on


# ---------------------------------------------------------------- what a request cannot do


async def every_link(market: MarketEnv) -> dict[Purpose, str]:
    seller_s, buyer_s = await from_seller(market), await from_buyer(market)
    sender_id, held = await from_helper(market), ""
    await market.send(SELLER, market.buyer_alias, trusted=False, Subject="Was it me?")
    for message in await market.store.records.messages(state=MessageState.HELD):
        held = message.id if ReasonCode.SENDER_UNPROVEN in message.detail.reason_codes else held
    await market.deliver_due()
    return {
        Purpose.OPT_OUT: path(market, Purpose.OPT_OUT, Role.BUYER, seller_s),
        Purpose.NOT_IMPORTANT: path(market, Purpose.NOT_IMPORTANT, Role.BUYER, seller_s),
        Purpose.NO_REPLY: path(market, Purpose.NO_REPLY, Role.SELLER, buyer_s),
        Purpose.REPORT: path(market, Purpose.REPORT, Role.SELLER, buyer_s),
        Purpose.SENDER: path(market, Purpose.SENDER, Role.SELLER, sender_id),
        Purpose.CONFIRM: path(market, Purpose.CONFIRM, Role.SELLER, held),
        Purpose.REOPEN: path(market, Purpose.REOPEN, Role.BUYER, seller_s),
        Purpose.PRODUCT_SUPPORT: path(market, Purpose.PRODUCT_SUPPORT, Role.SELLER, ""),
    }


async def test_scanners_and_prefetchers_change_nothing(market: MarketEnv, web: httpx2.AsyncClient) -> None:  # R-REW-09
    links = await every_link(market)
    before = await books(market)
    for url in links.values():
        for method in ("GET", "HEAD"):
            for query in ("", "?choice=approve&List-Unsubscribe=One-Click"):
                answer = await web.request(method, url + query, headers={"Sec-Purpose": "prefetch"})
                assert answer.status_code == 200
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
            answer = await web.request(method, url)
            assert answer.status_code == 405
            assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}
    assert await books(market) == before


async def test_a_post_that_chooses_nothing_of_the_link_s_changes_nothing(
    market: MarketEnv, web: httpx2.AsyncClient
) -> None:
    links = await every_link(market)
    before = await books(market)
    every = {choice for words in LINK_WORDS.values() for choice in words.choices}
    for purpose, url in links.items():
        for choice in ("", "nonsense", "one_click", *(every - {*LINK_WORDS[purpose].choices})):
            if (purpose, choice) != (Purpose.OPT_OUT, "one_click"):
                assert (await web.post(url, data={"choice": choice})).status_code == 400
        if purpose is not Purpose.OPT_OUT:
            assert (await web.post(url, data=ONE_CLICK)).status_code == 400
    assert await books(market) == before


async def test_a_token_is_not_said_again_in_a_redirect(market: MarketEnv, web: httpx2.AsyncClient) -> None:
    url = path(market, Purpose.OPT_OUT, Role.BUYER, await from_seller(market))
    answer = await web.post(f"{url}/", data=ONE_CLICK)
    assert answer.status_code == 404
    assert "location" not in answer.headers


async def test_only_small_forms_are_read(market: MarketEnv, web: httpx2.AsyncClient) -> None:
    url = path(market, Purpose.OPT_OUT, Role.BUYER, await from_seller(market))
    before = await books(market)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    multipart = {"Content-Type": "multipart/form-data; boundary=b"}
    for content, headers, status in [
        (b"List-Unsubscribe=One-Click", {}, 415),
        (b"List-Unsubscribe=One-Click", {"Content-Type": "text/plain"}, 415),
        (b'{"choice": "seller"}', {"Content-Type": "application/json"}, 415),
        (b"choice=seller&x=" + b"y" * 20_000, form, 413),
        (b"&".join([b"choice=seller"] * 9), form, 400),
        (b"--b\r\nno", multipart, 400),
        (b"choice=seller", {"Content-Type": "multipart/form-data"}, 400),
        (b'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\nx\r\n--b--\r\n', multipart, 400),
        (b"", form, 400),
        (b"\xff\xfe=%ff", form, 400),
    ]:
        answer = await web.post(url, content=content, headers=headers)
        assert (answer.status_code, content[:40]) == (status, content[:40])
        assert "<h1>" in answer.text
    assert await books(market) == before


async def test_a_token_is_bound_to_its_party_and_to_what_it_is_about(
    market: MarketEnv, web: httpx2.AsyncClient
) -> None:
    """Nothing in a request can change whom it concerns, and a token that names another's thing does nothing."""
    seller_s, buyer_s = await from_seller(market), await from_buyer(market)
    sender_id = await from_helper(market)
    stranger = await market.store.parties.put("market", Role.SELLER, "S2", mailbox="other@shop.example")
    before = await books(market)
    for purpose, role, subject_id in [
        (Purpose.OPT_OUT, Role.SELLER, seller_s),
        (Purpose.OPT_OUT, Role.BUYER, buyer_s),
        (Purpose.NOT_IMPORTANT, Role.SELLER, seller_s),
        (Purpose.NO_REPLY, Role.BUYER, buyer_s),
        (Purpose.NO_REPLY, Role.SELLER, seller_s),
        (Purpose.REPORT, Role.SELLER, seller_s),
        (Purpose.SENDER, Role.BUYER, sender_id),
        (Purpose.SENDER, Role.SELLER, seller_s),
        (Purpose.CONFIRM, Role.BUYER, seller_s),
        (Purpose.PRODUCT_SUPPORT, Role.BUYER, ""),
        (Purpose.REOPEN, Role.BUYER, "no-such-message"),
    ]:
        url = path(market, purpose, role, subject_id)
        for choice in LINK_WORDS[purpose].choices:
            assert (await web.post(url, data={"choice": choice})).status_code == 410
    ends = market.clock.now() + timedelta(days=1)
    for purpose, subject_id in [(Purpose.SENDER, sender_id), (Purpose.NO_REPLY, buyer_s), (Purpose.REOPEN, seller_s)]:
        link = Link(purpose=purpose, party_id=stranger.id, subject_id=subject_id, expires_at=ends)
        url = f"/l/{mint(link, market.services.links.key)}"
        assert (await web.post(url, data={"choice": LINK_WORDS[purpose].choices[0]})).status_code == 410
    url = path(market, Purpose.OPT_OUT, Role.BUYER, seller_s)
    extra = {"choice": "seller_undo", "party": stranger.id, "token": url, "buyer_id": stranger.id}
    assert (await web.post(f"{url}?party={stranger.id}", data=extra)).status_code == 200
    assert await books(market) == before


async def test_forgeries_are_404_and_many_of_them_429_but_a_real_link_always_works(
    market: MarketEnv, web: httpx2.AsyncClient
) -> None:
    url = path(market, Purpose.OPT_OUT, Role.BUYER, await from_seller(market))
    forged = f"{url[:-9]}{'A' if url[-9] != 'A' else 'B'}{url[-8:]}"
    answers = [await web.request(method, forged, data=None) for method in ["GET"] * 31]
    assert [answer.status_code for answer in answers] == [404] * 30 + [429]
    assert answers[-1].headers["retry-after"] == "600"
    assert (await web.get("/l/%00%22%3Cscript%3E")).status_code == 429
    assert (await web.post(url, data=ONE_CLICK)).status_code == 200
    market.clock.forward(601)
    assert (await web.post(forged, data=ONE_CLICK)).status_code == 404


async def test_a_store_that_is_away_or_broken_is_said_so_and_asked_again_later(
    market: MarketEnv, web: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:  # R-IN-07
    url = path(market, Purpose.OPT_OUT, Role.BUYER, await from_seller(market))
    for error, status in [(UnavailableError("disk"), 503), (RuntimeError(f"{BUYER} is odd"), 500)]:

        async def fail(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        monkeypatch.setattr(market.store.opt_outs, "put", fail)
        answer = await web.post(url, data=ONE_CLICK)
        assert answer.status_code == status
        assert "@" not in answer.text
    monkeypatch.undo()
    assert (await web.post(url, data=ONE_CLICK)).status_code == 200


async def test_uses_are_counted_by_purpose_and_outcome_and_by_nothing_else(
    market: MarketEnv, web: httpx2.AsyncClient
) -> None:
    url = path(market, Purpose.OPT_OUT, Role.BUYER, await from_seller(market))
    await web.get(url)
    await web.post(url, data=ONE_CLICK)
    await web.post(url, data={"choice": "x"})
    await web.get(url[:-2])
    assert isinstance(market.services.observer, CountingObserver)
    counted = [name for name in market.services.observer.counts if name[0] == "links"]
    assert {name[1:] for name in counted} == {
        ("outcome=shown", "purpose=opt_out"),
        ("outcome=done", "purpose=opt_out"),
        ("outcome=choice", "purpose=opt_out"),
        ("outcome=forged", "purpose=unknown"),
    }


# ---------------------------------------------------------------- what pages show


async def test_no_page_shows_an_address_of_the_other_side_or_a_text_of_its_mail(
    market: MarketEnv, web: httpx2.AsyncClient
) -> None:  # R-REW-01
    seller_s = await from_seller(market, Subject=f"Write to {SELLER}", body=f"I am {SELLER}")
    await market.send(BUYER, market.seller_alias, login=Role.BUYER, trusted=False, Subject=f"I am {BUYER}")
    buyer_s = (await market.store.records.messages())[0].id
    held = await unproven(market)
    links = [
        *((Role.BUYER, purpose, seller_s) for purpose in (Purpose.OPT_OUT, Purpose.NOT_IMPORTANT, Purpose.REPORT)),
        *((Role.SELLER, purpose, buyer_s) for purpose in (Purpose.NO_REPLY, Purpose.REPORT, Purpose.REOPEN)),
        (Role.SELLER, Purpose.CONFIRM, held),
        (Role.BUYER, Purpose.REOPEN, seller_s),
    ]
    for role, purpose, subject_id in links:
        url = path(market, purpose, role, subject_id)
        for page in (await web.get(url), await web.post(url, data={"choice": LINK_WORDS[purpose].choices[0]})):
            assert page.status_code == 200
            for side, names in (
                (Role.SELLER, ("pottery.example", "shop-owner")),
                (Role.BUYER, ("hanako", "phone.exa")),
            ):
                if side is not role:
                    assert not [name for name in names if name in (page.text + str(page.headers)).lower()]
            assert "@" not in url


async def test_the_other_side_is_named_as_in_its_mail(market: MarketEnv, web: httpx2.AsyncClient) -> None:  # R-ADR-06
    page = await web.get(path(market, Purpose.OPT_OUT, Role.BUYER, await from_seller(market)))
    assert market.seller_alias in said(page)
    assert "Pots" in said(page)
    page = await web.get(path(market, Purpose.NO_REPLY, Role.SELLER, await from_buyer(market)))
    assert re.search(r"buyer-\w{8} <" + re.escape(market.buyer_alias), said(page))
    assert "Hanako" not in said(page)


async def test_pages_keep_to_themselves_and_out_of_caches_and_indexes(
    market: MarketEnv, web: httpx2.AsyncClient
) -> None:
    """R-UI-09: nothing from elsewhere, no script, no cookie."""
    url = path(market, Purpose.OPT_OUT, Role.BUYER, await from_seller(market))
    for answer in (await web.get(url), await web.post(url, data=ONE_CLICK), await web.get("/l/x"), await web.head(url)):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-robots-tag"] == "noindex, nofollow"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "set-cookie" not in answer.headers
        assert "location" not in answer.headers
        assert "<script" not in answer.text
        assert re.findall(r'(?:src|<link[^>]* href)="([^"]+)"', answer.text) in ([], ["data:,", "static/page.css"])
    style = await web.get("/l/static/page.css")
    assert style.headers["content-type"].startswith("text/css")
    assert "url(" not in style.text


async def test_what_others_wrote_is_text_on_a_page(market: MarketEnv, web: httpx2.AsyncClient) -> None:
    await market.send(SELLER, market.buyer_alias, trusted=False, Subject="<script>alert(1)</script>{{7*7}}")
    [held] = await market.store.records.messages(state=MessageState.HELD)
    page = await web.get(path(market, Purpose.CONFIRM, Role.SELLER, held.id))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{7*7}}" in page.text
    assert "<script" not in page.text


@pytest.mark.parametrize(("role", "language"), [(Role.BUYER, "ja"), (Role.SELLER, "en")])
async def test_a_page_speaks_its_holder_s_language(
    market: MarketEnv, web: httpx2.AsyncClient, role: Role, language: str
) -> None:  # R-UI-09
    message_id = await (from_seller if role is Role.BUYER else from_buyer)(market)
    page = await web.get(path(market, Purpose.REPORT, role, message_id), headers={"Accept-Language": "de, fr"})
    assert f'<html lang="{language}">' in page.text
    assert CATALOGUE(language).gettext("page.report.title") in said(page)
    forged = await web.get("/l/x", headers={"Accept-Language": f"de, {language};q=0.5"})
    assert f'<html lang="{language}">' in forged.text


# ---------------------------------------------------------------- the changelog of policies


async def test_the_changelog_shows_what_is_and_what_is_announced(market: MarketEnv, web: httpx2.AsyncClient) -> None:
    """Requirement R-POL-20."""
    now = market.clock.now()
    first = Policy(version="v1", effective_at=now - timedelta(days=90), summary={"en": "First <b>rules</b>"})
    second = replace(
        first, version="v2", effective_at=now + timedelta(days=3), summary={"en": "Less", "ja": "減ります"}
    )
    second = replace(second, quotas=replace(second.quotas, pair_per_day=7))
    third = replace(second, version="v3-secret", effective_at=now + timedelta(days=30))
    await market.set_marketplace(policies=(first, second, third))
    english = await web.get("/policy/market", headers={"Accept-Language": "fr, en;q=0.8, ja;q=0.2"})
    assert english.status_code == 200
    text = said(english)
    assert text.index("v2") < text.index("v1")
    assert "v3-secret" not in text
    assert "First <b>rules</b>" in text
    assert "7" in text[text.index("What changes") :]
    japanese = await web.get("/policy/market?lang=ja", headers={"Accept-Language": "en"})
    assert '<html lang="ja">' in japanese.text
    assert "減ります" in japanese.text
    assert 'href="../l/static/page.css"' in japanese.text
    assert (await web.get("/policy/elsewhere")).status_code == 404
    assert (await web.post("/policy/market")).status_code == 405


@pytest.mark.parametrize(
    ("asked", "accepted", "languages"),
    [
        ("", "ja,en;q=0.8", ["ja", "en"]),
        ("", "en;q=0.3, ja-JP;q=0.9, de", ["ja", "en"]),
        ("ja", "en", ["ja", "en"]),
        ("", "en;q=0, *;q=x, ;;, ja;q=0.1", ["ja"]),
        ("<x>", "", []),
        ("", "en;q=nan,ja;q=inf", []),
    ],
)
def test_languages_are_taken_in_the_reader_s_order(asked: str, accepted: str, languages: list[str]) -> None:
    assert list(wanted(asked, accepted)) == languages


# ---------------------------------------------------------------- texts


def test_every_purpose_of_a_link_has_its_page() -> None:  # R-UI-09
    assert set(LINK_WORDS) == set(Purpose)
