"""The operator's log and counters have one line per event of a message's life (R-UI-11).

Each reason has the same code in every place, and nothing names a person or repeats a text.
"""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import timedelta
from enum import Enum, auto
from typing import Any, cast, get_args

import pytest
from structlog import get_logger

from relay import flow
from relay.core.model.event import Event, EventData, EventType
from relay.core.model.item import ItemState
from relay.core.model.kind import Kind
from relay.core.model.message import Incoming, Peer, Port
from relay.core.model.optout import OptOut
from relay.core.model.party import PartyState, Role
from relay.core.model.policy import Policy, Quotas
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.reply import Reply
from relay.core.model.sender import SenderState
from relay.core.model.verdict import Action, Verdict
from relay.core.policy.stages import RULES
from relay.core.signed_link import Link, Purpose
from relay.ports import Delivery, Settlement, StoreFault, StoreUnavailableError
from relay.steps import record, settling
from relay.steps.event_log import LINES, SHOWN
from relay.steps.outcomes import Held, RecipientResult, Refused, Relayed, Returned
from relay.steps.reservations import Reservations
from relay.store.store import SqlStore
from tests.actions.action_env import SignedElsewhere
from tests.support.claims import claimed
from tests.support.fakes import CountingObserver
from tests.support.leaks import everywhere
from tests.support.log import CapturedLog, captured_log, documented, undocumented
from tests.support.market_env import BUYER, MX_IP, QUICK_HASHER, SELLER, MarketEnv
from tests.support.reports import delivery_report

UNLIMITED = Policy(quotas=Quotas(seller_per_day=0, pair_per_day=0, buyer_per_day=0))


@pytest.fixture
def log() -> Iterator[CapturedLog]:
    with captured_log() as log:
        yield log
    assert undocumented(log) == set()


@pytest.fixture
async def market(log: CapturedLog, market: MarketEnv) -> MarketEnv:
    """The market with its log captured, without the lines of its set-up."""
    log.stream.truncate(0)
    log.stream.seek(0)
    return market


def counted(market: MarketEnv, metric: str, **labels: str) -> int:
    observer = market.services.observer
    assert isinstance(observer, CountingObserver)
    return observer.of(metric, **labels)


def only(log: CapturedLog, event: str, **fields: object) -> dict[str, object]:
    [line] = log.lines(event, **fields)
    return line


def failed(code: int = 550, enhanced: str = "5.0.0", text: str = "no", **more: Any) -> Delivery:
    made = Delivery(
        accepted=False, permanent=True, code=code, enhanced=enhanced, text=text, phase="rcpt", host="mx", tls=""
    )
    return replace(made, **more)


# ---------------------------------------------------------------- the life of a message


async def test_a_relayed_message_has_one_line_when_it_is_taken_and_one_for_its_delivery(
    market: MarketEnv, log: CapturedLog
) -> None:
    await market.send(SELLER, market.buyer_alias)
    await market.deliver_due()
    [summary] = await market.store.records.messages()
    taken, delivered = log.lines()
    assert (taken["event"], delivered["event"]) == ("message_accepted", "delivery")
    assert taken["id"] == delivered["id"] == summary.id
    shown = {name: taken.get(name) for name in ("marketplace", "port", "by", "action", "policy", "level")}
    assert shown == {
        "marketplace": "market",
        "port": "mx",
        "by": "seller",
        "action": "relay",
        "policy": summary.policy_version,
        "level": "info",
    }
    assert taken["size_bytes"] == summary.size_bytes
    fields = ("kind", "state", "code", "enhanced", "phase", "host", "attempt")
    assert [delivered[name] for name in fields] == ["relay", "accepted", 250, "2.0.0", "end_of_data", "other", 1]
    assert counted(market, "messages", action="relay") == 1
    assert counted(market, "deliveries", kind="relay", state="accepted", reason="none") == 1


async def test_a_returned_message_says_why_and_so_does_its_notice(market: MarketEnv, log: CapturedLog) -> None:
    buyer_id, now = market.pair.buyer.party.id, market.clock.now()
    out = OptOut(buyer_id=buyer_id, seller_id=None, kind=None, source="page", changed_at=now)
    await market.store.opt_outs.put(out, out=True)
    await market.send(SELLER, market.buyer_alias)
    taken, notice = log.lines()
    assert (taken["event"], taken["action"], taken["reasons"]) == ("message_accepted", "return", ["opted_out"])
    assert (notice["event"], notice["type"], notice["reason"]) == ("notice_queued", "returned", "opted_out")
    assert taken["id"] == notice["id"]
    assert counted(market, "verdicts", action="return", reason="opted_out") == 1
    assert counted(market, "notices", type="returned", reason="opted_out") == 1


async def test_a_held_message_is_released_and_one_of_a_blocked_sender_returned(
    market: MarketEnv, log: CapturedLog
) -> None:
    seller_id = market.pair.seller.party.id
    for helper, state, line in (
        ("helper@pottery.example", SenderState.APPROVED, "message_released"),
        ("other@pottery.example", SenderState.BLOCKED, "message_returned"),
    ):
        await market.send(helper, market.buyer_alias, login=Role.SELLER)
        held = log.lines("message_accepted")[-1]
        assert (held["action"], held["reasons"]) == ("hold", ["sender_pending"])
        await market.store.senders.put(seller_id, helper, state)
        assert only(log, line)["id"] == held["id"]


async def test_a_persons_word_on_a_hold_has_a_line_without_their_name(market: MarketEnv, log: CapturedLog) -> None:
    for _ in range(2):
        await market.send("helper@pottery.example", market.buyer_alias, login=Role.SELLER)
    one, other = [line["id"] for line in log.lines("message_accepted")]
    await market.store.holds.release(str(one), by="Yamamoto")
    await market.store.holds.refuse(str(other), by="Yamamoto")
    assert only(log, "message_released", id=one)["by"] == "staff"
    assert only(log, "message_marked", id=other)["mark"] == "refused"
    assert "Yamamoto" not in log.text


async def test_a_refused_message_has_a_line_with_its_record(market: MarketEnv, log: CapturedLog) -> None:
    [reply] = await market.send("stranger@elsewhere.example", market.buyer_alias)
    assert reply.code == 550
    refused = only(log, "message_refused")
    assert refused["reasons"] == ["address_unknown"]
    assert (await market.store.records.messages())[0].id == refused["id"]
    assert counted(market, "refusals", stage="data", reason="address_unknown") == 1


async def test_a_recipient_refused_to_a_login_has_a_line_and_a_guess_is_counted(
    market: MarketEnv, log: CapturedLog
) -> None:
    seller_id = market.pair.seller.party.id
    await market.store.parties.put("market", Role.BUYER, "B1", state=PartyState.SUSPENDED)
    for login, address in ((seller_id, market.buyer_alias), (None, "nobody@market.example")):
        peer = Peer(
            port=Port.SUBMISSION if login else Port.MX, client_ip="192.0.2.7", helo="h", tls=True, login_party_id=login
        )
        await market.intake.rcpt_to(peer, SELLER, address)
    refused = only(log, "recipient_refused")
    assert (refused["party"], refused["port"], refused["reason"]) == (seller_id, "submission", "recipient_unavailable")
    assert counted(market, "refusals", stage="rcpt", reason="recipient_unavailable") == 1
    assert counted(market, "refusals", stage="rcpt", reason="address_unknown") == 1
    assert not log.lines("message_refused")


async def test_each_recipient_of_a_transaction_has_its_line(market: MarketEnv, log: CapturedLog) -> None:
    await market.send(SELLER, market.buyer_alias, f"check+{market.buyer_alias}", "postmaster@market.example")
    assert [line["action"] for line in log.lines("message_accepted")] == ["relay", "check", "operator"]
    assert only(log, "notice_queued", type="checked")
    await market.send(SELLER, market.buyer_alias, market.buyer_alias)
    assert only(log, "copy_merged")["id"] == log.lines("message_accepted")[-1]["id"]


async def test_a_refused_delivery_and_a_bounce_that_comes_later(market: MarketEnv, log: CapturedLog) -> None:
    market.courier.answers[BUYER] = failed(
        550, "5.1.1", f"<{BUYER}> user unknown", host="mx.docomo.ne.jp", phase="rcpt"
    )
    await market.send(SELLER, market.buyer_alias)
    await market.deliver_due()
    refused = only(log, "delivery", state="bounced")
    assert (refused["code"], refused["phase"], refused["host"]) == (550, "rcpt", "docomo")
    assert only(log, "notice_queued")["type"] == "undeliverable"  # at RCPT a carrier may mean two things by it
    market.courier.answers.clear()
    await market.send(SELLER, market.buyer_alias)
    [mail] = [one for one in await market.deliver_due() if one.rcpt_to == BUYER]
    report = delivery_report(mail.mail_from)
    for _ in range(2):
        await market.send_raw(report, "", mail.mail_from, client_ip=MX_IP)
    await market.send_raw(b"Subject: hello\r\n\r\nnot a report\r\n", "", mail.mail_from)
    bounced = only(log, "delivery", by="report")
    assert (bounced["state"], bounced["reason"], bounced["status"]) == ("bounced", "mailbox_unknown", "5.1.1")
    assert only(log, "notice_queued", reason="mailbox_unknown")["id"] == bounced["id"]
    assert [line["outcome"] for line in log.lines("report_received")] == ["repeated", "unread"]
    assert counted(market, "bounces", outcome="mailbox_unknown") == 1
    history = [event.type for event in await market.store.records.history(str(bounced["id"]))]
    expected = [EventType.BOUNCED, EventType.NOTICE_QUEUED, EventType.REPORT_RECEIVED, EventType.REPORT_RECEIVED]
    assert history[-4:] == expected


async def test_a_report_that_nothing_confirms_has_a_line_and_a_notice(market: MarketEnv, log: CapturedLog) -> None:
    assert of(Place.CLAIM) == [ReasonCode.REPORTED_UNDELIVERABLE]
    await market.send(SELLER, market.buyer_alias)
    [mail] = await market.deliver_due()
    await market.send_raw(delivery_report(mail.mail_from), "", mail.mail_from)
    line, kept = await _recorded(market, log, "reported_undeliverable")
    assert (line["reason"], line["status"]) == ("mailbox_unknown", "5.1.1")
    notice = only(log, "notice_queued")
    assert (notice["type"], notice["reason"]) == ("reported", "reported_undeliverable")
    assert '"reported_undeliverable"' in kept
    assert counted(market, "bounces", outcome="unconfirmed") == 1
    assert counted(market, "notices", type="reported", reason="reported_undeliverable") == 1


async def test_a_sign_in_names_the_party_and_never_what_was_typed(market: MarketEnv, log: CapturedLog) -> None:
    party_id = market.pair.seller.party.id
    await market.store.app_passwords.add(party_id, "test", QUICK_HASHER.hash("correct"))
    assert await market.intake.login("S1", "correct") == party_id
    assert await market.intake.remembered_login("S1", "correct") == party_id
    assert await market.intake.login("S1", "wrong-word") is None
    assert await market.intake.login("nobody-here", "wrong-word") is None
    assert [line["party"] for line in log.lines("signed_in")] == [party_id] * 2
    assert [line.get("parties") for line in log.lines("sign_in_failed")] == [[party_id], []]
    assert counted(market, "sign_ins", outcome="success") == 2
    assert counted(market, "sign_ins", outcome="unknown_user") == 1
    for typed in ("wrong-word", "nobody-here", "correct", '"S1"'):
        assert typed not in log.text


async def test_keys_and_links_have_their_lines(market: MarketEnv, log: CapturedLog) -> None:
    [key] = await market.store.dkim_keys.of_domain("market.example")
    await market.store.dkim_keys.put(replace(key, selector="e2", state=type(key.state).PREPARED))
    await market.store.dkim_keys.activate("market.example", "e2")
    await market.store.dkim_keys.retire("market.example", "e1")
    changes = [(line["selector"], line["state"]) for line in log.lines("dkim_key_changed")]
    assert changes == [("e2", "prepared"), ("e2", "active"), ("e1", "replaced"), ("e1", "retired")]
    link = Link(purpose=Purpose.SENDER, party_id="p", subject_id="s", expires_at=market.clock.now())
    market.services.event_log.link_used(link, "done", "approve")
    used = only(log, "link_used")
    assert (used["purpose"], used["choice"], used["sender"], used["party"]) == ("sender", "approve", "s", "p")


async def test_what_is_rolled_back_has_no_line(
    market: MarketEnv, log: CapturedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(batch: object) -> Iterator[object]:
        yield from ()
        raise RuntimeError(f"a bug in {type(batch)}")

    monkeypatch.setattr("relay.store.accepting._count", broken)
    with pytest.raises(RuntimeError):
        await market.send(SELLER, market.buyer_alias)
    assert log.lines() == []


async def test_an_attempt_whose_lease_was_lost_and_one_that_cannot_be_read(market: MarketEnv, log: CapturedLog) -> None:
    await market.send(SELLER, market.buyer_alias)
    [item] = await claimed(market.store.queue, "test", market.clock.now(), limit=1, horizon_s=10_000)
    done = await settling.settle(market.services, item, BUYER, failed(permanent=False), market.clock.now())
    assert not await market.store.queue.settle(replace(done, owner="another"))
    assert only(log, "lease_lost")["item"] == item.id
    assert await market.store.queue.settle(settling.parked(market.services.settings.owner, item, market.clock.now()))
    assert only(log, "item_parked")["id"] == item.message_id
    assert counted(market, "parked") == 1


async def test_a_fault_in_the_log_itself_undoes_nothing(
    market: MarketEnv, log: CapturedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.steps.event_log._filled", lambda _: 1 / 0)
    [reply] = await market.send(SELLER, market.buyer_alias)
    assert reply.code == 250
    assert "ZeroDivisionError" in str(only(log, "event_log_failed")["exception"])
    assert counted(market, "internal_errors", where="event_log") == 1


def test_the_data_that_a_line_shows_are_data_of_events() -> None:
    assert {*SHOWN} <= {key for kind in get_args(EventData) for key in kind.__annotations__}


@pytest.mark.parametrize("event_type", EventType)
async def test_no_event_is_forgotten(market: MarketEnv, log: CapturedLog, event_type: EventType) -> None:
    has_actor = "by" in documented()[LINES[event_type]]
    data: dict[str, str | int] = {"case": "C-1", "text": "its own words"}
    if has_actor:
        data["by"] = "Yamamoto"
    event = Event(id="e", message_id="m", at=market.clock.now(), type=event_type, data=cast("EventData", data))
    market.services.event_log.happened([event])
    line = only(log, LINES[event_type])
    assert (line["id"], line.get("by")) == ("m", "staff" if has_actor else None)
    for kept in ("C-1", "its own words", "Yamamoto"):
        assert kept not in log.text


# ---------------------------------------------------------------- one word in every place


class Place(Enum):
    """Where a reason arises; it says in which places its word can stand."""

    RCPT = auto()
    """An answer at RCPT: SMTP answer, metric, and a line and a record where a login says who was refused."""
    REFUSAL = auto()
    """An answer after DATA: SMTP answer, line, metric, record; a notice only beside an accepted recipient."""
    RETURN = auto()
    """A verdict that stops the message: SMTP answer, line, metric, record, notice."""
    PASS = auto()
    """A verdict that lets it pass: line, metric, record. Its writer hears nothing."""
    DISPATCH = auto()
    """Found when it is about to leave: line, metric, record, notice. The dialogue is long over."""
    DELIVERY = auto()
    """The other server's doing: as DISPATCH."""
    RETRY = auto()
    """An attempt that is made again: line, metric, record; no notice."""
    NOTICE = auto()
    """The name of a notice alone: line, metric, record."""
    CLAIM = auto()
    """The name of the notice about a report that nothing confirms: as NOTICE."""
    WARNING = auto()
    """A verdict that lets it pass with a warning: SMTP answer, line, metric, record, notice."""
    AGAIN = auto()
    """Mail that came before: SMTP answer, line, metric, record; no notice."""


_DELIVERIES = {
    ReasonCode.MAILBOX_UNKNOWN: failed(550, "5.1.1", "user unknown"),
    ReasonCode.MAILBOX_FULL: failed(552, "5.2.2", "mailbox full"),
    ReasonCode.FILTERED: failed(550, "5.7.1", "filtered by recipient preferences"),
    ReasonCode.SPAM_REFUSED: failed(554, "5.7.1", "this looks like spam"),
    ReasonCode.POLICY_REFUSED: failed(550, "5.7.26", "DMARC"),
    ReasonCode.MESSAGE_TOO_BIG: failed(552, "5.3.4", "too big"),
    ReasonCode.HOST_UNKNOWN: failed(0, "", "no such domain", phase="dns"),
    ReasonCode.TLS_REQUIRED: failed(0, "", "certificate", phase="tls"),
    ReasonCode.SMTPUTF8_UNSUPPORTED: failed(550, "5.6.7", "no SMTPUTF8"),
    ReasonCode.REFUSED: failed(550, "5.0.0", "no"),
}
_REFUSALS = (
    *(ReasonCode.ADDRESS_UNKNOWN, ReasonCode.SENDER_BLOCKED, ReasonCode.LOGIN_MISUSED, ReasonCode.TOO_MANY_PENDING),
    *(ReasonCode.FROM_DEFECT, ReasonCode.DMARC_FAILED, ReasonCode.MALFORMED, ReasonCode.OWN_ALIAS),
    *(ReasonCode.OPERATOR_MAIL_TOO_BIG, ReasonCode.OPERATOR_MAIL_LIMIT, ReasonCode.TOO_COMPLEX),
)
_PASSES = (
    *(ReasonCode.ANSWER, ReasonCode.MARKED_IMPORTANT, ReasonCode.ADDITIONAL_INFORMATION, ReasonCode.CRITICAL_KIND),
    *(ReasonCode.SERVICE_QUESTION, ReasonCode.QUIET_HOURS),
)
_RETURNS = [code for rule in RULES.values() for code in rule.reasons if code not in _PASSES]
PLACES: dict[ReasonCode, Place] = {
    ReasonCode.NO_RELAYING: Place.RCPT,
    **dict.fromkeys(_REFUSALS, Place.REFUSAL),
    **dict.fromkeys(_RETURNS, Place.RETURN),
    **dict.fromkeys(_PASSES, Place.PASS),
    ReasonCode.HOLD_EXPIRED: Place.DISPATCH,
    ReasonCode.HOLD_REFUSED: Place.DISPATCH,
    **dict.fromkeys(_DELIVERIES, Place.DELIVERY),
    ReasonCode.EXPIRED: Place.DELIVERY,
    ReasonCode.TEMPORARY: Place.RETRY,
    ReasonCode.INTERNAL: Place.RETRY,
    ReasonCode.DELAYED: Place.NOTICE,
    ReasonCode.REPORTED_UNDELIVERABLE: Place.CLAIM,
    ReasonCode.DUPLICATE: Place.AGAIN,
    ReasonCode.LINK_REMOVED: Place.WARNING,
}


def of(place: Place) -> list[ReasonCode]:
    return [code for code, where in PLACES.items() if where is place]


def test_every_reason_has_its_place() -> None:
    assert set(PLACES) == set(ReasonCode)


async def test_no_relaying_is_said_and_counted_by_its_word(market: MarketEnv, log: CapturedLog) -> None:
    assert of(Place.RCPT) == [ReasonCode.NO_RELAYING]
    peer = Peer(port=Port.SUBMISSION, client_ip="192.0.2.7", helo="h", tls=True, login_party_id="p")
    reply = await market.intake.rcpt_to(peer, SELLER, "x@elsewhere.example")
    assert "(no_relaying)" in reply.text
    assert only(log, "recipient_refused")["reason"] == "no_relaying"
    assert counted(market, "refusals", stage="rcpt", reason="no_relaying") == 1


async def _judged(market: MarketEnv, outcome: Verdict | Reason) -> Reply:
    """A real message for which the rules have come to `outcome`, written; and what its client hears."""
    content = f"From: {SELLER}\r\nSubject: About the table\r\n\r\nGood day\r\n".encode()
    peer = Peer(port=Port.MX, client_ip="192.0.2.7", helo="h", tls=True, trusted=True)
    incoming = Incoming(
        peer=peer,
        mail_from=SELLER,
        rcpt_to=(market.buyer_alias,),
        smtputf8=False,
        content=content,
        received_at=market.clock.now(),
    )
    judged = await flow.judge(market.services, incoming)
    [relayed] = judged.recipients
    assert isinstance(relayed, Relayed)
    result = replace(judged, recipients=(_with(relayed, outcome),))
    with Reservations.of(market.services) as reserved:
        entry = await record.entry(market.services, incoming, result, reserved)
        await market.store.acceptances.add(entry.acceptance)
    return flow.reply(result.recipients[0], rejects=result.rejects)


def _with(relayed: Relayed, outcome: Verdict | Reason) -> RecipientResult:
    """Returns the result for the same recipient as the rules would have come to it with this outcome."""
    if isinstance(outcome, Reason):
        return Refused(recipient=relayed.recipient, reason=outcome)
    judgement = replace(relayed.judgement, verdict=outcome)
    match outcome.action:
        case Action.RELAY:
            return replace(relayed, judgement=judgement)
        case Action.HOLD:
            return Held(judgement=judgement, rewritten=relayed.rewritten, uses=relayed.uses)
        case Action.RETURN:
            return Returned(judgement=judgement)


async def _recorded(market: MarketEnv, log: CapturedLog, event: str) -> tuple[dict[str, object], str]:
    """The line, and all that the record keeps as words."""
    line = log.lines(event)[-1]
    summary, history = (
        await market.store.records.summary(str(line["id"])),
        await market.store.records.history(str(line["id"])),
    )
    assert summary is not None
    return line, json.dumps([asdict(summary.detail), *(event.data for event in history)])


@pytest.mark.parametrize("code", of(Place.REFUSAL))
async def test_a_refusals_word_is_the_same_everywhere(market: MarketEnv, log: CapturedLog, code: ReasonCode) -> None:
    reply = await _judged(market, Reason(code=code))
    assert f"({code})" in reply.text
    line, kept = await _recorded(market, log, "message_refused")
    assert line["reasons"] == [code]
    assert f'"{code}"' in kept
    assert counted(market, "refusals", stage="data", reason=code) == 1


async def test_a_duplicates_word_is_the_same_everywhere(market: MarketEnv, log: CapturedLog) -> None:  # R-IN-09
    [code] = of(Place.AGAIN)
    market.services.authenticator = SignedElsewhere(sealed=True)
    for _ in range(2):
        [reply] = await market.send(SELLER, market.buyer_alias, trusted=False)
    assert f"({code})" in reply.text
    line, kept = await _recorded(market, log, "message_accepted")
    assert (line["action"], line["reasons"]) == ("duplicate", [code])
    assert f'"{code}"' in kept
    assert counted(market, "verdicts", action="duplicate", reason=code) == 1


def _verdict(action: Action, code: ReasonCode, *, notify: bool) -> Verdict:
    reasons = (Reason(code=code),)
    return Verdict(action=action, reasons=reasons, kind=Kind.OTHER, notify=notify, policy_version="builtin-1")


@pytest.mark.parametrize("action", [Action.RETURN, Action.HOLD])
@pytest.mark.parametrize("code", of(Place.RETURN))
async def test_a_stopping_verdicts_word_is_the_same_everywhere(
    market: MarketEnv, log: CapturedLog, code: ReasonCode, action: Action
) -> None:
    reply = await _judged(market, _verdict(action, code, notify=True))
    assert f"({code})" in reply.text
    line, kept = await _recorded(market, log, "message_accepted")
    assert (line["action"], line["reasons"]) == (action, [code])
    assert f'"{code}"' in kept
    assert counted(market, "verdicts", action=action, reason=code) == 1
    assert only(log, "notice_queued")["reason"] == code
    assert counted(market, "notices", type="returned" if action is Action.RETURN else "held", reason=code) == 1


@pytest.mark.parametrize("code", of(Place.PASS))
async def test_a_passing_verdicts_word_is_the_same_everywhere(
    market: MarketEnv, log: CapturedLog, code: ReasonCode
) -> None:
    verdict = replace(_verdict(Action.RELAY, ReasonCode.ANSWER, notify=False), reasons=(Reason(code=code),))
    await _judged(market, verdict)
    line, kept = await _recorded(market, log, "message_accepted")
    assert (line["action"], line["reasons"]) == ("relay", [code])
    assert f'"{code}"' in kept
    assert counted(market, "verdicts", action="relay", reason=code) == 1


@pytest.mark.parametrize("code", [ReasonCode.EXTERNAL_LINK, *of(Place.WARNING)])
async def test_a_warnings_word_is_the_same_everywhere(market: MarketEnv, log: CapturedLog, code: ReasonCode) -> None:
    warned = replace(_verdict(Action.RELAY, ReasonCode.ANSWER, notify=True), warnings=(Reason(code=code),))
    reply = await _judged(market, warned)
    assert f"(warning: {code})" in reply.text
    line, kept = await _recorded(market, log, "message_accepted")
    assert line["warnings"] == [code]
    assert f'"{code}"' in kept
    assert counted(market, "verdicts", action="relay", reason=code) == 1


async def _settled(market: MarketEnv, code: ReasonCode) -> Settlement:
    """The end of an attempt that fails for this reason, written."""
    await market.send(SELLER, market.buyer_alias)
    services = market.services
    [item] = await claimed(market.store.queue, "test", market.clock.now(), limit=1, horizon_s=10_000)
    now = market.clock.now()
    match PLACES[code]:
        case Place.DISPATCH:
            ended = await settling.returned(services, item, Reason(code=code), now)
        case _ if code is ReasonCode.INTERNAL:
            ended = settling.stumbled(services, item, now)
        case _ if code in (ReasonCode.TEMPORARY, ReasonCode.DELAYED, ReasonCode.EXPIRED):
            waited = {ReasonCode.TEMPORARY: 0, ReasonCode.DELAYED: 5, ReasonCode.EXPIRED: 24 * 30}[code]
            late = failed(451, "4.3.0", "later", permanent=False)
            item = replace(item, attempts=20 if waited else 1)
            ended = await settling.settle(services, item, BUYER, late, now + timedelta(hours=waited))
        case _:
            ended = await settling.settle(services, item, BUYER, _DELIVERIES[code], now)
    assert await market.store.queue.settle(ended)
    return ended


@pytest.mark.parametrize("code", of(Place.DISPATCH) + of(Place.DELIVERY) + of(Place.RETRY))
async def test_a_deliverys_word_is_the_same_everywhere(market: MarketEnv, log: CapturedLog, code: ReasonCode) -> None:
    ended = await _settled(market, code)
    line, kept = await _recorded(market, log, "message_returned" if PLACES[code] is Place.DISPATCH else "delivery")
    assert line["reason"] == code
    assert f'"{code}"' in kept
    assert counted(market, "deliveries", kind="relay", state=ended.state, reason=code) == 1
    told = PLACES[code] is not Place.RETRY
    assert [one["reason"] for one in log.lines("notice_queued")] == [code] * told
    type_ = "returned" if ended.state is ItemState.RETURNED else "undeliverable"
    assert counted(market, "notices", type=type_, reason=code) == told


async def test_the_notice_of_a_delay_is_called_so_everywhere(market: MarketEnv, log: CapturedLog) -> None:
    assert of(Place.NOTICE) == [ReasonCode.DELAYED]
    await _settled(market, ReasonCode.DELAYED)
    line, kept = await _recorded(market, log, "notice_queued")
    assert (line["type"], line["reason"]) == ("delayed", "delayed")
    assert '"delayed"' in kept
    assert counted(market, "notices", type="delayed", reason="delayed") == 1


@pytest.mark.parametrize("fault", StoreFault)
async def test_an_unavailable_store_is_called_by_one_word(
    market: MarketEnv, log: CapturedLog, fault: StoreFault
) -> None:
    error = StoreUnavailableError("PostgreSQL: no", code="53100", fault=fault)
    store = market.store
    assert isinstance(store, SqlStore)
    store.base.engine.availability.failed(error, 3)
    line = only(log, "store_unavailable")
    assert (line["reason"], line["code"]) == (fault, "53100")
    assert counted(market, "store_put_off", code="53") == 3


# ---------------------------------------------------------------- nothing of anybody


async def test_no_address_no_subject_and_no_text_of_any_mail_is_in_the_log(market: MarketEnv, log: CapturedLog) -> None:
    secret, word = "kaoru-7731@hidden-place.example", "Zanzibarquestion"
    await market.set_marketplace(policies=(UNLIMITED,))
    mails = list(everywhere(secret))[::8]
    for number, (_, content) in enumerate(mails):
        head = f"From: {secret if number % 3 == 0 else SELLER}\r\nSubject: {word}\r\nX-Text: {word}\r\n".encode()
        await market.send_raw(head + content, SELLER, market.buyer_alias, login=Role.SELLER if number % 2 else None)
        market.courier.answers[BUYER] = failed(550, "5.1.1", f"<{BUYER}> {word} is unknown at hidden-place.example")
        await market.deliver_due()
    assert len(log.lines("message_accepted")) + len(log.lines("message_refused")) >= len(mails)
    assert log.lines("delivery", state="bounced")
    low = log.text.lower()
    for told in (secret, "kaoru", "hidden-place", word, BUYER, SELLER, "hanako", "shop-owner", "pottery", "192.0.2.77"):
        assert told.lower() not in low, told


async def test_a_bug_is_told_with_its_place_and_without_the_mail(
    market: MarketEnv, log: CapturedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mail's text in an exception, quoted as Python quotes it, does not get into the log."""

    def buggy(*_: object) -> None:
        raise ValueError(f"cannot store {'Zanzibar it' + chr(39) + 's mine'!r} of kaoru@hidden.example")

    monkeypatch.setattr("relay.store.accepting.SqlAcceptances._message_row", buggy)
    with pytest.raises(ValueError) as caught:
        await market.send(SELLER, market.buyer_alias)
    get_logger().error("smtp_command_failed", exc_info=caught.value)
    line = only(log, "smtp_command_failed")
    assert str(line["location"]).startswith("relay/store/accepting.py:")
    assert "Traceback" in str(line["exception"])
    assert "ValueError: cannot store <quoted> of <address>" in str(line["exception"])
    assert "hidden.example" not in log.text


async def test_lines_come_before_their_writer_goes_on(market: MarketEnv, log: CapturedLog) -> None:
    """Whoever has its 250 finds the line: also of many that share a commit."""
    sent = await asyncio.gather(*(market.send(SELLER, market.buyer_alias) for _ in range(5)))
    assert len(log.lines("message_accepted")) == len(sent)
