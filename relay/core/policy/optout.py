"""The buyer's opt-out of unsolicited seller mail, and what lawfully passes it (R-POL-02..05).

Only subject, thread, tag and header are looked at: body text never lifts an opt-out (R-POL-05). An automatic mail of
the seller's is no answer (R-POL-14), not even to a message that set it off, so to an opted-out buyer it is unsolicited
mail like any other; a mark or a critical kind lifts the opt-out for it as for all mail (R-POL-04 makes no difference).
"""

from collections.abc import Iterator

from relay.core.model.kind import Kind
from relay.core.model.optout import OptOut
from relay.core.model.pair import Pair
from relay.core.model.party import Role
from relay.core.model.reason import Reason, ReasonCode, Span
from relay.core.model.verdict import Action
from relay.core.policy import kinds, subject_marks
from relay.core.policy.case import Case, Finding

_RULE = "R-POL-04"


def judge(case: Case) -> Finding | None:
    """None where no opt-out touches this message; RELAY with every reason that lifts it; else RETURN."""
    if case.writer.role is not Role.SELLER:
        return None
    pair, kind = case.facts.pair, kinds.kind_of(case)
    if not any(touches(opt_out, pair, kind) for opt_out in case.facts.opt_outs):
        return None
    if lifted := tuple(_lifting(case)):
        return Finding(Action.RELAY, lifted)
    unmarked = Span(part="subject", start=0, end=len(case.head.subject))
    return Finding(Action.RETURN, (Reason(code=ReasonCode.OPTED_OUT, rule="R-POL-03", span=unmarked),))


def touches(opt_out: OptOut, pair: Pair, kind: Kind) -> bool:
    """Whether the opt-out's scope holds this pair's seller mail of this kind (R-POL-02)."""
    return (
        opt_out.buyer_id == pair.buyer.party.id
        and opt_out.seller_id in {None, pair.seller.party.id}
        and opt_out.kind in {None, kind}
    )


def is_unsolicited(case: Case) -> bool:
    """Whether an opt-out, now or when it comes to sending, would stop this message."""
    return case.writer.role is Role.SELLER and not any(_lifting(case))


def _lifting(case: Case) -> Iterator[Reason]:
    if kinds.answers(case):
        yield Reason(code=ReasonCode.ANSWER, rule=_RULE)
    subject, bypass = case.head.subject, case.policy.bypass
    if mark := subject_marks.important(subject, bypass.brackets, bypass.important_words):
        yield Reason(code=ReasonCode.MARKED_IMPORTANT, rule=_RULE, span=mark)
    if phrase := subject_marks.additional_information(subject, bypass.additional_information):
        yield Reason(code=ReasonCode.ADDITIONAL_INFORMATION, rule=_RULE, span=phrase)
    if (kind := kinds.said(case)) in bypass.critical_kinds:
        yield Reason(code=ReasonCode.CRITICAL_KIND, rule=_RULE, values=(("kind", str(kind)),))
