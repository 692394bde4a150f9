"""A buyer's opt-out of unsolicited seller mail, with its scope and the source of the change (R-POL-02)."""

from dataclasses import dataclass
from datetime import datetime

from relay.core.model.kind import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOut:
    """An opt-out of one buyer.

    It covers all sellers when `seller_id` and `kind` are None; else that seller, that kind, or that kind from that
    seller.
    """

    buyer_id: str
    seller_id: str | None
    kind: Kind | None
    source: str
    changed_at: datetime
