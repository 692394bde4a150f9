"""The order that a mail is about: each evidence in its turn, and all that follows from the order (R-ADR-05)."""

from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest

from relay.core.model.order import FulfilledBy, Order, OrderEvidence, OrderUpdate
from relay.core.model.party import Role
from relay.core.model.policy import Policy, Threads
from relay.core.model.standing import Standing
from relay.steps.gather import reach
from tests.support.market_env import BUYER, DOMAIN, SELLER, MarketEnv, parsed

DAY = 86_400
TAG, SUBJECT, TEXT, THREAD, ONLY_OPEN = OrderEvidence


async def put(market: MarketEnv, external_id: str, **more: Any) -> Order:
    update = OrderUpdate(marketplace_id="market", pair_id=market.pair.id, external_id=external_id)
    return await market.store.orders.put(replace(update, **more))


async def two_orders(market: MarketEnv) -> None:
    for name in ("250-1001", "250-1002"):
        await put(market, name)


async def evidence(market: MarketEnv) -> tuple[str | None, OrderEvidence | None]:
    summary = await market.newest()
    return summary.order_external_id, summary.detail.order_evidence


async def ask(market: MarketEnv, *, tag: str = "", **fields: Any) -> EmailMessage:
    """Sends a mail of the buyer, and returns it as the seller gets it."""
    await market.send(BUYER, market.seller_alias.replace("@", f"{tag}@"), **fields)
    [mail] = [mail for mail in await market.deliver_due() if mail.rcpt_to == SELLER]
    return parsed(mail)


async def answer(market: MarketEnv, to: EmailMessage, **fields: Any) -> list[EmailMessage]:
    """Sends an answer of the seller, and returns all mail that follows."""
    await market.send(SELLER, market.buyer_alias, In_Reply_To=to["Message-ID"], References=to["Message-ID"], **fields)
    return [parsed(mail) for mail in await market.deliver_due()]


@pytest.mark.parametrize(
    ("tag", "subject", "body", "expected"),
    [
        ("+250-1002", "About 250-1001", "and 250-1001", ("250-1002", TAG)),
        ("+O9", "About 250-1001", "and 250-1002", ("250-1001", SUBJECT)),
        ("+address_check", "Address", "for 250-1002", ("250-1002", TEXT)),
        ("", "250-1002 か 250-1001 の件", "250-1001", ("250-1002", SUBJECT)),
        ("", "Question", "When will 250-1002 come?", ("250-1002", TEXT)),
        ("", "Question", "OK\n\n> When will 250-1002 come?", (None, None)),
        ("", "Question", "When?", (None, None)),
        ("", "Question", "When will 250-1003 come?", (None, None)),
    ],
)
async def test_a_mail_names_its_order(
    market: MarketEnv, tag: str, subject: str, body: str, expected: tuple[str | None, OrderEvidence | None]
) -> None:
    await two_orders(market)
    await ask(market, tag=tag, Subject=subject, body=body)
    assert await evidence(market) == expected


async def test_a_tag_of_an_order_counts_behind_a_tag_of_a_kind(market: MarketEnv) -> None:
    await two_orders(market)
    addresses = [market.buyer_alias.replace("@", f"+{tag}@") for tag in ("address_check", "250-1002")]
    await market.send(SELLER, *addresses, Subject="250-1001")
    assert await evidence(market) == ("250-1002", TAG)


async def test_an_answer_belongs_to_the_order_of_its_thread(market: MarketEnv) -> None:
    await two_orders(market)
    question = await ask(market, Subject="250-1001", body="When?")
    await answer(market, question, Subject="Re: your question", body="Tomorrow.")
    assert await evidence(market) == ("250-1001", THREAD)
    await answer(market, question, Subject="Re: 250-1001", body="Tomorrow.")
    assert await evidence(market) == ("250-1001", SUBJECT)
    assert (await market.newest()).detail.thread_order is None


@pytest.mark.parametrize("subject", ["Re: 250-1001", "Re: When?"])
async def test_a_text_about_another_order_links_the_thread_to_it(market: MarketEnv, subject: str) -> None:
    await two_orders(market)
    question = await ask(market, Subject="250-1001", body="When?")
    [linked] = await answer(market, question, Subject=subject, body="250-1002 も一緒に送ります。\n\n> 250-1001")
    assert await evidence(market) == ("250-1002", TEXT)
    assert (await market.newest()).detail.thread_order == "250-1001"
    # The next answer in the thread follows the newest message, not the first one.
    references = f"{question['Message-ID']} {linked['Message-ID']}"
    await market.send(BUYER, market.seller_alias, Subject="Re: When?", References=references, body="Thanks")
    assert await evidence(market) == ("250-1002", THREAD)


async def test_a_new_subject_in_a_thread_counts_more_than_the_thread(market: MarketEnv) -> None:
    await two_orders(market)
    question = await ask(market, Subject="250-1001", body="When?")
    await answer(market, question, Subject="250-1002 (was: 250-1001)", body="250-1001 is sent.")
    assert await evidence(market) == ("250-1002", SUBJECT)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (("",), ("A-1", ONLY_OPEN)),
        (("Completed", "shipped"), ("A-2", ONLY_OPEN)),
        (("キャンセル", "発送済み", "完了"), ("A-2", ONLY_OPEN)),
        (("paid", "shipped"), (None, None)),
        (("closed",), (None, None)),
        ((), (None, None)),
    ],
)
async def test_the_only_open_order_is_meant(
    market: MarketEnv, states: tuple[str, ...], expected: tuple[str | None, OrderEvidence | None]
) -> None:
    for number, state in enumerate(states, 1):
        await put(market, f"A-{number}", state=state)
    await ask(market)
    assert await evidence(market) == expected


async def test_a_marketplace_names_its_own_states(market: MarketEnv) -> None:
    await market.set_marketplace(ended_order_states=frozenset({"Archiviert"}))
    await put(market, "A-1", state="ARCHIVIERT")
    await put(market, "A-2", state="closed")
    await put(market, "A-3", state="cancelled")  # by `relay order cancel`
    await ask(market)
    assert await evidence(market) == ("A-2", ONLY_OPEN)


async def test_another_pairs_order_is_never_found(market: MarketEnv) -> None:
    second = await market.store.parties.put("market", Role.BUYER, "B2", mailbox="second@phone.example")
    other = await market.store.pairs.put("market", second.id, market.pair.seller.party.id, dict.fromkeys(Role, DOMAIN))
    await put(market, "777-0001", pair_id=other.id)
    await two_orders(market)
    with_name = await ask(market, Subject="777-0001", body="777-0001")
    assert await evidence(market) == (None, None)
    without = await ask(market, Subject="777-0002", body="777-0002")
    bodies = [mail.get_content().replace("777-0002", "777-0001") for mail in (with_name, without)]
    assert [body.partition(".:---")[0] for body in bodies] == [bodies[0].partition(".:---")[0]] * 2


# ---------------------------------------------------------------- threads (R-POL-18)


async def test_a_closed_thread_shuts_out_no_mail_about_another_order(market: MarketEnv) -> None:
    await put(market, "250-1001")
    first = await ask(market, Subject="250-1001", body="When?")
    market.clock.forward(181 * DAY)
    [notice] = await answer(market, first, body="late")
    assert "thread_closed" in notice.as_string()
    await put(market, "250-9998")
    several: tuple[dict[str, Any], ...] = (
        {"Subject": "ご注文 250-9998 の発送について"},
        {"body": "ご注文 250-9998 の色はどちらにしますか。"},
        {},
    )
    for fields in several:
        await market.send(SELLER, market.buyer_alias, **fields)
        assert [mail.rcpt_to for mail in await market.deliver_due()] == [BUYER]
        assert (await market.newest()).order_external_id == "250-9998"
    # A text about the new order passes in the old thread too.
    [mail] = await answer(market, first, body="250-9998 is on its way.")
    assert mail["To"] == BUYER


async def test_an_unnamed_mail_passes_while_an_order_is_new(market: MarketEnv) -> None:
    await put(market, "250-1001")
    await ask(market, Subject="250-1001", body="When?")
    market.clock.forward(181 * DAY)
    for name in ("250-2001", "250-2002"):
        await put(market, name)
    await ask(market)
    assert await evidence(market) == (None, None)


async def test_a_closed_order_says_how_to_name_another_one(market: MarketEnv) -> None:
    await put(market, "250-1001")
    await ask(market, Subject="250-1001", body="When?")
    market.clock.forward(181 * DAY)
    await market.send(SELLER, market.buyer_alias, Subject="250-1001")
    [notice] = await market.deliver_due()
    assert notice.rcpt_to == SELLER
    text = parsed(notice).get_body()
    assert isinstance(text, EmailMessage)
    assert "thread_closed" in text.get_content()
    assert "If the message is about another order, put that order's number in the subject." in text.get_content()


async def test_mail_that_names_an_order_keeps_only_its_thread_open(market: MarketEnv) -> None:
    await two_orders(market)
    await ask(market, Subject="250-1001", body="When?")
    market.clock.forward(100 * DAY)
    await ask(market, Subject="250-1002", body="When?")
    market.clock.forward(100 * DAY)
    await market.send(BUYER, market.seller_alias, Subject="250-1001")
    await market.send(BUYER, market.seller_alias, Subject="250-1002")
    await market.send(BUYER, market.seller_alias, Subject="Hello")
    assert sorted(mail.rcpt_to for mail in await market.deliver_due()) == [BUYER, SELLER, SELLER]
    assert await evidence(market) == ("250-1002", ONLY_OPEN)


async def test_held_mail_about_an_unnamed_order_is_rechecked_by_the_same_rule(market: MarketEnv) -> None:
    await market.set_marketplace(policies=(Policy(version="short", threads=Threads(close_s=10 * DAY)),))
    await put(market, "250-1001")
    await ask(market, Subject="250-1001", body="When?")
    market.clock.forward(11 * DAY)
    for name in ("250-2001", "250-2002"):
        await put(market, name)
    await market.send("new@phone.example", market.seller_alias, login=Role.BUYER)
    [held] = await market.store.records.messages(limit=1)
    assert held.state == "held"
    assert await market.store.holds.release(held.id, "dana")
    assert SELLER in [mail.rcpt_to for mail in await market.deliver_due()]


async def test_the_answer_before_writing_knows_the_only_open_order(market: MarketEnv) -> None:  # R-POL-19
    order = await put(market, "250-1001", fulfilled_by=FulfilledBy.OPERATOR)
    await put(market, "250-1002", state="closed")
    marketplace = market.services.marketplaces.by_id["market"]

    async def answered(about: Order | None) -> Standing:
        return await reach(market.store, marketplace, market.pair, about, market.clock.now())

    assert await answered(None) is await answered(order) is Standing.CLOSED


# ---------------------------------------------------------------- fulfilment, footer, notice


async def test_an_order_that_the_operator_fulfils_is_found_by_its_name(market: MarketEnv) -> None:  # R-POL-13
    await put(market, "250-1001", fulfilled_by=FulfilledBy.OPERATOR)
    await put(market, "250-1002")
    await market.send(BUYER, market.seller_alias, body="注文番号250-1001はいつ届きますか")
    await market.send(BUYER, market.seller_alias, body="注文番号250-1002はいつ届きますか")
    assert sorted(mail.rcpt_to for mail in await market.deliver_due()) == ["ops@operator.example", SELLER]
    await market.send(SELLER, market.buyer_alias, Subject="250-1001")
    [notice] = await market.deliver_due()
    assert "channel_off" in notice.content.decode("ascii")


async def test_the_footer_has_the_order_and_the_address_for_it(market: MarketEnv) -> None:
    await two_orders(market)
    mail = await ask(market, Subject="Hello", body="When will 250-1002 come?")
    footer = mail.get_content().partition(".:---")[2]
    tagged = market.buyer_alias.replace("@", "+250-1002@")
    assert "Order 250-1002" in footer
    assert f"About this order, write to {tagged} or put the order number in the subject." in footer
    # The address that the footer gives is one that the relay takes.
    await market.send(SELLER, tagged)
    assert await evidence(market) == ("250-1002", TAG)


async def test_a_japanese_reader_reads_it_in_japanese(market: MarketEnv) -> None:
    await two_orders(market)
    await market.send(SELLER, market.buyer_alias, Subject="250-1002")
    await market.send(SELLER, market.buyer_alias, Subject="Hello")
    named, unnamed = [parsed(mail).get_content() for mail in await market.deliver_due()]
    tagged = market.seller_alias.replace("@", "+250-1002@")
    assert f"この注文についてのご連絡は、{tagged} 宛てにするか、件名に注文番号をお書きください。" in named
    assert "注文についてのご連絡は、件名に注文番号をお書きください。" in unnamed


@pytest.mark.parametrize("external_id", ["ORD 2026 77", "注文-77-1001", "7" * 60])
async def test_an_id_that_no_address_can_hold_is_named_in_the_subject(market: MarketEnv, external_id: str) -> None:
    await put(market, external_id)
    mail = await ask(market, Subject=external_id)
    assert "About an order, put its number in the subject." in mail.get_content()
    assert f"+{external_id}@" not in mail.get_content()


async def test_a_pair_without_orders_gets_no_advice_about_them(market: MarketEnv) -> None:
    assert "order" not in (await ask(market)).get_content().lower()


async def test_a_notice_has_the_order_that_the_text_names(market: MarketEnv) -> None:
    await two_orders(market)
    await market.set_marketplace(policies=(Policy(version="t", threads=Threads(close_s=60)),))
    await market.send(SELLER, market.buyer_alias, body="250-1002 was sent.")
    await market.deliver_due()
    market.clock.forward(timedelta(hours=1).total_seconds())
    await market.send(SELLER, market.buyer_alias, body="250-1002 has come?")
    [notice] = await market.deliver_due()
    text = parsed(notice).get_body()
    assert isinstance(text, EmailMessage)
    tagged = market.buyer_alias.replace("@", "+250-1002@")
    assert "Order: 250-1002" in text.get_content()
    assert f"Mail about this order: write to {tagged}" in text.get_content().replace("\n", " ")
