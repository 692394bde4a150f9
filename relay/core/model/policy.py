"""A marketplace's policy: what the rules are steered by. Plain values; `version` names them in every record.

One frozen structure per section of the policy file (`docs/policy.md`); the defaults are the shipped policy. Durations
are in seconds, sizes in bytes, a count of 0 means "no limit".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from relay.core.model.kind import Kind

_DAY_S: Final = 86_400


class ContentAction(StrEnum):
    """What a content rule does, mildest first."""

    ALLOW = "allow"
    WARN = "warn"
    STRIP = "strip"
    HOLD = "hold"
    RETURN = "return"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionByKind:
    """One content rule: its action, and where a kind has one of its own (R-POL-08)."""

    action: ContentAction
    kinds: Mapping[Kind, ContentAction] = field(default_factory=dict)

    def action_for(self, kind: Kind) -> ContentAction:
        return self.kinds.get(kind, self.action)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`hop_limit` counts Received fields (RFC 5321 §6.3); `auto_replies_per_day` per pair and author (R-POL-14)."""

    message_bytes: int = 26_214_400
    hop_limit: int = 30
    auto_replies_per_day: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Senders:
    """`pending`: unlisted addresses that may wait per party; `pending_s`: how long held mail waits for a word
    (R-SND-02)."""

    pending: int = 10
    pending_s: int = 14 * _DAY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Bypass:
    """What passes the buyer's opt-out, and its price (R-POL-04, R-POL-06).

    `brackets` are the pairs that may enclose an `important_words` mark in a subject; `additional_information` are the
    subjects that pass as a whole or as a beginning. `per_day` uses per seller; from `smaller_at` points on
    `smaller_per_day`, from `off_at` on none, from `warn_at` on a warning each time. A buyer's "not important" and a
    contradicting content cost their points, which count for `score_s`.
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
    """What may be attached, both ways (R-POL-07): extensions without dot, lower case; `total_bytes` decoded."""

    extensions: frozenset[str] = frozenset({"txt", "pdf", "doc", "docx", "jpg", "jpeg", "gif", "bmp", "png"})
    total_bytes: int = 10_000_000
    action: ContentAction = ContentAction.RETURN
    archives: bool = True
    """Whether a .zip passes when all that is in it would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Rules for what sellers write (R-POL-08..10). `allowed_domains`: links to these and their subdomains pass."""

    links: ActionByKind = ActionByKind(action=ContentAction.WARN)
    logos: ActionByKind = ActionByKind(action=ContentAction.STRIP)
    pixels: ActionByKind = ActionByKind(action=ContentAction.STRIP)
    contact: ActionByKind = ActionByKind(action=ContentAction.RETURN)
    disguised_contact: ActionByKind = ActionByKind(action=ContentAction.HOLD)
    promotion: ActionByKind = ActionByKind(action=ContentAction.WARN)
    status_copy: ActionByKind = ActionByKind(action=ContentAction.WARN)
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
    """Further words, RE2 patterns, beside the built-in ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """Messages a day that are neither answers nor critical (R-POL-11)."""

    seller_per_day: int = 500
    pair_per_day: int = 20
    buyer_per_day: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Mail that is not critical waits out the quiet hours, "22:00-07:00" or "", of the buyer's `time_zone` (a buyer's
    own settings go before these), and `delay_s` in any case (R-POL-12). Quota days end at midnight of `time_zone`."""

    time_zone: str = "Asia/Tokyo"
    quiet: str = ""
    delay_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fulfilment:
    """Orders that the operator fulfils (R-POL-13): which kinds are product questions, for the seller, once he has
    turned product support on. All others are the operator's."""

    product_kinds: frozenset[Kind] = frozenset({Kind.CUSTOMISATION, Kind.OTHER, Kind.REPLY})
    operator: str = ""
    """Where service questions go; empty: the marketplace's operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threads:
    """A thread without mail for `close_s` is closed (R-POL-18)."""

    close_s: int = 180 * _DAY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanning:
    """What is done with what a scanner found (R-POL-17): `hold` or `return`."""

    virus: ContentAction = ContentAction.RETURN
    spam: ContentAction = ContentAction.HOLD


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The response clock (R-REC-08): an answer is late after `within_s`, counted on the days of `work_days` (0 is
    Monday) alone when `business_days`, `holidays` (ISO dates) left out."""

    within_s: int = _DAY_S
    business_days: bool = False
    work_days: frozenset[int] = frozenset({0, 1, 2, 3, 4})
    holidays: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """`effective_at`: judged by it from then on. `summary` tells sellers what changes, by locale (R-POL-20);
    `announce_s` before it takes effect they are told."""

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
