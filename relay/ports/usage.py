"""The values that the store counts or marks as used: quotas, signatures, points of misuse, and sent notices."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from relay.core.model.facts import QuotaScope, Signature
from relay.core.model.party import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """An increase of one counter: of a quota (R-POL-11), or of a limit of mail to the operator or of records (R-IN-06).

    - `subject_id` is the id of the seller, pair, buyer, writer, party or client that the counter belongs to, as `scope`
      says.
    - `day` is an ISO date in the policy's time zone; for checks it also has the hour in UTC.
    - `limit` is the highest allowed count for the day; 0 means no limit.
    - `amount` is the number that is added to the counter.
    - Uses of one counter with the same `mark` count once; uses with the mark "" count each time.
    """

    scope: QuotaScope
    subject_id: str
    day: str
    limit: int = field(default=0, compare=False)
    amount: int = field(default=1, compare=False)
    mark: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureUse:
    """A DKIM signature that is the only proof of who wrote a message to the party on side `to` of a pair (R-IN-09)."""

    pair_id: str
    to: Role
    signature: Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenSignature:
    """A DKIM signature that is stored with the id of its message, so that the same signature is not accepted again."""

    use: SignatureUse
    message_id: str


class MisuseCause(StrEnum):
    """The cause for which points of misuse are given."""

    NOT_IMPORTANT = "not_important"
    """The buyer says that the message did not deserve its mark."""
    CONTRADICTION = "contradiction"
    """The content of the message contradicts its mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Misuse:
    """Points that a mark of importance has cost a seller (R-POL-06). The same message and cause count once."""

    message_id: str
    seller_id: str
    cause: MisuseCause
    points: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoration:
    """The removal of all points of misuse that a seller had until `at` (R-POL-06). `by` is the name of the actor."""

    seller_id: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeSent:
    """The entry in the notice log for a notice to a party. A similar notice is left out for a while after it.

    `topic` is a text that names the kind of notice and the id of its subject, such as a message.
    """

    party_id: str
    topic: str
    at: datetime
