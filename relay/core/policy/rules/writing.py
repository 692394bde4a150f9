"""Judges the text that a seller writes (R-POL-08, R-POL-09, R-POL-10): links, contact data, promotion, status copies.

All detectors are one rule, because they share one reading of the message; `content.judge` names their codes.
"""

from collections.abc import Iterator

from relay.core.policy import content
from relay.core.policy.case import Case, Finding
from relay.core.policy.rule import MessageRule, Stage


def judge(case: Case) -> Iterator[Finding]:
    if case.by_seller:
        yield from content.weighed(content.of_text(case))


RULE = MessageRule(stage=Stage.CONTENT, rank=20, reasons=content.TEXT_CODES, settings=("content",), judge=judge)
