"""The table of rules: whole, and each rule with all that belongs to it. A failure names the file to edit."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.core.identify import Writer
from relay.core.mail.mime import MimeLimits, split
from relay.core.model.policy import Policy
from relay.core.model.reason import ReasonCode
from relay.core.policy import bypass
from relay.core.policy.case import Case
from relay.core.policy.changes import settings
from relay.core.policy.rule import HeaderRule, Rule, Stage
from relay.core.policy.stages import RULES, STAGES
from tests.core import test_policy, test_policy_content

ROOT = Path(__file__).parents[2]
OTHERS = ("senders", "response", "announce_s")
"""Settings that no rule reads: the list of senders, the response clock, the announcement of a policy."""


def _golden_codes() -> set[str]:
    """Every reason that a golden case expects."""
    codes: set[str] = set()
    for path in (ROOT / "tests/golden/policy").glob("*.toml"):
        for case in tomllib.loads(path.read_text(encoding="utf-8"))["case"]:
            expect = case.get("expect", {})
            if isinstance(expect, dict):
                codes |= {*expect.get("reasons", ()), *expect.get("warnings", ())}
            else:
                codes |= {finding[0] for finding in expect}
    return codes


def _row(name: str, rule: Rule) -> str:
    reasons = ", ".join(f"`{code}`" for code in rule.reasons)
    return f"| `{name}` | `{rule.stage.name.lower()}` | {reasons} | {', '.join(f'`{key}`' for key in rule.settings)} |"


@pytest.mark.parametrize("name", RULES)
def test_a_rule_has_golden_cases(name: str) -> None:  # R-POL-01
    missing = [code for code in RULES[name].reasons if code not in _golden_codes()]
    assert not missing, f"add a case that expects {missing} to tests/golden/policy/{name}.toml, with its twin"


def test_the_documentation_lists_all_rules_in_their_order() -> None:  # R-POL-16
    text = (ROOT / "docs/policy.md").read_text(encoding="utf-8")
    documented = [(found[1], found[2]) for found in re.finditer(r"(?m)^(\| `\w+` \| `\w+` \|.*\|) ([^|]+) \|$", text)]
    expected = [_row(name, rule) for name, rule in RULES.items()]
    assert [row for row, _ in documented] == expected, (
        "correct the table of rules in docs/policy.md: its rows begin as on the right, and end with the rule's effect"
    )


@pytest.mark.parametrize("name", RULES)
def test_a_rule_names_settings_that_there_are(name: str) -> None:
    known = settings(Policy())
    for key in RULES[name].settings:
        assert any(path == key or path.startswith(f"{key}.") for path in known), (
            f"relay/core/policy/rules/{name}.py names {key}; add it to relay/core/model/policy.py"
        )


def test_every_setting_belongs_to_a_rule() -> None:
    read = (*OTHERS, *(key for rule in RULES.values() for key in rule.settings))
    idle = [path for path in settings(Policy()) if not any(path == key or path.startswith(f"{key}.") for key in read)]
    assert not idle, f"name {idle} in the settings of its rule in relay/core/policy/rules/"


@pytest.mark.parametrize("stage", Stage)
def test_the_rules_of_a_stage_have_an_order(stage: Stage) -> None:
    ranks = [rule.rank for rule in STAGES[stage]]
    assert ranks == sorted(set(ranks)), f"give each rule of {stage.name} a rank of its own"


def test_a_rule_about_a_message_is_not_asked_before_there_is_one() -> None:  # R-POL-19
    header_stages = {Stage.AUTHOR, Stage.PARTIES}
    assert all(isinstance(rule, HeaderRule) == (rule.stage in header_stages) for rule in RULES.values())


def _cases() -> Iterator[Case]:
    for golden in test_policy.CASES.values():
        mail_case = test_policy.mail_case(golden)
        writer = mail_case.writer()
        if isinstance(writer, Writer):
            yield bypass.exempted(
                Case(
                    incoming=mail_case.incoming,
                    head=mail_case.head,
                    root=split(mail_case.incoming.content, MimeLimits()),
                    facts=mail_case.facts,
                    writer=writer,
                    policy=mail_case.policy,
                    now=mail_case.now,
                )
            )
    for golden in test_policy_content.CASES.values():
        yield test_policy_content.look(golden).case


def test_a_rule_gives_the_reasons_that_it_names() -> None:  # R-POL-16
    given: dict[str, set[ReasonCode]] = {name: set() for name in RULES}
    for case in _cases():
        lifted = {reason.code for reason in case.exemption.reasons}
        for name, rule in RULES.items():
            for finding in rule.judge(case):
                given[name] |= {reason.code for reason in (*finding.reasons, *finding.warnings)} - lifted
    for name, codes in given.items():
        assert codes <= set(RULES[name].reasons), f"name {codes} in the reasons of relay/core/policy/rules/{name}.py"
