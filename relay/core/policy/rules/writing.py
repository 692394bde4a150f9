"""Judges the text that a seller writes (R-POL-08, R-POL-09, R-POL-10): links, contact data, promotion, status copies.

Tracking pixels in a buyer's mail are cut out too (R-REW-07).

All detectors are one rule, because they share one reading of the message; `content.judge` names their codes.
"""

from collections.abc import Iterator
from dataclasses import replace

from relay.core.policy import content
from relay.core.policy.case import Case, Finding
from relay.core.policy.rule import MessageRule, Stage


def judge(case: Case) -> Iterator[Finding]:
    if case.by_seller:
        yield from content.weighed(content.of_text(case))
        return
    for found in content.weighed(content.of_pixels(case)):
        # The buyer's mail program adds pixels unasked, so there is a notice only if a whole text goes with one.
        is_whole = any(strip.start is None for strip in found.strips)
        yield found if is_whole else replace(found, warnings=())


RULE = MessageRule(stage=Stage.CONTENT, rank=20, reasons=content.TEXT_CODES, settings=("content",), judge=judge)
