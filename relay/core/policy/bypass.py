"""Decides which seller mail does not count as unsolicited, and limits marks of importance (R-POL-04..06).

Answers are not limited. A mark that the seller sets (a bracketed word, a phrase, a critical kind) has a number of uses
per day, and misuse costs points. As the points rise, the seller first gets a warning, then has fewer uses per day, and
then no use. The rules for opt-out, quota and quiet hours all ignore a mark if no use is left.

Only subject, thread, tag and header are examined: text in the body never exempts a message (R-POL-05).
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
    """Returns the case with its exemption.

    A buyer's case is returned unchanged, because a buyer's mail is never unsolicited.
    """
    if not case.by_seller:
        return case
    answer = (Reason(code=ReasonCode.ANSWER),) if kinds.answers(case) else ()
    marks = tuple(_marks(case))
    exemption = Exemption(answer=answer, marks=marks, denied=_denied(case) if marks else None)
    return replace(case, exemption=exemption)


def warnings(case: HeaderCase, *, used: bool, contradicted: bool) -> tuple[Reason, ...]:
    """Returns the warning to the writer of a marked message, or an empty tuple.

    There is a warning if the content contradicts the mark (`contradicted`), or if the message passes by its mark
    (`used`) and the writer's misuse score is high.
    """
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
    """Returns the uses of marks per day for a seller with a misuse score below `off_at`; 0 means no limit."""
    return bypass.smaller_per_day if score >= bypass.smaller_at else bypass.per_day


def _marks(case: HeaderCase) -> Iterator[Reason]:
    subject, bypass = case.head.subject, case.policy.bypass
    if mark := subject_marks.important(subject, bypass.brackets, bypass.important_words):
        yield Reason(code=ReasonCode.MARKED_IMPORTANT, span=mark)
    if phrase := subject_marks.additional_information(subject, bypass.additional_information):
        yield Reason(code=ReasonCode.ADDITIONAL_INFORMATION, span=phrase)
    if (kind := kinds.said(case)) in bypass.critical_kinds:
        yield Reason(code=ReasonCode.CRITICAL_KIND, values=(("kind", str(kind)),))
