"""Everything that a decision may look at besides the message itself, gathered first and frozen."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from relay.core.model.marketplace import Marketplace
from relay.core.model.optout import OptOut
from relay.core.model.order import Order
from relay.core.model.pair import Pair
from relay.core.model.party import Role
from relay.core.model.sender import Sender


class Proof(StrEnum):
    """How the writer was proven (R-IN-09)."""

    LOGIN = "login"
    ALIGNED = "aligned"
    KNOWN_DOMAIN = "known_domain"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """What inbound authentication found. `results` are `method=result` words for the record ("spf=pass");
    `dmarc_fail`: the From domain publishes DMARC, nothing is aligned, and no exception of R-IN-09 applies."""

    proof: Proof
    results: tuple[str, ...] = ()
    spf_fail: bool = False
    dmarc_fail: bool = False


class ScanOutcome(StrEnum):
    CLEAN = "clean"
    VIRUS = "virus"
    SPAM = "spam"
    AWAY = "away"
    """Not asked in time, and the setting says that mail is held then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What one scanner said (R-POL-17). `found` is its own name for it, printable ASCII, at most 100 characters."""

    scanner: str
    outcome: ScanOutcome
    found: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadRef:
    """One id of In-Reply-To or References that this pair knows: what it is called on the recipient's side, and who
    wrote that message. Both ids without angle brackets."""

    incoming_id: str
    outgoing_id: str
    author: Role
    order_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the quotas of today have counted already: messages that are neither answers nor critical of the seller, of
    the pair, to the buyer over all sellers; and the seller's uses of the bypass."""

    seller: int = 0
    pair: int = 0
    buyer: int = 0
    bypass: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """About one recipient alias of one incoming message.

    `to` is whom the alias stands for, so the writer ought to be the other side. `sender` is the entry of the writing
    side's list that fits From (an exact address before a domain), None when nothing fits. `listed_elsewhere`: From is
    listed for another party of this marketplace. `is_own_from`: From is at a domain of the relay itself; then
    `sender` is None. `thread_refs`: known ids only. `open_question`: the buyer wrote last and the seller has not
    answered. `order` is what the tag names, else what the thread is about, if anything;
    `orders` are all of the pair. `coming`: the counters of the days after today, where today's are full: mail that a
    quota holds has its place there. `misuse` is the seller's score (R-POL-06). `thread_last_at`: when the thread had
    its last mail or was reopened, None for a new one. `scans`: what the scanners found. `link_prefix`: how
    signed links of ours begin, which the rewrite takes out of what an author quotes. `other_tags`: further orders and
    kinds that the recipient's addresses named; only the record keeps them.
    """

    marketplace: Marketplace
    pair: Pair
    to: Role
    tag: str
    order: Order | None
    authentication: Authentication
    from_address: str
    sender: Sender | None
    listed_elsewhere: bool
    pending_senders: int
    opt_outs: tuple[OptOut, ...]
    thread_refs: tuple[ThreadRef, ...]
    open_question: bool
    auto_replies_today: int
    orders: tuple[Order, ...] = ()
    usage: Usage = Usage()
    coming: tuple[Usage, ...] = ()
    misuse: int = 0
    thread_last_at: datetime | None = None
    is_own_from: bool = False
    scans: tuple[Scan, ...] = ()
    link_prefix: str = ""
    other_tags: tuple[str, ...] = ()
