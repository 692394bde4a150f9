"""What sets a message of the seller's apart from unsolicited mail, and what a mark of importance costs (R-POL-04..06).

An answer is free. Everything that the seller says of himself (a bracketed word, a phrase, a critical kind) has a price:
so many uses a day, and points where it is misused. Who has too many points is warned, then gets fewer uses, then none:
then his marks are as if they were not there, for opt-out, quota and quiet hours alike.

Only subject, thread, tag and header are looked at: body text lifts nothing (R-POL-05).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from relay.core.model import days
from relay.core.model.policy import Bypass
from relay.core.model.reason import Reason, ReasonCode
from relay.core.policy import kinds, subject_marks
from relay.core.policy.case import Case

_RULE = "R-POL-04"
_PRICE = "R-POL-06"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """`answer`: that it answers the buyer, if it does; `marks`: what the seller says of its importance; `denied`: why
    these marks do not count, if they do not."""

    answer: tuple[Reason, ...] = ()
    marks: tuple[Reason, ...] = ()
    denied: Reason | None = None

    @property
    def is_answer(self) -> bool:
        return bool(self.answer)

    @property
    def is_marked(self) -> bool:
        """Passes by a mark that counts, and by nothing else."""
        return bool(self.marks) and not self.answer and self.denied is None

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """All that lifts; empty: nothing does."""
        return self.answer + (self.marks if self.denied is None else ())


def exemption(case: Case) -> Exemption:
    """Buyers need none: nothing of theirs is unsolicited."""
    if not case.by_seller:
        return Exemption()
    answer = (Reason(code=ReasonCode.ANSWER, rule=_RULE),) if kinds.answers(case) else ()
    marks = tuple(_marks(case))
    return Exemption(answer=answer, marks=marks, denied=_denied(case) if marks else None)


def warnings(case: Case, *, used: bool, contradicted: bool) -> tuple[Reason, ...]:
    """What the writer of a marked message is told: that the content belied the mark, or that his score is high."""
    if not contradicted and not (used and case.facts.misuse >= case.policy.bypass.warn_at):
        return ()
    score = case.facts.misuse + (case.policy.bypass.points_contradiction if contradicted else 0)
    return (Reason(code=ReasonCode.BYPASS_MISUSED, rule=_PRICE, values=(("score", str(score)),)),)


def _denied(case: Case) -> Reason | None:
    bypass, score = case.policy.bypass, case.facts.misuse
    if score >= bypass.off_at:
        return Reason(code=ReasonCode.BYPASS_OFF, rule=_PRICE, values=(("score", str(score)),))
    most = per_day(bypass, score)
    if most and case.facts.usage.bypass >= most:
        reset = days.reset_at(case.now, case.policy).isoformat()
        return Reason(code=ReasonCode.BYPASS_QUOTA, rule=_PRICE, values=(("limit", str(most)), ("reset", reset)))
    return None


def per_day(bypass: Bypass, score: int) -> int:
    """How many marks a seller with that score has a day; 0 for any number."""
    return bypass.smaller_per_day if score >= bypass.smaller_at else bypass.per_day


def _marks(case: Case) -> Iterator[Reason]:
    subject, bypass = case.head.subject, case.policy.bypass
    if mark := subject_marks.important(subject, bypass.brackets, bypass.important_words):
        yield Reason(code=ReasonCode.MARKED_IMPORTANT, rule=_RULE, span=mark)
    if phrase := subject_marks.additional_information(subject, bypass.additional_information):
        yield Reason(code=ReasonCode.ADDITIONAL_INFORMATION, rule=_RULE, span=phrase)
    if (kind := kinds.said(case)) in bypass.critical_kinds:
        yield Reason(code=ReasonCode.CRITICAL_KIND, rule=_RULE, values=(("kind", str(kind)),))
