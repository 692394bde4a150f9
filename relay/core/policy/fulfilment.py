"""Orders that the operator fulfils: the seller's channel is off until he turns product support on; then product
questions are his, and service questions stay the operator's (R-POL-13)."""

from relay.core.model.order import FulfilledBy
from relay.core.model.party import Role
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Action
from relay.core.policy import kinds
from relay.core.policy.case import Case, Finding

_RULE = "R-POL-13"


def judge(case: Case) -> Finding | None:
    if not _by_operator(case):
        return None
    supports = case.facts.pair.seller.party.settings.product_support
    if case.by_seller:
        if supports or _answers_what_reached_him(case):
            return None
        return Finding(Action.RETURN, (Reason(code=ReasonCode.CHANNEL_OFF, rule=_RULE),))
    if case.is_automatic or (supports and kinds.kind_of(case) in case.policy.fulfilment.product_kinds):
        return None  # a machine asks nobody anything
    return Finding(Action.RELAY, (Reason(code=ReasonCode.SERVICE_QUESTION, rule=_RULE),), to_operator=True)


def _by_operator(case: Case) -> bool:
    """The order that the mail is about, or each of the pair's when it names none."""
    about = (case.facts.order,) if case.facts.order else case.facts.orders
    return bool(about) and all(order.fulfilled_by is FulfilledBy.OPERATOR for order in about)


def _answers_what_reached_him(case: Case) -> bool:
    """By the id of a message: an open question alone may be one that went to the operator."""
    return not case.is_automatic and any(ref.author is Role.BUYER for ref in case.facts.thread_refs)
