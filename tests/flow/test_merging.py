"""Several addresses of one recipient in one transaction: judged once, recorded once, answered each (R-IN-05, R-REW-05)."""

import re
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar, TypeVarTuple

import pytest

from relay.core.mail.mime import Part
from relay.core.model.event import EventType
from relay.core.model.facts import Authentication, Proof
from relay.core.model.kind import Kind
from relay.core.model.message import Incoming, MessageState, Peer, Port
from relay.core.model.optout import OptOut
from relay.core.model.order import OrderUpdate
from relay.core.model.pair import Pair
from relay.core.model.party import Role
from relay.core.model.policy import Policy, Quotas
from relay.core.model.sender import SenderState
from relay.edge.authenticate import SessionAuthenticator
from relay.ports import MessageSummary, TooHeavyError
from relay.steps.offload import ThreadWorkers
from tests.support.counted_store import CountedPart, CountedStore
from tests.support.market_env import BUYER, DOMAIN, SELLER, Aligned, MarketEnv, parsed

A = TypeVarTuple("A")
T = TypeVar("T")
HELPER = "helper@elsewhere.example"


def tagged(alias: str, *tags: str) -> list[str]:
    return [alias.replace("@", f"+{tag}@") for tag in tags]


async def another_pair(market: MarketEnv) -> Pair:
    buyer = await market.store.parties.put("market", Role.BUYER, "B2", mailbox="second@phone.example")
    return await market.store.pairs.put("market", buyer.id, market.pair.seller.party.id, dict.fromkeys(Role, DOMAIN))


async def put_order(market: MarketEnv, pair: Pair, name: str) -> None:
    await market.store.orders.put(OrderUpdate(marketplace_id="market", pair_id=pair.id, external_id=name))


async def opt_out(market: MarketEnv, pair: Pair) -> None:
    now = market.clock.now()
    opted_out = OptOut(buyer_id=pair.buyer.party.id, seller_id=None, kind=None, source="test", changed_at=now)
    await market.store.opt_outs.put(opted_out, out=True)


async def only_message(market: MarketEnv) -> MessageSummary:
    [summary] = await market.store.records.messages()
    return summary


async def work(market: MarketEnv, *rcpt_to: str) -> tuple[Counter[str], Counter[str]]:
    """Look-ups in the store, and texts asked for by the rewrite, of one transaction."""
    texts: Counter[str] = Counter()
    store, catalogue = market.services.store, market.services.catalogue
    counted = CountedStore(store)

    def counting(locale: str) -> Any:
        texts[locale] += 1
        return catalogue(locale)

    market.services.store, market.services.catalogue = counted, counting
    try:
        await market.send(SELLER, *rcpt_to)
    finally:
        market.services.store, market.services.catalogue = store, catalogue
    return counted.calls, texts


async def test_a_hundred_tags_of_one_alias_cost_what_one_costs(market: MarketEnv) -> None:  # R-IN-06, R-REW-05
    once = await work(market, market.buyer_alias)
    many = await work(market, *tagged(market.buyer_alias, *map(str, range(100))))
    assert many == once
    assert once[0]["orders.of_pair"] == 1
    assert once[1].total() > 0
    histories = [await market.store.records.history(one.id) for one in await market.store.records.messages()]
    merged = [[event.type for event in history].count(EventType.COPY_MERGED) for history in histories]
    assert sorted(merged) == [0, 99]
    assert [mail.rcpt_to for mail in await market.deliver_due()] == [BUYER, BUYER]


async def test_two_tagged_pairs_cost_what_two_pairs_cost(market: MarketEnv) -> None:  # R-IN-06, R-IN-05
    other = (await another_pair(market)).buyer.alias.address
    once = await work(market, market.buyer_alias, other)
    tags = map(str, range(20))
    mixed = [address for tag in tags for alias in (market.buyer_alias, other) for address in tagged(alias, tag)]
    assert await work(market, *mixed) == once
    assert len(await market.store.records.messages()) == 4


@pytest.mark.parametrize("tags", [("nonsense", "O1"), ("O1", "nonsense"), ("", "o1"), ("x", "y", "O1", "O1")])
async def test_the_first_known_tag_names_the_order(market: MarketEnv, tags: tuple[str, ...]) -> None:  # R-ADR-05
    await put_order(market, market.pair, "O1")
    await market.send(SELLER, *tagged(market.buyer_alias, *tags))
    summary = await only_message(market)
    assert summary.order_external_id == "O1"
    assert summary.detail.other_tags == ()
    assert "nonsense" not in str(summary.detail)


async def test_other_known_tags_stand_in_the_record(market: MarketEnv) -> None:  # R-ADR-05, R-REC-01
    for name in ("O1", "O2"):
        await put_order(market, market.pair, name)
    await market.send(SELLER, *tagged(market.buyer_alias, "my-name", "o2", "order-problem", "O2", "O1"))
    summary = await only_message(market)
    assert summary.order_external_id == "O2"
    assert summary.detail.other_tags == ("order_problem", "O1")


@pytest.mark.parametrize(
    ("tags", "lines"),
    [
        (("O1", "my-name", "o2", "order-problem"), ["注文番号：O1", "あわせて対象：O2, 注文の問題"]),
        (("O1", "nonsense", "O1"), ["注文番号：O1"]),
    ],
)
async def test_the_footer_names_what_further_tags_name(
    market: MarketEnv, tags: tuple[str, ...], lines: list[str]
) -> None:  # R-REW-05, R-REW-08
    for name in ("O1", "O2"):
        await put_order(market, market.pair, name)
    await market.send(SELLER, *tagged(market.buyer_alias, *tags))
    [mail] = await market.deliver_due()
    shown = parsed(mail).get_content()
    assert [line for line in shown.splitlines() if re.search("：.", line)] == lines
    assert "my-name" not in mail.content.decode()


@pytest.mark.parametrize("tags", [("nonsense", "order_problem"), ("Order-Problem", "O1")])
async def test_a_kind_is_a_known_tag_too(market: MarketEnv, tags: tuple[str, ...]) -> None:  # R-ADR-05
    await put_order(market, market.pair, "O1")
    await market.send(SELLER, *tagged(market.buyer_alias, *tags))
    assert (await only_message(market)).kind == Kind.ORDER_PROBLEM


async def test_a_tag_of_another_pairs_order_is_unknown(market: MarketEnv) -> None:  # R-ADR-05, R-ADR-09
    other = await another_pair(market)
    await put_order(market, other, "O9")
    await put_order(market, market.pair, "O1")
    both = tagged(market.buyer_alias, "O9", "O1"), tagged(other.buyer.alias.address, "O1", "O9")
    await market.send(SELLER, *both[0], *both[1])
    summaries = {one.pair_id: one for one in await market.store.records.messages()}
    assert summaries[market.pair.id].order_external_id == "O1"
    assert summaries[other.id].order_external_id == "O9"
    assert not any(one.detail.other_tags for one in summaries.values())


async def test_lmtp_answers_each_address_in_order(market: MarketEnv) -> None:  # R-IN-01, R-REW-05
    other = (await another_pair(market)).buyer.alias.address
    one, two = tagged(market.buyer_alias, "1", "2")
    check = f"check+{market.buyer_alias}"
    replies = await lmtp(market, one, other, two, check, market.seller_alias, f"nobody@{DOMAIN}", market.buyer_alias)
    texts = [reply.text for reply in replies]
    assert [reply.code for reply in replies] == [250, 250, 250, 250, 250, 550, 250]
    assert texts[0] == texts[2] == texts[4] == texts[6]
    assert len(set(texts)) == 4
    assert "checked" in texts[3]
    assert len(await market.store.records.messages()) == 4


async def lmtp(market: MarketEnv, *rcpt_to: str) -> list[Any]:
    peer = Peer(port=Port.LMTP, client_ip="192.0.2.1", helo="h.example", tls=True, trusted=True)
    content = f"From: {SELLER}\r\nSubject: x\r\n\r\nGood day\r\n".encode()
    incoming = Incoming(
        peer=peer,
        mail_from=SELLER,
        rcpt_to=rcpt_to,
        smtputf8=False,
        content=content,
        received_at=market.clock.now(),
    )
    return list(await market.intake.data(incoming))


async def test_merged_recipients_are_rejected_in_the_dialogue_together(market: MarketEnv) -> None:  # R-POL-16, R-REW-05
    await market.set_marketplace(reject_at_data=True)
    await opt_out(market, market.pair)
    to = [*tagged(market.buyer_alias, "1", "2"), market.seller_alias, market.buyer_alias]
    replies = await market.send(SELLER, *to)
    assert [(reply.code, reply.enhanced) for reply in replies] == [(550, "5.7.1")] * 4
    assert (await only_message(market)).state is MessageState.RETURNED
    assert await market.deliver_due() == []


async def test_merged_recipients_beside_one_that_is_relayed_get_a_notice(market: MarketEnv) -> None:
    # R-POL-16, R-IN-05
    await market.set_marketplace(reject_at_data=True)
    other = await another_pair(market)
    await opt_out(market, other)
    replies = await market.send(SELLER, *tagged(other.buyer.alias.address, "1", "2"), market.buyer_alias)
    assert [reply.code for reply in replies] == [250] * 3
    assert sorted(mail.rcpt_to for mail in await market.deliver_due()) == sorted([BUYER, SELLER])


SMALL = Policy(quotas=Quotas(seller_per_day=0, pair_per_day=1, buyer_per_day=0))


async def test_over_quota_a_login_is_put_off_for_all_its_recipients(market: MarketEnv) -> None:  # R-POL-11, R-REW-05
    await market.set_marketplace(policies=(SMALL,))
    other = (await another_pair(market)).buyer.alias.address
    to = [*tagged(market.buyer_alias, "1", "2"), other, market.seller_alias]
    first = await market.send(SELLER, *to, login=Role.SELLER)
    assert [reply.code for reply in first] == [250] * 4
    second = await market.send(SELLER, *to, login=Role.SELLER)
    assert [(reply.code, reply.enhanced) for reply in second] == [(450, "4.7.1")] * 4
    assert len({reply.text for reply in second}) == 1
    assert len(await market.deliver_due()) == 2


async def test_over_quota_for_one_recipient_alone_holds_its_mail(market: MarketEnv) -> None:  # R-POL-11, R-IN-05
    await market.set_marketplace(policies=(SMALL,))
    other = (await another_pair(market)).buyer.alias.address
    await market.send(SELLER, market.buyer_alias, login=Role.SELLER)
    replies = await market.send(SELLER, *tagged(market.buyer_alias, "1", "2"), other, login=Role.SELLER)
    assert [reply.code for reply in replies] == [250] * 3
    assert ["held" in reply.text for reply in replies] == [True, True, False]


async def test_an_address_that_both_sides_once_listed_loses_no_mail(market: MarketEnv) -> None:  # R-REW-05, R-SND-03
    market.services.authenticator = Aligned()
    for role in Role:
        await market.store.senders.put(market.pair.side(role).party.id, HELPER, SenderState.RETIRED)
    replies = await market.send(HELPER, market.buyer_alias, market.seller_alias, trusted=False)
    assert [reply.code for reply in replies] == [250, 250]
    assert replies[0].text == replies[1].text
    summary = await only_message(market)
    events = [event.type for event in await market.store.records.history(summary.id)]
    assert events.count(EventType.COPY_MERGED) == 1


class WatchedWorkers(ThreadWorkers):
    """Workers that remember the names of what they did, and for whom."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str]] = []

    async def run(self, party: str, content: bytes, work: Callable[[*A], T], *args: *A) -> T:
        self.done.append((party, getattr(work, "__name__", "")))
        return await super().run(party, content, work, *args)


async def buyers(market: MarketEnv, count: int) -> list[str]:
    """Returns the aliases of as many buyers of the seller."""
    aliases = [market.buyer_alias]
    for number in range(1, count):
        buyer = await market.store.parties.put("market", Role.BUYER, f"C{number}", mailbox=f"c{number}@phone.example")
        seller_id = market.pair.seller.party.id
        pair = await market.store.pairs.put("market", buyer.id, seller_id, dict.fromkeys(Role, DOMAIN))
        aliases.append(pair.buyer.alias.address)
    return aliases


@pytest.mark.parametrize(("recipients", "words", "is_heavy"), [(1, 100, False), (1, 2_000, True), (40, 100, True)])
async def test_size_times_recipients_decides_where_a_mail_is_judged(
    market: MarketEnv, recipients: int, words: int, is_heavy: bool
) -> None:  # R-IN-06
    market.services.workers = workers = WatchedWorkers()
    await market.set_marketplace(policies=(Policy(quotas=Quotas(seller_per_day=0)),))
    await market.send(SELLER, *await buyers(market, recipients), body="Good day, the table is ready. " * words)
    seller = market.pair.seller.party.id
    assert workers.done == [(seller, "decide"), (seller, "rewrite")] * recipients * is_heavy


async def test_a_heavy_mail_to_many_tags_is_judged_once(market: MarketEnv) -> None:  # R-IN-06, R-REW-05
    market.services.workers = workers = WatchedWorkers()
    tags = tagged(market.buyer_alias, *map(str, range(100)))
    check = f"check+{market.buyer_alias}"
    await market.send(SELLER, *tags, market.buyer_alias, *tags, check, check, body="<style>" * 20_000)
    assert [name for _, name in workers.done] == ["decide", "rewrite"] * 2  # the mail, and the check


class Proving(SessionAuthenticator):
    """Authentication that proves each From."""

    async def authenticate(self, incoming: Incoming, from_address: str, root: Part) -> Authentication:
        return Authentication(proof=Proof.ALIGNED)


@pytest.mark.parametrize(("sender", "registered"), [(SELLER, True), ("stranger@elsewhere.example", False)])
async def test_strangers_share_one_place_among_the_workers(
    market: MarketEnv, sender: str, registered: bool
) -> None:  # R-IN-06
    market.services.workers = workers = WatchedWorkers()
    market.services.authenticator = Proving()
    await market.send(sender, market.buyer_alias, trusted=False, body="Good day. " * 200_000)
    parties = ["c00002/24", *[market.pair.seller.party.id if registered else "strangers c00002/24"] * 2]
    assert workers.done == list(zip(parties, ["split", "decide", "rewrite"], strict=True))


async def test_a_login_names_its_party_to_the_workers_from_the_start(market: MarketEnv) -> None:  # R-IN-06
    market.services.workers = workers = WatchedWorkers()
    await market.send(SELLER, market.buyer_alias, login=Role.SELLER, body="Good day. " * 200_000)
    assert {party for party, _ in workers.done} == {market.pair.seller.party.id}


class OverwhelmedWorkers(ThreadWorkers):
    """Workers that a message has ended too often at one step."""

    def __init__(self, step: str) -> None:
        self.step = step

    async def run(self, party: str, content: bytes, work: Callable[[*A], T], *args: *A) -> T:
        if getattr(work, "__name__", "") == self.step:
            raise TooHeavyError
        return await super().run(party, content, work, *args)


@pytest.mark.parametrize("step", ["split", "decide", "rewrite"])
async def test_a_message_that_ends_each_worker_is_refused_and_recorded(market: MarketEnv, step: str) -> None:
    # R-IN-06, R-IN-10
    market.services.workers = OverwhelmedWorkers(step)
    other = (await another_pair(market)).buyer.alias.address
    to = market.buyer_alias, other, market.seller_alias, f"postmaster@{DOMAIN}"
    replies = await market.send(SELLER, *to, body="Good day. " * 200_000)
    assert [(one.code, one.enhanced) for one in replies] == [(554, "5.6.0")] * 3 + [(250, "2.0.0")]
    assert "takes too much time" in replies[0].text
    states = Counter(one.state for one in await market.store.records.messages())
    assert states == {MessageState.REFUSED: 3, MessageState.QUEUED: 1}


async def test_a_reload_in_the_middle_of_a_message_changes_its_policy_for_none(market: MarketEnv) -> None:  # R-POL-15
    other = (await another_pair(market)).buyer.alias.address
    await market.set_marketplace(policies=(Policy(version="before"),))
    store = market.services.store

    class ReloadingPairs(CountedPart):
        async def by_alias(self, *name: str) -> Pair | None:
            await market.set_marketplace(policies=(Policy(version="after"),))
            return await store.pairs.by_alias(*name)

    class ReloadingStore(CountedStore):
        def __getattr__(self, name: str) -> Any:
            return ReloadingPairs(self, name, store.pairs) if name == "pairs" else super().__getattr__(name)

    market.services.store = ReloadingStore(store)
    await market.send(SELLER, market.buyer_alias, other, f"{'a' * 16}@{DOMAIN}")
    versions = [one.policy_version for one in await store.records.messages()]
    assert versions == ["before"] * 3
    await market.send(SELLER, market.buyer_alias)
    assert "after" in {one.policy_version for one in await store.records.messages()}
