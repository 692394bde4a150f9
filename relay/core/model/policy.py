"""A marketplace's policy: the settings of its rules, as plain values.

Each section of the policy file (`docs/policy.md`) is a frozen dataclass. Each setting is defined only by its field: the
field's type has the constraints, and the field's default is the value in the built-in policy. Durations are in seconds
(`_s`), sizes in bytes (`_bytes`). If a count may be 0, then 0 means "no limit".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Final

from relay.core.model.kind import Kind
from relay.core.providers import MAILBOX_PROVIDERS
from relay.core.setting import (
    DAY,
    WHEN,
    Brackets,
    Extension,
    Language,
    MailDomain,
    OneOf,
    OptionalMailAddress,
    Pattern,
    Positive,
    QuietHours,
    SettingFlag,
    Text,
    TimeZone,
    Whole,
)

_DAY_S: Final = 86_400


class ContentAction(StrEnum):
    """The actions of a content rule, from the mildest to the most severe."""

    ALLOW = "allow"
    WARN = "warn"
    STRIP = "strip"
    HOLD = "hold"
    RETURN = "return"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionByKind:
    """The action of a content rule; `kinds` has the kinds of mail for which the action is another one (R-POL-08)."""

    action: ContentAction
    kinds: Mapping[Kind, ContentAction] = field(default_factory=dict)

    def action_for(self, kind: Kind) -> ContentAction:
        return self.kinds.get(kind, self.action)


_Cleaning = Annotated[ContentAction, OneOf(("strip", "return"))]
_Stopping = Annotated[ContentAction, OneOf(("hold", "return"))]


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelAction(ActionByKind):
    """The action for a tracking pixel (R-POL-08, R-REW-07): to remove the pixel, or to return the message.

    There is no milder action, because a tracking pixel shows the writer when and where the buyer reads the mail.
    """

    action: _Cleaning
    kinds: Mapping[Kind, _Cleaning] = field(default_factory=dict)


class Weekday(StrEnum):
    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of messages.

    `hop_limit` is the largest number of Received fields that a message may have (RFC 5321 §6.3). `auto_replies_per_day`
    is the largest number of automatic replies of one party that are relayed to the other within 24 hours (R-POL-14).

    Two kinds of mail count as automatic replies without a mark: an answer that comes within `instant_reply_s` of the
    mail that it answers, and a text of at least `repeated_text_bytes` octets of UTF-8 that the pair's mail of this day
    or of the day before had already; 0 turns either off. `pair_per_hour` is the largest number of mails of both sides
    of a pair in one hour, answers included; more are held for the operator.
    """

    message_bytes: Positive = 26_214_400
    hop_limit: Positive = 30
    auto_replies_per_day: Positive = 1
    instant_reply_s: Whole = 60
    repeated_text_bytes: Whole = 40
    pair_per_hour: Whole = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Senders:
    """Limits of mail from unlisted senders and of unproven mail (R-SND-02).

    `pending` is the largest number of unlisted senders of one party that may wait for a decision. `pending_s` is the
    time for which held mail waits for a decision. All addresses of one organizational domain count as one sender, which
    may send `domain_mails` mails and `domain_bytes` bytes within `pending_s`. At a domain in `mailbox_providers`
    anybody can get an address, so there each address counts as a sender of its own, which may send `address_mails`
    mails and `address_bytes` bytes. These two limits also apply to the unproven mail that waits for one approved
    address.
    """

    pending: Positive = 10
    pending_s: Positive = 14 * _DAY_S
    domain_mails: Positive = 5
    domain_bytes: Positive = 25 * 1024 * 1024
    address_mails: Positive = 3
    address_bytes: Positive = 10_000_000
    mailbox_providers: frozenset[MailDomain] = MAILBOX_PROVIDERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Bypass:
    """Marks of importance, by which a message passes the buyer's opt-out, and their limits (R-POL-04, R-POL-06).

    A subject is marked if it contains one of the `important_words` in one of the pairs of `brackets`, or if it begins
    with one of the texts of `additional_information`. Mail of the `critical_kinds` passes without a mark in the
    subject.

    A seller may use `per_day` marks a day. A seller gets `points_not_important` each time that a buyer says "not
    important", and `points_contradiction` each time that the content contradicts the mark; points count for `score_s`
    seconds. A seller with `warn_at` points gets a warning for each use; a seller with `smaller_at` points may use only
    `smaller_per_day` marks a day; a seller with `off_at` points may use none.
    """

    brackets: tuple[Brackets, ...] = ("[]", "［］", "()", "（）", "【】", "「」")
    important_words: tuple[Text, ...] = ("重要", "Important")
    additional_information: tuple[Text, ...] = (
        "Additional information required",
        "追加の情報が必要です",
        "追加情報が必要です",
        "追加の情報が必要",
        "追加情報が必要",
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
    per_day: Whole = 20
    smaller_per_day: Positive = 5
    points_not_important: Whole = 2
    points_contradiction: Whole = 1
    warn_at: Positive = 2
    smaller_at: Positive = 6
    off_at: Positive = 12
    score_s: Positive = 90 * _DAY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachments:
    """The attachments that buyers and sellers may send (R-POL-07).

    `extensions` are the allowed file extensions, without the dot and in lower case. `total_bytes` is the largest sum of
    the sizes of a message's decoded attachments. `action` is the action for a message with any other attachment.
    """

    extensions: frozenset[Extension] = frozenset({"txt", "pdf", "doc", "docx", "jpg", "jpeg", "gif", "bmp", "png"})
    total_bytes: Positive = 10_000_000
    action: ContentAction = ContentAction.RETURN
    archives: bool = True
    """Whether a .zip file is allowed if all files in it are allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The actions for the things that the text of a seller's message may contain (R-POL-08..10).

    Links to `allowed_domains` and their subdomains are always allowed.
    """

    links: ActionByKind = ActionByKind(action=ContentAction.WARN)
    logos: ActionByKind = ActionByKind(action=ContentAction.STRIP)
    pixels: PixelAction = PixelAction(action=ContentAction.STRIP)
    contact: ActionByKind = ActionByKind(action=ContentAction.RETURN)
    disguised_contact: ActionByKind = ActionByKind(action=ContentAction.HOLD)
    promotion: ActionByKind = ActionByKind(action=ContentAction.WARN)
    asks_buyer_to_cancel: ActionByKind = ActionByKind(action=ContentAction.WARN)
    status_copy: ActionByKind = ActionByKind(action=ContentAction.WARN)
    allowed_domains: frozenset[MailDomain] = frozenset(
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
    promotion_words: tuple[Pattern, ...] = ()
    """RE2 patterns of words that count as promotion, in addition to the built-in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """The limits of sellers' messages per day that are neither answers nor critical (R-POL-11).

    `seller_per_day` is for one seller, `pair_per_day` for one pair, and `buyer_per_day` for the mail of all sellers to
    one buyer. `returned_per_day` limits the returned, checked and refused mail of one writer, and `checks_per_hour`
    limits the writer's checks (`check+ALIAS`). A day ends at midnight in `Hours.time_zone`.
    """

    seller_per_day: Whole = 500
    pair_per_day: Whole = 20
    buyer_per_day: Whole = 50
    returned_per_day: Whole = 60
    checks_per_hour: Whole = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Quiet hours, and a delay, for mail that is not critical (R-POL-12).

    `quiet` are the hours ("22:00-07:00", "" for none) in `time_zone` in which no mail is sent to a buyer; mail waits
    for their end. A buyer's own settings replace `quiet` and `time_zone`. Mail that is not critical also waits
    `delay_s` seconds. The days of the quotas end at midnight in `time_zone`.
    """

    time_zone: TimeZone = "Asia/Tokyo"
    quiet: QuietHours = ""
    delay_s: Whole = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fulfilment:
    """The recipient of buyers' mail about orders that the operator fulfils (R-POL-13).

    Mail of one of the `product_kinds` is sent to the seller if the seller has turned on product support. All other mail
    is sent to the operator.
    """

    product_kinds: frozenset[Kind] = frozenset({Kind.CUSTOMISATION, Kind.PRODUCT_QUESTION, Kind.REPLY})
    operator: OptionalMailAddress = ""
    """The address to which service questions are sent; "" means the address of the marketplace's operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threads:
    """The end of threads: a thread is closed if it has had no mail for `close_s` seconds (R-POL-18)."""

    close_s: Whole = 180 * _DAY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanning:
    """The actions for a virus and for spam that a scanner has found (R-POL-17)."""

    virus: _Stopping = ContentAction.RETURN
    spam: _Stopping = ContentAction.HOLD


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The time within which sellers should answer (R-REC-08): an answer is late after `within_s` seconds.

    If `business_days` is True, only the days in `work_days` that are not in `holidays` count.
    """

    within_s: Positive = _DAY_S
    business_days: bool = False
    work_days: frozenset[Weekday] = frozenset([*Weekday][:5])
    holidays: frozenset[Annotated[date, DAY]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One version of a policy.

    `version` is its name in every record. The version is in force from `effective_at` on; a date in the file means
    midnight in `hours.time_zone`. Sellers get a letter about the version `announce_s` seconds before `effective_at`;
    the letter contains the text of `summary` in the seller's language (R-POL-20).
    """

    version: Annotated[Text, SettingFlag.REQUIRED] = "builtin-1"
    effective_at: Annotated[datetime, WHEN, SettingFlag.REQUIRED] = datetime(2026, 1, 1, tzinfo=UTC)
    announce_s: Whole = 14 * _DAY_S
    summary: Mapping[Language, Text] = field(default_factory=dict)
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
