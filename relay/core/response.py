"""The response clock (R-REC-08): how long sellers let buyers' questions wait."""

from dataclasses import dataclass
from datetime import datetime

from relay.core.model.party import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One relayed message between two parties. `automatic` mail answers nothing and asks nothing; `no_reply_needed`:
    the seller has said so of this message."""

    message_id: str
    pair_id: str
    author: Role
    at: datetime
    automatic: bool = False
    no_reply_needed: bool = False
