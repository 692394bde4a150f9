"""The facts of a decision: all its inputs besides the message itself, looked up first and frozen."""

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
    """The way in which the writer was proven (R-IN-09)."""

    LOGIN = "login"
    ALIGNED = "aligned"
    KNOWN_DOMAIN = "known_domain"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature of DKIM or ARC: its folded domain, its selector, and the octets of its `b=`."""

    domain: str
    selector: str
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureProof:
    """The proof of a writer whom nothing but signatures proves (R-IN-09).

    `signatures` are all valid ones of the writer's organization. `domains` are those of the signatures that cover all
    fields that act, and `recipients` the unfolded values of the To and Cc fields that these sign. `sealed` means that
    it is the signature of a trusted sealer (ARC): then the recipient need not stand in To or Cc.
    """

    signatures: tuple[Signature, ...]
    domains: tuple[str, ...]
    recipients: tuple[str, ...] = ()
    sealed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """The result of inbound authentication.

    `results` are `method=result` texts for the record, such as "spf=pass". `dmarc_fail` means that the From domain
    publishes DMARC, nothing is aligned, and no exception of R-IN-09 applies. `signed` is set if signatures alone prove
    the writer. `uncovered` are the names of fields that act and that no such signature covers (`core.coverage`).
    """

    proof: Proof
    results: tuple[str, ...] = ()
    spf_fail: bool = False
    dmarc_fail: bool = False
    signed: SignatureProof | None = None
    uncovered: tuple[str, ...] = ()


class ScanOutcome(StrEnum):
    """The outcome of a scan."""

    CLEAN = "clean"
    VIRUS = "virus"
    SPAM = "spam"
    AWAY = "away"
    """The message could not be scanned, and is held therefore."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """The verdict of one scanner (R-POL-17).

    `found` is the scanner's own name for its finding: printable ASCII, at most 100 characters.
    """

    scanner: str
    outcome: ScanOutcome
    found: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadRef:
    """An id in In-Reply-To or References that this pair knows, and the message that it names.

    `outgoing_id` is the id of that message on the recipient's side; `author` wrote it. Both ids have no angle brackets.
    """

    incoming_id: str
    outgoing_id: str
    author: Role
    order_id: str | None = None


class QuotaScope(StrEnum):
    """The messages that one counter counts, for a day or (CHECKS) for an hour.

    `Usage` has a field for each of the first six; the last two count the mail to the operator by client, and its bytes
    (R-IN-06).
    """

    SELLER = "seller"
    PAIR = "pair"
    BUYER = "buyer"
    BYPASS = "bypass"
    RETURNED = "returned"
    CHECKS = "checks"
    OPERATOR_MESSAGES = "operator_messages"
    OPERATOR_BYTES = "operator_bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The messages that today's quotas have counted: of the seller, of the pair, and to the buyer from all sellers.

    Answers and critical messages are not counted. `bypass` counts the seller's marks of importance. `returned` counts
    the writer's returned, checked and refused mail, and `checks` the checks of this hour.
    """

    seller: int = 0
    pair: int = 0
    buyer: int = 0
    bypass: int = 0
    returned: int = 0
    checks: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The mail that waits for the owner of the writer's account, as far as it limits this writer (R-SND-02).

    `has_place`: the writer has a place among the unlisted senders of the account, or may get one. `mails` and
    `size_bytes` are the writer's own of late; `by_domain` says whether they are those of the whole domain.
    """

    has_place: bool = True
    mails: int = 0
    size_bytes: int = 0
    by_domain: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The facts about one recipient alias of one incoming message.

    `to` is the party of the alias, so the other side should be the writer. `sender` is the entry for From in the
    writing side's list (an exact address before a domain), None when there is none. `listed_elsewhere`: From is in the
    list of another party of this marketplace, which only the record may say. `is_own_from`: the domain of From is the
    relay's own; then `sender` is None. `waiting` is looked up for a writer who is not listed or not proven.
    `thread_refs` contains known ids only. `open_question`: the buyer wrote last and the seller has not answered.
    `order` is the order that the tag names, else the order of the thread, if any; `orders` are all orders of the pair.

    `is_addressed` is False if signatures alone prove the writer, and the alias stands in none of the To and Cc fields
    that they sign; only then `domain_confirmed` is looked up: whether the owner of the writing side has confirmed the
    domain of such a signature. `duplicate_of` is the record with which the same signature was relayed, held or returned
    before, to this alias; None if signatures are not the only proof.

    `coming` are the counts of the days after today, looked up when today's quota is used up: mail that a quota holds
    counts there. `misuse` is the seller's score (R-POL-06). `thread_last_at` is the time of the thread's last mail, or
    of its reopening; None for a new thread. `scans` are the scanners' verdicts. `link_prefix` is the beginning of our
    own signed links, which the rewrite removes from quoted text. `other_tags` are further orders and kinds in the
    recipient's addresses; only the record keeps them. `auto_replies_today` counts the automatic replies of the writing
    side in the last 24 hours that were not returned; it is 0 if this mail is no such reply. `is_check`: the writer only
    asks for the verdict (R-POL-19). `writer_key` is the subject of the writer's limit on returned mail: the id of the
    party for its login and its approved senders, else a keyed id of the address, so that no stranger can use up the
    party's limit (R-POL-11).
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
    waiting: Waiting
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
    is_addressed: bool = True
    domain_confirmed: bool = False
    duplicate_of: str | None = None
    is_check: bool = False
    writer_key: str = ""

    @property
    def listed_by_other_side(self) -> bool:
        """Whether the party that the mail goes to lists From itself, in any state (not only its domain).

        It is a secret of that party, so it changes no answer, count or look-up: only the record keeps it (R-SND-02).
        """
        return self.pair.side(self.to).lists(self.from_address)
