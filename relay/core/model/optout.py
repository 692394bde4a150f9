"""A buyer's opt-out: the wish to get no unsolicited mail from sellers (R-POL-02)."""

from dataclasses import dataclass
from datetime import datetime

from relay.core.model.kind import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOut:
    """An opt-out of one buyer.

    It is about the mail of the seller `seller_id`, or of all sellers if `seller_id` is None. It is about mail of the
    kind `kind`, or of every kind if `kind` is None. `source` names the way in which the buyer set it, such as a link.
    """

    buyer_id: str
    seller_id: str | None
    kind: Kind | None
    source: str
    changed_at: datetime
