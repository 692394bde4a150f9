"""Decides which seller mail counts as solicited, and the price of a mark of importance (R-POL-04..06).

An answer is free. A mark that the seller sets (a bracketed word, a phrase, a critical kind) has a price: a number of
uses per day, and points for misuse. With more points the seller is first warned, then has fewer uses, then none; marks
without a use left are ignored by opt-out, quota and quiet hours alike.

Only subject, thread, tag and header are looked at: text in the body exempts nothing (R-POL-05).
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

from relay.core.model import days
from relay.core.model.policy import Bypass
from relay.core.model.reason import Reason, ReasonCode
from relay.core.policy import kinds, subject_marks
from relay.core.policy.case import Exemption, HeaderCase

_C = TypeVar("_C", bound=HeaderCase)


def exempted(case: _C) -> _C:
    """The case with its exemption. A buyer's message needs none: it is never unsolicited."""
    if not case.by_seller:
        return case
    answer = (Reason(code=ReasonCode.ANSWER),) if kinds.answers(case) else ()
    marks = tuple(_marks(case))
    exemption = Exemption(answer=answer, marks=marks, denied=_denied(case) if marks else None)
    return replace(case, exemption=exemption)


def warnings(case: HeaderCase, *, used: bool, contradicted: bool) -> tuple[Reason, ...]:
    """The warning to the writer of a marked message: its content contradicts the mark, or the score is high."""
    if not contradicted and not (used and case.facts.misuse >= case.policy.bypass.warn_at):
        return ()
    score = case.facts.misuse + (case.policy.bypass.points_contradiction if contradicted else 0)
    return (Reason(code=ReasonCode.BYPASS_MISUSED, values=(("score", str(score)),)),)


def _denied(case: HeaderCase) -> Reason | None:
    bypass, score = case.policy.bypass, case.facts.misuse
    if score >= bypass.off_at:
        return Reason(code=ReasonCode.BYPASS_OFF, values=(("score", str(score)),))
    most = per_day(bypass, score)
    if most and case.facts.usage.bypass >= most:
        reset = days.reset_at(case.now, case.policy).isoformat()
        return Reason(code=ReasonCode.BYPASS_QUOTA, values=(("limit", str(most)), ("reset", reset)))
    return None


def per_day(bypass: Bypass, score: int) -> int:
    """Marks per day for a seller with that score below `off_at`; 0 means no limit."""
    return bypass.smaller_per_day if score >= bypass.smaller_at else bypass.per_day


def _marks(case: HeaderCase) -> Iterator[Reason]:
    subject, bypass = case.head.subject, case.policy.bypass
    if mark := subject_marks.important(subject, bypass.brackets, bypass.important_words):
        yield Reason(code=ReasonCode.MARKED_IMPORTANT, span=mark)
    if phrase := subject_marks.additional_information(subject, bypass.additional_information):
        yield Reason(code=ReasonCode.ADDITIONAL_INFORMATION, span=phrase)
    if (kind := kinds.said(case)) in bypass.critical_kinds:
        yield Reason(code=ReasonCode.CRITICAL_KIND, values=(("kind", str(kind)),))
