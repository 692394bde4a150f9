"""What must hold for every message and every standing of a pair: one word, the same each time, the same for all who ask."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.identify import Writer
from relay.core.model.reason import ReasonCode
from relay.core.model.standing import Standing
from relay.core.model.verdict import Action
from relay.core.policy.reach import reach
from tests.support.mail_case import MailCase

SUBJECTS = (
    "ご注文について",
    "【重要】ご連絡",
    "Re: [Important] your parcel",
    "Additional information required",
    "重要なお知らせ",
)
QUIET = st.sampled_from(["", "00:00-23:59", "22:00-07:00"])
STANDINGS: dict[str, st.SearchStrategy[Any]] = {
    "opt_outs": st.lists(st.sampled_from([{}, {"kind": "other"}, {"seller": "seller-2"}]), max_size=2).map(tuple),
    "open_question": st.booleans(),
    "misuse": st.integers(0, 14),
    "usage": st.fixed_dictionaries(
        {"seller": st.integers(498, 501), "pair": st.integers(0, 21), "buyer": st.integers(49, 51)}
        | {"bypass": st.integers(3, 21)}
    ),
    "last_mail_days_ago": st.none() | st.integers(0, 400),
    "recipient_state": st.sampled_from(["active", "active", "active", "suspended", "erased"]),
    "author_state": st.sampled_from(["active", "active", "active", "closed"]),
    "recipient_mailbox": st.sampled_from([True, True, True, False]),
    "seller": st.fixed_dictionaries({"product_support": st.booleans()}),
    "buyer": st.fixed_dictionaries({"quiet_hours": QUIET}),
    "orders": st.lists(st.sampled_from([{"external_id": "A-1", "by": "operator"}, {"external_id": "A-1"}]), max_size=1),
    "order": st.sampled_from([None, "A-1"]),
}
MESSAGES: dict[str, st.SearchStrategy[Any]] = {
    "subject": st.sampled_from(SUBJECTS),
    "tag": st.sampled_from(["", "legal", "promotion", "A-1", "nothing"]),
    "automatic": st.sampled_from(["no", "no", "reply", "bulk"]),
    "auto_replies_today": st.integers(0, 1),
    "thread": st.lists(st.sampled_from(["buyer", "seller"]), max_size=2).map(tuple),
    "sender": st.sampled_from(["approved", "approved", "unknown", None]),
    "login": st.sampled_from(["author", None]),
    "to": st.sampled_from(["buyer", "buyer", "seller"]),
    "scans": st.lists(
        st.sampled_from([{"scanner": "a", "outcome": o} for o in ("clean", "virus", "away")]), max_size=2
    ),
}


def _mail_case(drawn: dict[str, Any]) -> MailCase:
    orders = drawn.pop("orders", ())
    if not orders:
        drawn.pop("order", None)
    return MailCase(orders=orders, **drawn)


@settings(max_examples=300, deadline=None)
@given(st.fixed_dictionaries(STANDINGS | MESSAGES))
def test_the_same_message_and_facts_give_the_same_verdict(drawn: dict[str, Any]) -> None:  # R-POL-01
    first, second = _mail_case(dict(drawn)), _mail_case(dict(drawn))
    if isinstance(first.writer(), Writer):
        assert first.verdict() == second.verdict()


@settings(max_examples=300, deadline=None)
@given(st.fixed_dictionaries(STANDINGS | MESSAGES))
def test_a_verdict_is_whole(drawn: dict[str, Any]) -> None:  # R-POL-16
    mail_case = _mail_case(drawn)
    if not isinstance(mail_case.writer(), Writer):
        return
    verdict = mail_case.verdict()
    assert verdict.reasons or verdict.action is Action.RELAY
    assert all(reason.rule.startswith("R-") for reason in (*verdict.reasons, *verdict.warnings))
    assert len(set(verdict.reasons)) == len(verdict.reasons)
    if verdict.action is Action.RETURN:
        assert (verdict.not_before, verdict.counted, verdict.bypass, verdict.to_operator) == (None, False, False, False)
    assert verdict.not_before is None or verdict.not_before > mail_case.now
    assert not (verdict.counted and verdict.bypass)
    assert not (verdict.notify and mail_case.head.automatic != "no")


@settings(max_examples=300, deadline=None)
@given(st.fixed_dictionaries(STANDINGS | MESSAGES), st.fixed_dictionaries(STANDINGS))
def test_who_is_not_registered_hears_nothing_of_the_recipient(  # R-SND-02
    drawn: dict[str, Any], other: dict[str, Any]
) -> None:
    ours = {name: drawn[name] for name in ("author_state", "seller", "misuse", "orders", "order")}
    mail_case = _mail_case(dict(drawn))
    writer = mail_case.writer()
    if not isinstance(writer, Writer) or writer.registered or drawn["to"] == "seller":
        return
    here, there = mail_case.verdict(), _mail_case({**drawn, **other, **ours}).verdict()
    assert (here.action, here.reasons, here.warnings, here.not_before, here.remaining) == (
        (there.action, there.reasons, there.warnings, there.not_before, there.remaining)
    )


@settings(max_examples=300, deadline=None)
@given(st.fixed_dictionaries(STANDINGS))
def test_what_a_seller_may_learn_agrees_with_what_his_mail_gets(drawn: dict[str, Any]) -> None:
    # R-POL-19
    def passes(**written: str) -> bool:
        return _mail_case(drawn | written).verdict().action is not Action.RETURN

    mail_case = _mail_case(dict(drawn))
    said = reach(mail_case.facts, mail_case.policy, mail_case.now)
    plain = passes(subject=SUBJECTS[0])
    critical = any(passes(subject=subject) for subject in SUBJECTS[1:4]) or any(
        passes(kind_mark=kind) for kind in mail_case.policy.bypass.critical_kinds
    )
    assert said is (Standing.OPEN if plain else Standing.CRITICAL_ONLY if critical else Standing.CLOSED)


def test_all_three_answers_come_about() -> None:  # R-POL-19
    answers = [
        reach(mail_case.facts, mail_case.policy, mail_case.now)
        for mail_case in (
            MailCase(),
            MailCase(opt_outs=({},)),
            MailCase(recipient_state="suspended"),
            MailCase(usage={"pair": 99}),
        )
    ]
    assert answers == [Standing.OPEN, Standing.CRITICAL_ONLY, Standing.CLOSED, Standing.OPEN]


def test_an_answer_may_always_be_written() -> None:  # R-POL-19
    mail_case = MailCase(opt_outs=({},), open_question=True, misuse=12)
    assert reach(mail_case.facts, mail_case.policy, mail_case.now) is Standing.OPEN


def test_a_limit_and_its_end_are_named() -> None:  # R-POL-11 R-POL-16
    (reason,) = MailCase(usage={"pair": 20}).verdict().reasons
    assert (reason.code, dict(reason.values)) == (
        ReasonCode.QUOTA_PAIR,
        {"limit": "20", "reset": "2026-07-02T00:00:00+09:00"},
    )


def test_quiet_hours_do_not_tell_the_buyers_night() -> None:  # R-POL-12 R-POL-19
    (reason,) = MailCase(buyer={"quiet_hours": "00:00-23:59"}).verdict().reasons
    assert (reason.code, reason.values) == (ReasonCode.QUIET_HOURS, ())
