"""The kinds of messages: a kind is the purpose of a message."""

from enum import StrEnum


class Kind(StrEnum):
    """The purpose of a message, such as a reply, a problem with an order, or a promotion."""

    REPLY = "reply"
    ORDER_PROBLEM = "order_problem"
    ADDRESS_CHECK = "address_check"
    CUSTOMISATION = "customisation"
    DELIVERY_APPOINTMENT = "delivery_appointment"
    DELAY_OR_UNAVAILABLE = "delay_or_unavailable"
    RETURN_OR_REFUND = "return_or_refund"
    LEGAL = "legal"
    STATUS_COPY = "status_copy"
    REVIEW_REQUEST = "review_request"
    PROMOTION = "promotion"
    OTHER = "other"
