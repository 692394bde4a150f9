"""An order: the marketplace's own order id and details; it belongs to a pair."""

from dataclasses import dataclass
from enum import StrEnum


class FulfilledBy(StrEnum):
    """The party that ships the order."""

    SELLER = "seller"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order of a pair.

    `items` are SKU, ASIN or JAN codes. `state` is the marketplace's own text. `known` are texts that belong to the
    order and may stand in its mail: tracking numbers, prices, dates, postcodes (R-POL-09).
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

    None keeps the value of an existing order and gives a new order the default of `Order`; an empty value clears it.
    """

    marketplace_id: str
    pair_id: str
    external_id: str
    items: tuple[str, ...] | None = None
    state: str | None = None
    fulfilled_by: FulfilledBy | None = None
    known: tuple[str, ...] | None = None
