"""Enforces the buyer's opt-out of unsolicited seller mail (R-POL-02, R-POL-03); `bypass` decides which mail is exempt.

An automatic message of the seller is never an answer (R-POL-14), not even to the message that caused it, so it is
unsolicited mail for a buyer with an opt-out. It passes the opt-out by a mark of importance or a critical kind like any
other mail, because R-POL-04 makes no difference.
"""

from collections.abc import Iterator

from relay.core.model.kind import Kind
from relay.core.model.optout import OptOut
from relay.core.model.pair import Pair
from relay.core.model.reason import Reason, ReasonCode, Span
from relay.core.model.verdict import Action
from relay.core.policy import kinds
from relay.core.policy.case import Finding, HeaderCase
from relay.core.policy.rule import HeaderRule, Stage


def judge(case: HeaderCase) -> Iterator[Finding]:
    """Yields at most one finding: RELAY if the message passes an opt-out, RETURN if an opt-out stops it.

    RELAY has every reason by which the message passes. If no opt-out applies, there is no finding.
    """
    pair, exemption = case.facts.pair, case.exemption
    if not case.by_seller or not case.facts.opt_outs:
        return
    kind = kinds.kind_of(case)
    if not any(touches(opt_out, pair, kind) for opt_out in case.facts.opt_outs):
        return
    if exemption.reasons:
        yield Finding(Action.RELAY, exemption.reasons, bypass=exemption.is_marked)
        return
    unmarked = Span(part="subject", start=0, end=len(case.head.subject))
    opted_out = Reason(code=ReasonCode.OPTED_OUT, span=unmarked)
    yield Finding(Action.RETURN, (exemption.denied, opted_out) if exemption.denied else (opted_out,))


def touches(opt_out: OptOut, pair: Pair, kind: Kind) -> bool:
    """Returns whether the opt-out covers mail of this kind from the pair's seller to its buyer (R-POL-02)."""
    return (
        opt_out.buyer_id == pair.buyer.party.id
        and opt_out.seller_id in {None, pair.seller.party.id}
        and opt_out.kind in {None, kind}
    )


RULE = HeaderRule(
    stage=Stage.PARTIES,
    rank=40,
    reasons=(
        ReasonCode.OPTED_OUT,
        ReasonCode.ANSWER,
        ReasonCode.MARKED_IMPORTANT,
        ReasonCode.ADDITIONAL_INFORMATION,
        ReasonCode.CRITICAL_KIND,
        ReasonCode.BYPASS_QUOTA,
        ReasonCode.BYPASS_OFF,
        ReasonCode.BYPASS_MISUSED,
    ),
    settings=("bypass",),
    judge=judge,
)
