"""An order: the marketplace's own order id and what it is about; belongs to a pair."""

from dataclasses import dataclass
from enum import StrEnum


class FulfilledBy(StrEnum):
    SELLER = "seller"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """`items` are SKU/ASIN/JAN codes; `state` is the marketplace's own word; `known` are texts that belong to it and
    may stand in its mail: tracking numbers, prices, dates, postcodes (R-POL-09)."""

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
    """New values of the order `external_id` of a marketplace. None leaves a value of an existing order as it is and
    gives a new order the default of `Order`; an empty value clears it."""

    marketplace_id: str
    pair_id: str
    external_id: str
    items: tuple[str, ...] | None = None
    state: str | None = None
    fulfilled_by: FulfilledBy | None = None
    known: tuple[str, ...] | None = None
