"""Cases as data (`tests/golden/policy/`), and what must hold for every case."""

import tomllib
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.identify import Writer
from relay.core.model.kind import Kind
from relay.core.model.optout import OptOut
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Action
from relay.core.policy.rules import optout
from tests.support.mail_case import MailCase, opt_out

GOLDEN = Path(__file__).parents[1] / "golden" / "policy"
CASES: dict[str, dict[str, Any]] = {
    case["name"]: case
    for path in sorted(GOLDEN.glob("*.toml"))
    if not path.name.startswith("content-")  # see test_policy_content
    for case in tomllib.loads(path.read_text(encoding="utf-8"))["case"]
}
PLAIN = ("kind", "notify", "unsolicited", "counted", "bypass", "misuse", "remaining", "to_operator")


def mail_case(case: dict[str, Any]) -> MailCase:
    message = dict(case.get("message", {}))
    for name in ("login", "sender"):
        if message.get(name) == "none":
            message[name] = None
    return MailCase(**message)


# R-POL-01 R-POL-02 R-POL-03 R-POL-04 R-POL-05 R-POL-14 R-POL-16 R-ADR-05 R-ADR-07 R-IN-02 R-IN-06 R-IN-09
# R-SND-02 R-SND-04 R-SND-07 R-REW-05 R-OUT-08 R-POL-06 R-POL-11 R-POL-12 R-POL-13 R-POL-17 R-POL-18 (each case names its own rows)
@pytest.mark.parametrize("name", CASES)
def test_golden_case(name: str) -> None:
    written, expect = mail_case(CASES[name]), CASES[name]["expect"]
    writer = written.writer()
    if isinstance(writer, Reason):
        assert {"refused": writer.code} == expect
        return
    verdict = written.verdict()
    subject = written.head.subject
    seen = {
        "action": verdict.action,
        "reasons": [reason.code for reason in verdict.reasons],
        "spans": [subject[r.span.start : r.span.end] for r in verdict.reasons if r.span],
        "warnings": [reason.code for reason in verdict.warnings],
        "not_before": verdict.not_before.astimezone(UTC).isoformat() if verdict.not_before else None,
        **{name: getattr(verdict, name) for name in PLAIN},
    }
    assert {key: seen.get(key) for key in expect} == expect


def test_cases_are_many_and_twins_come_out_the_other_way() -> None:
    assert len(CASES) >= 200
    twins = [(case, CASES[case["twin"]]) for case in CASES.values() if "twin" in case]
    assert 2 * len(twins) >= len(CASES)
    for case, twin in twins:
        assert case["expect"] != twin["expect"], case["name"]


def test_a_verdict_names_rule_code_and_policy_version() -> None:  # R-POL-16 R-POL-15
    verdict = MailCase(opt_outs=({},), policy={"version": "2026-07"}).verdict()
    assert verdict.policy_version == "2026-07"
    assert (verdict.reasons[0].code, verdict.reasons[0].rule) == (ReasonCode.OPTED_OUT, "R-POL-03")


def test_only_relayed_or_machine_mail_goes_without_a_notice() -> None:  # R-POL-14 R-OUT-08
    for case in CASES.values():
        written = mail_case(case)
        if not isinstance(written.writer(), Writer):
            continue
        verdict = written.verdict()
        machine = written.head.automatic != "no" or not written.incoming.mail_from
        passes = verdict.action is Action.RELAY and not verdict.warnings
        codes = {reason.code for reason in verdict.reasons}
        quiet = passes or machine or bool(codes & {ReasonCode.LOOP, ReasonCode.AUTO_REPLY_REPEATED})
        assert verdict.notify is not quiet, case["name"]


@given(body=st.text(max_size=200))
def test_body_text_never_lifts_an_opt_out(body: str) -> None:  # R-POL-05
    assert MailCase(opt_outs=({},), body=body).verdict().action is Action.RETURN


@given(ids=st.lists(st.text(min_size=1, max_size=40), max_size=5))
def test_ids_that_this_pair_does_not_know_never_lift_an_opt_out(ids: list[str]) -> None:  # R-POL-05
    assert MailCase(opt_outs=({},), references=tuple(ids)).verdict().action is Action.RETURN


@given(tag=st.text(max_size=60), mark=st.text(max_size=60))
def test_no_tag_or_header_is_an_error(tag: str, mark: str) -> None:  # R-ADR-05
    assert MailCase(tag=tag, kind_mark=mark).verdict().action is Action.RELAY


@pytest.mark.parametrize(
    ("scope", "kind", "touched"),
    [
        (opt_out(), "promotion", True),
        (opt_out("seller-1"), "promotion", True),
        (opt_out("seller-2"), "promotion", False),
        (opt_out(kind="promotion"), "promotion", True),
        (opt_out(kind="promotion"), "other", False),
        (opt_out("seller-1", "promotion"), "promotion", True),
        (opt_out("seller-2", "promotion"), "promotion", False),
        (opt_out(buyer="buyer-2"), "promotion", False),
    ],
)
def test_scopes_of_an_opt_out(scope: OptOut, kind: str, *, touched: bool) -> None:  # R-POL-02
    assert optout.touches(scope, MailCase().facts.pair, Kind(kind)) is touched


def test_what_an_opt_out_would_stop_is_known_before_there_is_one() -> None:  # R-POL-02: queued mail too
    assert MailCase().verdict().unsolicited
    assert MailCase(sender=None).verdict().unsolicited  # held mail as well
    assert not MailCase(subject="[重要] お届け").verdict().unsolicited
    assert not MailCase(to="seller").verdict().unsolicited
