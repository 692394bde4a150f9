"""Routes mail about orders that the operator fulfils (R-POL-13).

The seller's channel is off until the seller turns product support on. After that, product questions go to the seller
and service questions stay with the operator.
"""

from collections.abc import Iterator

from relay.core.model.order import FulfilledBy
from relay.core.model.party import Role
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.verdict import Action
from relay.core.policy import kinds
from relay.core.policy.case import Finding, HeaderCase
from relay.core.policy.rule import HeaderRule, Stage


def judge(case: HeaderCase) -> Iterator[Finding]:
    if goes_to_operator(case):
        yield Finding(Action.RELAY, (Reason(code=ReasonCode.SERVICE_QUESTION),), to_operator=True)
    elif (
        case.by_seller
        and _by_operator(case)
        and not _supports(case)
        and not _answers_a_message_that_reached_the_seller(case)
    ):
        yield Finding(Action.RETURN, (Reason(code=ReasonCode.CHANNEL_OFF),))


def goes_to_operator(case: HeaderCase) -> bool:
    """Whether the operator answers this message of a buyer instead of the seller. Automatic mail asks nothing."""
    if case.by_seller or case.is_automatic or not _by_operator(case):
        return False
    return not (_supports(case) and kinds.kind_of(case) in case.policy.fulfilment.product_kinds)


def _supports(case: HeaderCase) -> bool:
    return case.facts.pair.seller.party.settings.product_support


def _by_operator(case: HeaderCase) -> bool:
    """Whether the operator fulfils the order that the mail is about, or every order of the pair if it names none."""
    about = (case.facts.order,) if case.facts.order else case.facts.orders
    return bool(about) and all(order.fulfilled_by is FulfilledBy.OPERATOR for order in about)


def _answers_a_message_that_reached_the_seller(case: HeaderCase) -> bool:
    """By the id of a message only: an open question may be one that went to the operator."""
    return not case.is_automatic and any(ref.author is Role.BUYER for ref in case.facts.thread_refs)


RULE = HeaderRule(
    stage=Stage.PARTIES,
    rank=10,
    reasons=(ReasonCode.SERVICE_QUESTION, ReasonCode.CHANNEL_OFF),
    settings=("fulfilment",),
    judge=judge,
)
