"""Routes mail about orders that the operator fulfils (R-POL-13).

Until the seller turns on product support, all questions of the buyer go to the operator, and mail of the seller is
returned unless it answers a message of the buyer. From then on, questions about the product go to the seller, and
questions about the service to the operator.
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
    """Returns whether this message of a buyer goes to the operator instead of the seller.

    Automatic mail never goes to the operator, because it asks no question.
    """
    if case.by_seller or case.is_automatic or not _by_operator(case):
        return False
    return not (_supports(case) and kinds.kind_of(case) in case.policy.fulfilment.product_kinds)


def _supports(case: HeaderCase) -> bool:
    return case.facts.pair.seller.party.settings.product_support


def _by_operator(case: HeaderCase) -> bool:
    """Returns whether the operator fulfils the order that the mail is about.

    If the mail names no order, the operator must fulfil every order of the pair, and the pair must have an order.
    """
    about = (case.facts.order,) if case.facts.order else case.facts.orders
    return bool(about) and all(order.fulfilled_by is FulfilledBy.OPERATOR for order in about)


def _answers_a_message_that_reached_the_seller(case: HeaderCase) -> bool:
    """Returns whether the mail is not automatic and refers to a message of the buyer by its id.

    An open question of the buyer is not enough, because this question may have gone to the operator.
    """
    return not case.is_automatic and any(ref.author is Role.BUYER for ref in case.facts.thread_refs)


RULE = HeaderRule(
    stage=Stage.PARTIES,
    rank=10,
    reasons=(ReasonCode.SERVICE_QUESTION, ReasonCode.CHANNEL_OFF),
    settings=("fulfilment",),
    judge=judge,
)
