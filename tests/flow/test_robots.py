"""Two programs that answer each other stop, and people who answer by a help desk do not (R-POL-14, R-REC-08)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from relay.core.mail.mime import MimeLimits, split
from relay.core.mail.quotes import WrittenTexts
from relay.core.model.optout import OptOut
from relay.core.model.party import Role
from relay.core.model.policy import Policy
from relay.core.policy.automation import comparable
from relay.core.response import questions
from relay.housekeeping import Housekeeping
from relay.ports import Outgoing
from relay.steps import pace
from tests.support.market_env import BUYER, SELLER, START, MarketEnv, parsed

SHIPPED = Policy()
ACKNOWLEDGED = "We received your request. Your ticket number is {number}. Please wait for our answer."
ANSWERS = (
    "We have ordered the blue table for you. It leaves our house on Monday.",
    "The legs can be taken off, so it goes through a door of 70 cm.",
    "Yes, we take the old table with us. There is no fee for that.",
)

DESKS: dict[str, dict[str, str]] = {
    "Zendesk": {
        "Auto_Submitted": "auto-generated",
        "X_Auto_Response_Suppress": "All",
        "X_Mailer": "Zendesk Mailer",
        "X_Zendesk_From_Account_Id": "4f1c2a",
    },
    "Freshdesk": {
        "Auto_Submitted": "auto-generated",
        "X_Auto_Response_Suppress": "DR, RN, OOF, AutoReply",
        "X_SMTPAPI": '{"unique_args":{"email_type":"Ticket Reply"}}',
    },
    "Znuny": {
        "Precedence": "bulk",
        "X_Mailer": "Znuny Mail Service (6.5)",
        "X_Powered_By": "Znuny (https://www.znuny.org/)",
    },
    "Request Tracker": {
        "Precedence": "bulk",
        "Auto_Submitted": "auto-generated",
        "X_RT_Loop_Prevention": "desk.example",
        "RT_Ticket": "desk.example #17",
        "X_Managed_by": "RT 5.0.5 (http://www.bestpractical.com/rt/)",
    },
    "Redmine": {"Auto_Submitted": "auto-generated", "List_Id": "<desk.example>", "X_Redmine_Host": "desk.example"},
    "HubSpot": {"Precedence": "bulk", "List_Unsubscribe": "<https://desk.example/u>", "X_HS_Cid": "aa1"},
    "FreeScout": {"X_FreeScout_Mail_Type": "customer.message"},
    "Mailwise": {"X_Mailer": "Cybozu Mailwise"},
}
"""The fields of an agent's answer that each help desk adds."""


@pytest.fixture
async def market(market: MarketEnv) -> MarketEnv:
    await market.set_marketplace(policies=(SHIPPED,))
    return market


async def answer(
    market: MarketEnv, sender: str, alias: str, to: Outgoing, text: str, fields: Mapping[str, str]
) -> None:
    """Sends an answer to the mail `to`, with these further header fields (`_` for `-`)."""
    thread = str(parsed(to)["Message-ID"])
    all_fields: dict[str, Any] = {**fields, "In_Reply_To": thread, "References": thread, "body": text}
    await market.send(sender, alias, **all_fields)


async def relayed(market: MarketEnv, reader: str) -> Outgoing | None:
    """Returns the mail that was relayed to this mailbox now, or None."""
    found = [mail for mail in await market.deliver_due() if mail.rcpt_to == reader]
    assert len(found) <= 1
    return found[0] if found else None


async def asked(market: MarketEnv, text: str = "Can you deliver the table next week? It is for my mother.") -> Outgoing:
    await market.send(BUYER, market.seller_alias, body=text)
    mail = await relayed(market, SELLER)
    assert mail is not None
    return mail


async def answered(market: MarketEnv) -> list[bool]:
    """Returns for each question of the buyer whether it is answered, as the response clock sees it."""
    turns = await market.store.threads.turns(market.pair.seller.party.id, START.replace(year=2000))
    return [one.answered_at is not None for one in questions(turns, SHIPPED, market.clock.now())]


@pytest.mark.parametrize("desk", DESKS)
async def test_an_agent_who_answers_three_times_a_day_is_heard_each_time(market: MarketEnv, desk: str) -> None:
    now = market.clock.now()
    out = OptOut(buyer_id=market.pair.buyer.party.id, seller_id=None, kind=None, source="page", changed_at=now)
    await market.store.opt_outs.put(out, out=True)
    for number, text in enumerate(ANSWERS):
        question = await asked(market, f"{number}: I have another question about the table that I bought.")
        market.clock.forward(3_600)
        await answer(market, SELLER, market.buyer_alias, question, text, DESKS[desk])
        mail = await relayed(market, BUYER)
        assert mail is not None
        assert text.encode() in mail.content
    assert await answered(market) == [True] * 3


@pytest.mark.parametrize("seconds", [1, 90, 1_000])
@pytest.mark.parametrize("desk", DESKS)
async def test_two_desks_that_acknowledge_each_other_stop(market: MarketEnv, desk: str, seconds: int) -> None:
    mail: Outgoing | None = await asked(market)
    sides = ((SELLER, market.buyer_alias, BUYER), (BUYER, market.seller_alias, SELLER))
    is_numbered = "Auto_Submitted" in DESKS[desk] or "Precedence" in DESKS[desk]
    passed = 1
    while mail is not None and passed < 10:
        sender, alias, reader = sides[(passed - 1) % 2]
        market.clock.forward(seconds)
        text = ACKNOWLEDGED.format(number=passed if is_numbered else 7)
        await answer(market, sender, alias, mail, text, DESKS[desk])
        mail = await relayed(market, reader)
        passed += mail is not None
    assert passed <= 6


@pytest.mark.parametrize("fields", [{}, {"X_Auto_Response_Suppress": "All"}, {"Auto_Submitted": "auto-generated"}])
async def test_an_acknowledgement_within_a_minute_answers_no_question(
    market: MarketEnv, fields: dict[str, str]
) -> None:
    question = await asked(market)
    market.clock.forward(59)
    await answer(market, SELLER, market.buyer_alias, question, ACKNOWLEDGED, fields)
    assert await relayed(market, BUYER) is not None
    assert await answered(market) == [False]
    market.clock.forward(1)
    await answer(market, SELLER, market.buyer_alias, question, ANSWERS[0], fields)
    assert await relayed(market, BUYER) is not None
    assert await answered(market) == [True]


@pytest.mark.parametrize(
    "fields",
    [
        {"Subject": "Automatic reply: About the table"},
        {"Subject": "自動応答: テーブルについて"},
        {"Subject": "【自動返信】お問い合わせありがとうございます"},
        {"Subject": "Out of Office: About the table"},
        {"X_MS_Exchange_Generated_Message_Source": "Mailbox Rules Agent"},
        {"X_Autoreply": "yes"},
    ],
)
async def test_a_vacation_reply_is_known_by_its_form(market: MarketEnv, fields: dict[str, str]) -> None:
    question = await asked(market)
    market.clock.forward(3_600)
    for _ in range(2):
        await answer(market, SELLER, market.buyer_alias, question, ANSWERS[0], fields)
    assert await relayed(market, BUYER) is not None
    assert await answered(market) == [False]


@pytest.mark.parametrize("subject", ["不在通知が入っていました", "不在通知", "Re: Automatic reply: About the table"])
async def test_a_subject_that_people_write_is_no_vacation_reply(market: MarketEnv, subject: str) -> None:
    question = await asked(market)
    market.clock.forward(3_600)
    await answer(market, SELLER, market.buyer_alias, question, ANSWERS[0], {"Subject": subject})
    assert await answered(market) == [True]


async def test_people_may_repeat_short_texts(market: MarketEnv) -> None:
    for text in ("Thank you very much!", "ありがとうございます。") * 3:
        market.clock.forward(600)
        await asked(market, text)


async def test_a_text_is_compared_without_its_quotes_and_among_two_days_only(market: MarketEnv) -> None:
    texts = [f"{ANSWERS[0]}\n\nOn day {day} Hanako wrote:\n> question {day}\n" for day in range(4)]
    for wait_s, text, is_relayed in (
        (600, texts[0], True),
        (600, texts[1], True),
        (600, texts[2], False),
        (86_400 * 3, texts[3], True),
    ):
        market.clock.forward(wait_s)
        await market.send(SELLER, market.buyer_alias, body=text)
        assert (await relayed(market, BUYER) is not None) is is_relayed


async def test_a_text_to_one_buyer_says_nothing_about_another(market: MarketEnv) -> None:
    other = await market.store.parties.put("market", Role.BUYER, "B2", mailbox="taro@phone.example", locale="ja")
    pair = await market.store.pairs.put(
        "market", other.id, market.pair.seller.party.id, dict.fromkeys(Role, "market.example")
    )
    for alias in (market.buyer_alias, pair.buyer.alias.address) * 2:
        await market.send(SELLER, alias, body=ANSWERS[0])
    assert len([mail for mail in await market.deliver_due() if mail.rcpt_to != SELLER]) == 4


async def test_above_the_limit_of_an_hour_mail_is_held_and_the_operator_gets_one_mail(market: MarketEnv) -> None:
    limits = replace(SHIPPED.limits, pair_per_hour=4)
    await market.set_marketplace(policies=(replace(SHIPPED, limits=limits),))
    for number in range(6):
        sender, alias = (BUYER, market.seller_alias) if number % 2 else (SELLER, market.buyer_alias)
        await market.send(sender, alias, body=f"Message {number} of a long talk about the table that I bought.")
    assert len([mail for mail in await market.deliver_due() if parsed(mail)["Subject"] == "About the table"]) == 4
    for _ in range(2):
        await Housekeeping().staff(market.services)
    assert [mail.rcpt_to for mail in await market.deliver_due()] == ["ops@operator.example"]
    market.clock.forward(3_600)
    await market.send(BUYER, market.seller_alias, body="A message of the next hour about the table that I bought.")
    assert await relayed(market, SELLER) is not None


async def test_old_counters_are_deleted(market: MarketEnv) -> None:
    await asked(market)
    now = market.clock.now()
    kept = pace.counters(market.pair, pace.Marks(), now)
    assert await market.store.limits.used(kept) == [1]
    housekeeping = Housekeeping()
    market.clock.forward(86_400 * 30)
    await housekeeping.counts(market.services)
    assert await market.store.limits.used(kept) == [1]
    market.clock.forward(86_400)
    await housekeeping.counts(market.services)
    assert await market.store.limits.used(kept) == [0]


@pytest.mark.parametrize("piece", ["\n", "a", "ab ", "1a", "> :\n", "--- \n", "<blockquote ", "- "])
@pytest.mark.parametrize("content_type", ["text/plain", "text/html"])
def test_the_comparison_of_a_text_is_linear(piece: str, content_type: str) -> None:
    content = f"Content-Type: {content_type}\r\n\r\n{piece * (60_000 // len(piece))}".encode()
    compared(content)  # minutes if it were quadratic


REPEATED = "Thank you for your message. We have it, and answer within two working days."


@pytest.mark.parametrize(
    ("content_type", "quotes"),
    [
        ("text/plain", ["Am {day}.11.2026 um 10:0{day} schrieb Hanako:\n\n> Question {day}\n> and its end\n"]),
        ("text/plain", ["On Mon, Nov {day}, 2026, Hanako wrote:\nQuestion {day}\n"]),
        ("text/plain", ["2026年11月{day}日 花子:\n＞質問{day}\n", "\n-----Original Message-----\nQuestion {day}\n"]),
        ("text/plain", ["From: Hanako\nSent: {day} November\n\nQuestion {day}\n"]),
        ("text/html", ["<blockquote>{day}: Question {day}</blockquote>"]),
    ],
)
def test_what_a_robot_quotes_does_not_hide_that_it_repeats_itself(content_type: str, quotes: list[str]) -> None:
    header = f"Content-Type: {content_type}; charset=utf-8\r\n\r\n"
    texts = {
        compared(f"{header}{REPEATED}\n\n{''.join(quotes).format(day=day)}".replace("\n", "\r\n").encode())
        for day in (1, 2)
    }
    assert len(texts) == 1
    assert "twoworkingdays" in texts.pop()


def compared(content: bytes) -> str:
    texts = WrittenTexts(content, split(content, MimeLimits()))
    return comparable(texts, shortest_bytes=40, without_numbers=False)
