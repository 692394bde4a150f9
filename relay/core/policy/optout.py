"""The buyer's opt-out of unsolicited seller mail (R-POL-02, R-POL-03); what lawfully passes it is `bypass`'s.

An automatic mail of the seller's is no answer (R-POL-14), not even to a message that set it off, so to an opted-out
buyer it is unsolicited mail like any other; a mark or a critical kind lifts the opt-out for it as for all mail
(R-POL-04 makes no difference).
"""

from relay.core.model.kind import Kind
from relay.core.model.optout import OptOut
from relay.core.model.pair import Pair
from relay.core.model.reason import Reason, ReasonCode, Span
from relay.core.model.verdict import Action
from relay.core.policy import kinds
from relay.core.policy.bypass import Exemption
from relay.core.policy.case import Case, Finding


def judge(case: Case, exemption: Exemption) -> Finding | None:
    """None where no opt-out touches this message; RELAY with every reason that lifts it; else RETURN."""
    if not case.by_seller:
        return None
    pair, kind = case.facts.pair, kinds.kind_of(case)
    if not any(touches(opt_out, pair, kind) for opt_out in case.facts.opt_outs):
        return None
    if exemption.reasons:
        return Finding(Action.RELAY, exemption.reasons, bypass=exemption.is_marked)
    unmarked = Span(part="subject", start=0, end=len(case.head.subject))
    opted_out = Reason(code=ReasonCode.OPTED_OUT, rule="R-POL-03", span=unmarked)
    return Finding(Action.RETURN, (exemption.denied, opted_out) if exemption.denied else (opted_out,))


def touches(opt_out: OptOut, pair: Pair, kind: Kind) -> bool:
    """Whether the opt-out's scope holds this pair's seller mail of this kind (R-POL-02)."""
    return (
        opt_out.buyer_id == pair.buyer.party.id
        and opt_out.seller_id in {None, pair.seller.party.id}
        and opt_out.kind in {None, kind}
    )
