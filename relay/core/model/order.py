"""An order of a marketplace: it belongs to a pair, and has the marketplace's own order id and details."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

CANCELLED: Final = "cancelled"
"""The state of an order that was cancelled by a command; a marketplace may use another name for its own orders."""


class FulfilledBy(StrEnum):
    """The one who ships the order: the seller, or the operator of the marketplace."""

    SELLER = "seller"
    OPERATOR = "operator"


class OrderEvidence(StrEnum):
    """How it is known which order a message is about, the strongest evidence first (R-ADR-05)."""

    TAG = "tag"
    """The tag of the alias names the order."""
    SUBJECT = "subject"
    """The subject names the order."""
    TEXT = "text"
    """The newly written text names the order."""
    THREAD = "thread"
    """The message answers a message about the order."""
    ONLY_OPEN = "only_open"
    """The pair has no other open order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order of a pair.

    `external_id` is the marketplace's own order id. `items` are the codes of its items (SKU, ASIN or JAN). `state` is
    the marketplace's own name for the order's state. `known` are texts of the order that do not count as contact data
    in mail about it: tracking numbers, prices, dates, postcodes (R-POL-09).
    """

    id: str
    marketplace_id: str
    pair_id: str
    external_id: str
    items: tuple[str, ...] = ()
    state: str = ""
    fulfilled_by: FulfilledBy = FulfilledBy.SELLER
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderUpdate:
    """New values for the order `external_id` of a marketplace.

    None keeps the stored value; for a new order it means the default of `Order`. An empty value removes the stored
    value.
    """

    marketplace_id: str
    pair_id: str
    external_id: str
    items: tuple[str, ...] | None = None
    state: str | None = None
    fulfilled_by: FulfilledBy | None = None
    known: tuple[str, ...] | None = None
