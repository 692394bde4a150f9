"""The facts of a decision: all values that the decision depends on besides the message, looked up first and frozen."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from relay.core.mail.head import Automatic
from relay.core.model.marketplace import Marketplace
from relay.core.model.optout import OptOut
from relay.core.model.order import Order, OrderEvidence
from relay.core.model.pair import Pair
from relay.core.model.party import Role
from relay.core.model.sender import Sender

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


class Proof(StrEnum):
    """How it is proven that the writer may use the From address (R-IN-09)."""

    LOGIN = "login"
    """The client has logged in for the writer's account."""
    ALIGNED = "aligned"
    """SPF or DKIM passed for a domain that is aligned with the domain of From."""
    KNOWN_DOMAIN = "known_domain"
    """The envelope's sender is equal to From, which the marketplace's fallback or a trusted network allows as proof."""
    NONE = "none"
    """It is not proven that the writer may use the From address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature of DKIM or ARC: its domain (folded), its selector, and the octets of its `b=` tag."""

    domain: str
    selector: str
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureProof:
    """The proof of a writer who is proven by signatures alone, not by SPF or a login (R-IN-09).

    `signatures` are all valid signatures of the writer's organization. Some of them cover all fields that change how
    the mail is read (`core.coverage.proves`): `domains` are the domains of these signatures, and `recipients` are the
    unfolded values of the To and Cc fields that they sign. `sealed` is True for the signature of a trusted ARC sealer;
    the recipient need not be in To or Cc in this case.
    """

    signatures: tuple[Signature, ...]
    domains: tuple[str, ...]
    recipients: tuple[str, ...] = ()
    sealed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """The result of the authentication of an incoming message.

    `results` are texts for the record, such as "spf=pass". `dmarc_fail` is True if the From domain publishes a DMARC
    record, neither SPF nor DKIM is aligned, and no exception of R-IN-09 applies. `signed` is set if signatures alone
    prove the writer. `uncovered` are the names of fields that these signatures do not cover
    (`core.coverage.uncovered`).
    """

    proof: Proof
    results: tuple[str, ...] = ()
    spf_fail: bool = False
    dmarc_fail: bool = False
    signed: SignatureProof | None = None
    uncovered: tuple[str, ...] = ()


class ScanOutcome(StrEnum):
    """The outcome of a scan for viruses and spam."""

    CLEAN = "clean"
    VIRUS = "virus"
    SPAM = "spam"
    AWAY = "away"
    """The message could not be scanned, so it is held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """The result of one scanner for a message (R-POL-17).

    `scanner` is the name of the scanner. `found` is the scanner's own name for the virus or the spam that it found: at
    most 100 characters of printable ASCII.
    """

    scanner: str
    outcome: ScanOutcome
    found: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadRef:
    """A message of the pair to which the header of the incoming message refers by In-Reply-To or References.

    `incoming_id` is the message id in that header. `outgoing_id` is the message id under which the recipient knows the
    same message. Both have no angle brackets. `author` is the role of the party that wrote the message, and `order_id`
    is the order of its thread, None if it is about no order. `at` is the time at which it was received.
    """

    incoming_id: str
    outgoing_id: str
    author: Role
    order_id: str | None = None
    at: datetime = _LONG_AGO


class QuotaScope(StrEnum):
    """The scope of a counter: it counts certain mail of one day; CHECKS and PAIR_HOUR count mail of one hour.

    SELLER to TYPED have a field of the same name in `Usage`, which explains them. OPERATOR_MESSAGES and OPERATOR_BYTES
    count the mail of one client to the operator, in messages and in bytes (R-IN-06). RECIPIENTS counts the recorded
    recipients that were refused to one party at RCPT.
    """

    SELLER = "seller"
    PAIR = "pair"
    BUYER = "buyer"
    BYPASS = "bypass"
    RETURNED = "returned"
    CHECKS = "checks"
    PAIR_HOUR = "pair_hour"
    TEXT = "text"
    TYPED = "typed"
    OPERATOR_MESSAGES = "operator_messages"
    OPERATOR_BYTES = "operator_bytes"
    RECIPIENTS = "recipients"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The numbers of messages that count for today's quotas.

    `seller` counts the mail of the seller, `pair` the mail of the seller to this buyer, and `buyer` the mail of all
    sellers to this buyer; answers and critical messages do not count in these three. `bypass` counts the seller's marks
    of importance. `returned` counts the writer's returned, checked and refused mail. `checks` counts the writer's
    checks (`check+ALIAS`) of this hour.

    `pair_hour` counts the mail of both sides of the pair in this hour, `text` the mail of the pair with the same text,
    today and yesterday, and `typed` the marked answers to the mail that this mail answers (`core.policy.automation`).
    """

    seller: int = 0
    pair: int = 0
    buyer: int = 0
    bypass: int = 0
    returned: int = 0
    checks: int = 0
    pair_hour: int = 0
    text: int = 0
    typed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The mail of the writer that waits for the decision of the writer's party, for its limits (R-SND-02).

    `has_place` is True if the writer is among the unlisted senders of the party that may wait, or can become one of
    them. `mails` and `size_bytes` are the number and the bytes of the writer's mails within `Senders.pending_s`. If
    `by_domain` is True, they include the mails of all addresses at the writer's organizational domain.
    """

    has_place: bool = True
    mails: int = 0
    size_bytes: int = 0
    by_domain: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The facts about one incoming message for one recipient alias.

    The recipient: `to` is the side that the alias stands for, so the writer should belong to the other side of `pair`.
    `tag` is the tag of the alias, "" if it has none. `order` is the order that the message is about, None if it is not
    known; `order_evidence` says how it is known. `thread_order` is the order of the messages that this message answers
    if it is another one: the thread continues with `order`. `orders` are all orders of the pair. `other_tags` are
    further orders and kinds in the recipient's addresses, for the record only.

    The writer: `sender` is the entry for the From address in the list of the writing side, None if there is no entry.
    `listed_elsewhere` is True if another party of the marketplace lists the From address, for the record only.
    `is_own_from` is True if the domain of From is a domain of the relay; `sender` is then None. `waiting` is looked up
    only for a writer who is not listed or not proven. `writer_key` identifies the writer in the limit on returned mail:
    it is the id of the party for its login and its approved senders, else a keyed id of the From address, so that no
    stranger can use up the party's limit (R-POL-11).

    Signatures: `is_addressed` is False if signatures alone prove the writer, and the alias is in none of the To and Cc
    fields that they sign. Only in this case `domain_confirmed` is looked up; it is True if the party of the writing
    side has confirmed the domain of one of these signatures. `duplicate_of` is the id of an earlier record, None if
    there is none: a message with the same signature that was relayed, held or returned for this alias.

    The history: `thread_refs` are the messages that this message answers, as far as the pair knows them.
    `open_question` is True if the buyer wrote last and the seller has not answered. `auto_replies_today` is the number
    of automatic replies of the writing side within 24 hours that were not returned; it is 0 if this message is not an
    automatic reply. `automatic` is the class of this message (`core.policy.automation`). `text_mark` and `typed_mark`
    identify its text and the message that it answers in the counters of `Usage.text` and `Usage.typed`, and are "" if
    there is nothing to count. `thread_last_at` is the time of the thread's last mail, or of its reopening, None for a
    new thread. If the order is not known, it is None as long as one of the pair's open orders has had no mail
    yet.

    Limits: `usage` has the counts of today. `coming` has the counts of the following days, on which mail that a quota
    holds is counted; it is looked up only if a quota of today is used up. `misuse` are the points of the seller
    (R-POL-06).

    `scans` are the results of the scanners. `link_prefix` is the beginning of the relay's signed links, which the
    rewrite removes from quoted text. `is_check` is True if the writer only asks for the verdict (R-POL-19).
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
    automatic: Automatic = Automatic.NO
    text_mark: str = ""
    typed_mark: str = ""
    order_evidence: OrderEvidence | None = None
    thread_order: Order | None = None
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
        """Whether the list of the recipient's side has an entry for exactly the From address, in any state.

        An entry for the whole domain does not count. The writer must not learn this, so it changes no answer, count or
        look-up and is only written to the record (R-SND-02).
        """
        return self.pair.side(self.to).lists(self.from_address)
