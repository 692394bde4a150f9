"""The kinds of messages: a kind is the purpose of a message."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from relay.core.model.reason import Span


class Kind(StrEnum):
    """The purpose of a message, such as a reply, a problem with an order, or a promotion.

    OTHER is every purpose that has no kind of its own, and every purpose that is not clear.
    """

    REPLY = "reply"
    PRODUCT_QUESTION = "product_question"
    SERVICE_QUESTION = "service_question"
    ORDER_PROBLEM = "order_problem"
    ADDRESS_CHECK = "address_check"
    CUSTOMISATION = "customisation"
    DELIVERY_APPOINTMENT = "delivery_appointment"
    DELAY_OR_UNAVAILABLE = "delay_or_unavailable"
    RETURN_OR_REFUND = "return_or_refund"
    LEGAL = "legal"
    ASKS_BUYER_TO_CANCEL = "asks_buyer_to_cancel"
    STATUS_COPY = "status_copy"
    REVIEW_REQUEST = "review_request"
    PROMOTION = "promotion"
    THANKS = "thanks"
    OTHER = "other"


NEVER_STOPPED: Final = frozenset({Kind.REPLY, Kind.OTHER})
"""The kinds that no buyer can opt out of: an answer always passes, and OTHER is no purpose that a buyer could mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A phrase in the text of a message that speaks for its kind.

    `topic` is the name of the phrase's table in `core/policy/inference/phrases.toml`, `weight` is the weight of this
    table for the kind, and `span` is the first place of the phrase.
    """

    topic: str
    weight: float
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """The kind that the text of a message shows, with the phrases that speak for it, the heaviest first (R-POL-21).

    A text that shows no kind clearly has the kind OTHER and no evidence.
    """

    kind: Kind = Kind.OTHER
    evidence: tuple[Evidence, ...] = ()


NO_INFERENCE: Final = Inference()
"""The inference from a text that shows no kind clearly, or from no text."""
