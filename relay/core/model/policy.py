"""A marketplace's policy: the settings of all rules, as plain values. Every record names the `version` that judged it.

There is one frozen structure per section of the policy file (`docs/policy.md`). The defaults are the shipped policy.
Durations are in seconds and sizes in bytes; a count of 0 means "no limit".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from relay.core.model.kind import Kind

_DAY_S: Final = 86_400


class ContentAction(StrEnum):
    """The action of a content rule, the mildest first."""

    ALLOW = "allow"
    WARN = "warn"
    STRIP = "strip"
    HOLD = "hold"
    RETURN = "return"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One content rule: its action, and the kinds with an action of their own (R-POL-08)."""

    action: ContentAction
    kinds: Mapping[Kind, ContentAction] = field(default_factory=dict)

    def action_for(self, kind: Kind) -> ContentAction:
        return self.kinds.get(kind, self.action)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of a message.

    `hop_limit` counts Received fields (RFC 5321 §6.3). `auto_replies_per_day` is per pair and author (R-POL-14).
    """

    message_bytes: int = 26_214_400
    hop_limit: int = 30
    auto_replies_per_day: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Senders:
    """Limits of pending senders (R-SND-02).

    `pending` is the number of unlisted addresses that may wait per party; `pending_s` is the time that held mail waits
    for a decision.
    """

    pending: int = 10
    pending_s: int = 14 * _DAY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Bypass:
    """The messages that pass a buyer's opt-out, and the price of marks of importance (R-POL-04, R-POL-06).

    `brackets` are the pairs that may enclose an `important_words` mark in a subject. `additional_information` are
    subjects that pass as a whole or as a beginning. A seller may use `per_day` marks; from `smaller_at` points
    `smaller_per_day`, from `off_at` points none; from `warn_at` points each use gives a warning. A buyer's "not
    important" and a contradicting content add their points, which count for `score_s`.
    """

    brackets: tuple[str, ...] = ("[]", "［］", "()", "（）", "【】", "「」")
    important_words: tuple[str, ...] = ("重要", "Important")
    additional_information: tuple[str, ...] = (
        "Additional information required",
        "追加の情報が必要です",
        "追加情報が必要です",
    )
    critical_kinds: frozenset[Kind] = frozenset(
        {
            Kind.ORDER_PROBLEM,
            Kind.ADDRESS_CHECK,
            Kind.CUSTOMISATION,
            Kind.DELIVERY_APPOINTMENT,
            Kind.DELAY_OR_UNAVAILABLE,
            Kind.RETURN_OR_REFUND,
            Kind.LEGAL,
        }
    )
    per_day: int = 20
    smaller_per_day: int = 5
    points_not_important: int = 2
    points_contradiction: int = 1
    warn_at: int = 2
    smaller_at: int = 6
    off_at: int = 12
    score_s: int = 90 * _DAY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachments:
    """The files that may be attached, in both directions (R-POL-07).

    `extensions` are in lower case without dot. `total_bytes` is the decoded size of all attachments.
    """

    extensions: frozenset[str] = frozenset({"txt", "pdf", "doc", "docx", "jpg", "jpeg", "gif", "bmp", "png"})
    total_bytes: int = 10_000_000
    action: ContentAction = ContentAction.RETURN
    archives: bool = True
    """Whether a .zip passes when all files in it would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The rules for mail of sellers (R-POL-08, R-POL-09, R-POL-10).

    Links to `allowed_domains` and to their subdomains pass.
    """

    links: Rule = Rule(action=ContentAction.WARN)
    logos: Rule = Rule(action=ContentAction.STRIP)
    pixels: Rule = Rule(action=ContentAction.STRIP)
    contact: Rule = Rule(action=ContentAction.RETURN)
    disguised_contact: Rule = Rule(action=ContentAction.HOLD)
    promotion: Rule = Rule(action=ContentAction.WARN)
    status_copy: Rule = Rule(action=ContentAction.WARN)
    allowed_domains: frozenset[str] = frozenset(
        {
            "kuronekoyamato.co.jp",
            "sagawa-exp.co.jp",
            "japanpost.jp",
            "seino.co.jp",
            "fukutsu.co.jp",
            "dhl.com",
            "fedex.com",
            "ups.com",
            "usps.com",
        }
    )
    promotion_words: tuple[str, ...] = ()
    """RE2 patterns of promotion, in addition to the built-in ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """The messages per day that are neither answers nor critical (R-POL-11)."""

    seller_per_day: int = 500
    pair_per_day: int = 20
    buyer_per_day: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Quiet hours and delay for mail that is not critical (R-POL-12).

    `quiet` is "22:00-07:00" or "" in the buyer's `time_zone`; the buyer's own settings have precedence. `delay_s`
    applies in any case. Quota days end at midnight of `time_zone`.
    """

    time_zone: str = "Asia/Tokyo"
    quiet: str = ""
    delay_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fulfilment:
    """The handling of questions about orders that the operator fulfils (R-POL-13).

    Messages of `product_kinds` go to a seller who has turned product support on; all others go to the operator.
    """

    product_kinds: frozenset[Kind] = frozenset({Kind.CUSTOMISATION, Kind.OTHER, Kind.REPLY})
    operator: str = ""
    """The mailbox for service questions; "" means the marketplace's operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threads:
    """The end of threads: a thread without mail for `close_s` is closed (R-POL-18)."""

    close_s: int = 180 * _DAY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanning:
    """The action for findings of scanners (R-POL-17): `hold` or `return`."""

    virus: ContentAction = ContentAction.RETURN
    spam: ContentAction = ContentAction.HOLD


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The response clock (R-REC-08): an answer is late after `within_s`.

    With `business_days` only the days in `work_days` (0 is Monday) count, without `holidays` (ISO dates).
    """

    within_s: int = _DAY_S
    business_days: bool = False
    work_days: frozenset[int] = frozenset({0, 1, 2, 3, 4})
    holidays: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A version of a marketplace's policy.

    It judges messages from `effective_at` on. `summary` describes the change to sellers, by locale (R-POL-20); they get
    it `announce_s` before it takes effect.
    """

    version: str = "builtin-1"
    effective_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    summary: Mapping[str, str] = field(default_factory=dict)
    announce_s: int = 14 * _DAY_S
    limits: Limits = Limits()
    senders: Senders = Senders()
    bypass: Bypass = Bypass()
    attachments: Attachments = Attachments()
    content: Content = Content()
    quotas: Quotas = Quotas()
    hours: Hours = Hours()
    fulfilment: Fulfilment = Fulfilment()
    threads: Threads = Threads()
    scanning: Scanning = Scanning()
    response: Response = Response()
