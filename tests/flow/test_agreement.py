"""What a simulation says, what a check answers and what the relay then does are one judgement (R-POL-01, R-POL-19)."""

import asyncio
import itertools
import sqlite3
from collections.abc import Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, replace
from email import policy as mail_policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.model.facts import Scan, ScanOutcome
from relay.core.model.kind import Kind
from relay.core.model.message import Incoming, Peer, Port
from relay.core.model.optout import OptOut
from relay.core.model.order import FulfilledBy, OrderUpdate
from relay.core.model.party import PartyState, Role, SettingsUpdate
from relay.core.model.policy import (
    ActionByKind,
    Attachments,
    Content,
    ContentAction,
    Hours,
    Policy,
    Quotas,
    Senders,
    Threads,
)
from relay.core.model.sender import SenderState
from relay.flow import accept, judge
from relay.ports import MessageSummary, Misuse, MisuseCause
from relay.steps.outcomes import JudgedResult, RecipientResult, Refused
from relay.steps.quota import QUOTAS
from tests.support.market_env import DOMAIN, MarketEnv, market_env

TWO_DAYS = 2 * 86_400
_PDF = b"%PDF-1.7\n1 0 obj <<>> endobj\n%%EOF\n"
_EXE = b"MZ\x90\0" + bytes(60) + b"PE\0\0"


@dataclass(frozen=True)
class DrawnMail:
    subject: str
    sentences: Sequence[str]
    attachment: tuple[str, bytes] | None
    html: str
    tag: str
    fields: dict[str, str]
    in_thread: str


@dataclass(frozen=True)
class Situation:
    """What has happened before the mail comes."""

    author: Role
    registered: bool
    sender_state: SenderState | None
    login: bool
    opt_out: tuple[bool, Kind | None] | None
    order: FulfilledBy | None
    product_support: bool
    states: tuple[PartyState, PartyState]
    misuse: int
    earlier: Sequence[Role]
    pause_s: int
    scan: ScanOutcome
    policy: Policy


_ACTIONS = st.sampled_from(ContentAction)
_RULES = st.builds(ActionByKind, action=_ACTIONS, kinds=st.dictionaries(st.sampled_from(Kind), _ACTIONS, max_size=1))
_CLEAN_ACTIONS = st.sampled_from([ContentAction.STRIP, ContentAction.RETURN])

drawn_mails = st.builds(
    DrawnMail,
    subject=st.sampled_from(
        [
            "About the table",
            "[Important] your address",
            "Re: 【重要】ご住所について",
            "[Important notice] sale",
            "Additional information required",
            "追加の情報が必要です",
        ]
    ),
    sentences=st.lists(
        st.sampled_from(
            [
                *["Thank you.", "It is on its way.", "How are you?"] * 4,
                "[Important] in the text.",
                "Write to me at other@elsewhere.example please.",
                "Call me: 090-1234-5678.",
                "Write to name at domain dot com.",
                "See https://shop.elsewhere.example/sale today.",
                "https://www.kuronekoyamato.co.jp/track/1234 has it.",
                "50% off all plates, buy now! Sale ends soon. Use coupon code PLATES.",
                "Your order has been shipped.",
            ]
        ),
        max_size=3,
    ),
    attachment=st.sampled_from(
        [*[None] * 6, ("bill.pdf", _PDF), ("bill.pdf", _EXE), ("tool.exe", _EXE), ("note.txt", b"x\n" * 300)]
    ),
    html=st.sampled_from(
        [
            *[""] * 4,
            '<p>Hello</p><img src="https://t.elsewhere.example/p.gif" width="1" height="1">',
            '<a href="https://shop.elsewhere.example/"><img src="cid:logo"></a>',
        ]
    ),
    tag=st.sampled_from(["", "order", "address_check", "promotion", "nonsense"]),
    fields=st.sampled_from(
        [{}, {}, {}, {}, {"X-Relay-Kind": "order_problem"}, {"Auto-Submitted": "auto-replied"}, {"Precedence": "bulk"}]
    ),
    in_thread=st.sampled_from(["", "theirs", "somebody's"]),
)
policies = st.builds(
    Policy,
    quotas=st.builds(Quotas, pair_per_day=st.sampled_from([0, 1, 2])),
    senders=st.builds(Senders, pending=st.sampled_from([0, 1, 10])),
    hours=st.builds(Hours, quiet=st.sampled_from(["", "22:00-12:00"]), delay_s=st.sampled_from([0, 600])),
    threads=st.builds(Threads, close_s=st.sampled_from([0, TWO_DAYS - 60])),
    attachments=st.builds(Attachments, action=_ACTIONS, total_bytes=st.sampled_from([100, 10_000_000])),
    content=st.builds(
        Content,
        links=_RULES,
        logos=_RULES,
        pixels=st.builds(ActionByKind, action=_CLEAN_ACTIONS),
        contact=_RULES,
        disguised_contact=_RULES,
        promotion=_RULES,
        status_copy=_RULES,
    ),
)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    return Situation(
        author=draw(st.sampled_from([Role.SELLER, Role.SELLER, Role.BUYER])),
        registered=draw(st.sampled_from([True, True, True, False])),
        sender_state=draw(st.sampled_from([*[None] * 4, *SenderState])),
        login=draw(st.booleans()),
        opt_out=draw(st.none() | st.tuples(st.booleans(), st.none() | st.sampled_from([Kind.OTHER, Kind.REPLY]))),
        order=draw(st.none() | st.sampled_from(FulfilledBy)),
        product_support=draw(st.booleans()),
        states=draw(st.sampled_from([*[(PartyState.ACTIVE, PartyState.ACTIVE)] * 18, *_OUT_OF_ORDER])),
        misuse=draw(st.sampled_from([0, 3, 7, 12])),
        earlier=draw(st.lists(st.sampled_from(Role), max_size=2)),
        pause_s=draw(st.sampled_from([60, TWO_DAYS])),
        scan=draw(st.sampled_from([*[ScanOutcome.CLEAN] * 9, *ScanOutcome])),
        policy=draw(policies),
    )


_OUT_OF_ORDER = (
    (PartyState.SUSPENDED, PartyState.ACTIVE),
    (PartyState.ACTIVE, PartyState.CLOSED),
)


class _Scanner:
    name = "scanner"

    def __init__(self, outcome: ScanOutcome) -> None:
        self._outcome = outcome

    async def scan(self, content: bytes) -> Scan | None:
        return Scan(scanner=self.name, outcome=self._outcome, found="Test")

    async def close(self) -> None:
        pass


async def newcomers(market: MarketEnv, number: int) -> MarketEnv:
    """Returns the same market with a new buyer and a new seller."""
    parties = {}
    for role, mailbox in (
        (Role.BUYER, f"hanako{number}@phone.example"),
        (Role.SELLER, f"shop{number}@pottery.example"),
    ):
        parties[role] = await market.store.parties.put("market", role, f"{role}{number}", mailbox=mailbox, locale="en")
    pair = await market.store.pairs.put(
        "market", parties[Role.BUYER].id, parties[Role.SELLER].id, dict.fromkeys(Role, DOMAIN)
    )
    return replace(market, pair=pair)


async def arrange(market: MarketEnv, situation: Situation) -> None:
    store, pair = market.store, market.pair
    buyer, seller = pair.buyer.party, pair.seller.party
    await market.set_marketplace(policies=(Policy(),))
    market.services.scanners = ()
    for role in (*situation.earlier, *[Role.SELLER] * bool(situation.misuse)):
        author = pair.side(role)
        assert author.mailbox
        await market.send(
            author.mailbox, pair.side(role.other).alias.address, Message_ID=f"<{author.party.id}@mail.example>"
        )
        market.clock.forward(1)
    if situation.misuse:
        [marked, *_] = await store.records.messages()
        await store.limits.add_misuse(
            Misuse(
                message_id=marked.id,
                seller_id=seller.id,
                cause=MisuseCause.NOT_IMPORTANT,
                points=situation.misuse,
                at=market.clock.now(),
            )
        )
    if situation.opt_out:
        this_seller, kind = situation.opt_out
        seller_id = seller.id if this_seller else None
        scope = OptOut(buyer_id=buyer.id, seller_id=seller_id, kind=kind, source="page", changed_at=market.clock.now())
        await store.opt_outs.put(scope, out=True)
    if situation.order:
        external_id = f"A-{pair.id}"
        await store.orders.put(
            OrderUpdate(marketplace_id="market", pair_id=pair.id, external_id=external_id, fulfilled_by=situation.order)
        )
    supports = SettingsUpdate(product_support=situation.product_support)
    seller_state, buyer_state = situation.states
    await store.parties.put("market", Role.SELLER, seller.external_ref, state=seller_state, settings=supports)
    await store.parties.put("market", Role.BUYER, buyer.external_ref, state=buyer_state)
    if situation.sender_state:
        await store.senders.put(pair.side(situation.author).party.id, sender(market, situation), situation.sender_state)
    market.services.scanners = (_Scanner(situation.scan),)
    await market.set_marketplace(policies=(situation.policy,))
    market.clock.forward(situation.pause_s)


def sender(market: MarketEnv, situation: Situation) -> str:
    author = market.pair.side(situation.author)
    assert author.mailbox
    return author.mailbox if situation.registered else f"helper.{author.mailbox}"


def incoming(market: MarketEnv, situation: Situation, drawn: DrawnMail) -> Incoming:
    message = EmailMessage(policy=mail_policy.SMTP)
    author, to = market.pair.side(situation.author), market.pair.side(situation.author.other)
    message["From"], message["To"], message["Subject"] = sender(market, situation), to.alias.address, drawn.subject
    for name, value in drawn.fields.items():
        message[name] = value
    if drawn.in_thread:
        theirs = f"<{to.party.id}@mail.example>"
        message["In-Reply-To"] = theirs if drawn.in_thread == "theirs" else "<other@mail.example>"
    message.set_content("Good day\n" + "\n".join(drawn.sentences))
    if drawn.html:
        message.add_alternative(drawn.html, subtype="html")
    if drawn.attachment:
        name, content = drawn.attachment
        message.add_attachment(content, maintype="application", subtype="pdf", filename=name)
    peer = Peer(
        port=Port.SUBMISSION if situation.login else Port.MX,
        client_ip="192.0.2.77",
        helo="desk.home.example",
        tls=True,
        login_party_id=author.party.id if situation.login else None,
        trusted=not situation.login,
    )
    tag = f"A-{market.pair.id}" if drawn.tag == "order" else drawn.tag
    local_part, _, domain = to.alias.address.partition("@")
    return Incoming(
        peer=peer,
        mail_from=sender(market, situation),
        rcpt_to=(f"{local_part}+{tag}@{domain}" if tag else to.alias.address,),
        smtputf8=False,
        content=bytes(message),
        received_at=market.clock.now(),
    )


def dump(directory: Path) -> list[str]:
    """All that the store holds."""
    with closing(sqlite3.connect(f"file:{directory / 'relay.db'}?mode=ro", uri=True)) as database:
        return list(database.iterdump())


def foretold(judged: RecipientResult) -> tuple[str, list[str], list[str]]:
    """Action, reason codes and codes of warnings, as the record has them."""
    if isinstance(judged, JudgedResult):
        verdict = judged.judgement.verdict
        warnings = [str(one.code) for one in verdict.warnings]
        return str(verdict.action), [str(one.code) for one in verdict.reasons], warnings
    assert isinstance(judged, Refused)
    return "refuse", [str(judged.reason.code)], []


def recorded(summary: MessageSummary) -> tuple[str, list[str], list[str]]:
    detail = summary.detail
    return str(detail.action), list(detail.reason_codes), list(detail.warnings)


async def newest(market: MarketEnv, before: set[str]) -> MessageSummary:
    [summary] = [one for one in await market.store.records.messages(limit=10_000) if one.id not in before]
    before.add(summary.id)
    return summary


async def check_agreement(directory: Path, market: MarketEnv, situation: Situation, drawn: DrawnMail) -> None:
    await arrange(market, situation)
    mail = incoming(market, situation, drawn)
    asked = replace(mail, rcpt_to=(f"check+{mail.rcpt_to[0]}",))
    known = {one.id for one in await market.store.records.messages(limit=10_000)}
    before = dump(directory)

    [first] = (await judge(market.services, mail)).recipients
    [again] = (await judge(market.services, mail)).recipients
    [check] = (await judge(market.services, asked)).recipients
    assert dump(directory) == before
    assert type(first) is type(again)
    if isinstance(first, JudgedResult) and isinstance(again, JudgedResult):
        one, other = first.judgement, again.judgement
        assert (one.facts, one.writer, one.verdict) == (other.facts, other.writer, other.verdict)
    else:
        assert foretold(first) == foretold(again)

    await accept(market.services, asked)
    answered = await newest(market, known)
    await accept(market.services, mail)
    done = await newest(market, known)

    assert recorded(done) == foretold(first)
    action, reasons, warnings = foretold(check)
    assert recorded(answered) == (action if action == "refuse" else "check", reasons, warnings)
    if action == "hold" and reasons[0] in QUOTAS and situation.login:
        action, reasons, warnings = "refuse", reasons[:1], []  # said as 450 in the dialogue (R-POL-11)
    assert (action, reasons, warnings) == recorded(done)


@pytest.mark.parametrize("examples", [40, pytest.param(150, marks=[pytest.mark.more, pytest.mark.timeout(600)])])
def test_simulation_check_and_live_path_agree_and_judging_writes_nothing(tmp_path: Path, examples: int) -> None:
    # R-POL-01 R-POL-19
    numbers = itertools.count()
    with asyncio.Runner() as runner:
        opened = AsyncExitStack()
        market = runner.run(opened.enter_async_context(market_env(tmp_path)))

        @given(situation=situations(), drawn=drawn_mails)
        @settings(max_examples=examples, deadline=None)
        def agree(situation: Situation, drawn: DrawnMail) -> None:
            fresh = runner.run(newcomers(market, next(numbers)))
            runner.run(check_agreement(tmp_path, fresh, situation, drawn))

        try:
            agree()
        finally:
            runner.run(opened.aclose())
