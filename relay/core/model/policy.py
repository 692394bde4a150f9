"""A marketplace's policy: the settings of the rules. Plain values; `version` names them in every record.

One frozen structure per section of the policy file (`docs/policy.md`). A field is the one definition of its setting:
its type with the constraints of the file, and as its default the value of the shipped policy. Durations are in seconds
(`_s`), sizes in bytes (`_bytes`), a count of 0 means "no limit".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Final

from relay.core.model.kind import Kind
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
    """The actions of a content rule, mildest first."""

    ALLOW = "allow"
    WARN = "warn"
    STRIP = "strip"
    HOLD = "hold"
    RETURN = "return"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionByKind:
    """The action of a content rule, and other actions for some kinds of mail (R-POL-08)."""

    action: ContentAction
    kinds: Mapping[Kind, ContentAction] = field(default_factory=dict)

    def action_for(self, kind: Kind) -> ContentAction:
        return self.kinds.get(kind, self.action)


_Cleaning = Annotated[ContentAction, OneOf(("strip", "return"))]
_Stopping = Annotated[ContentAction, OneOf(("hold", "return"))]


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelAction(ActionByKind):
    """A tracking pixel tells the writer when and where a mail is read, so it never passes (R-POL-08, R-REW-07)."""

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
    """Limits of a message.

    `hop_limit` counts Received fields (RFC 5321 §6.3). `auto_replies_per_day` is per pair and author, within the last
    24 hours (R-POL-14).
    """

    message_bytes: Positive = 26_214_400
    hop_limit: Positive = 30
    auto_replies_per_day: Positive = 1


_MAILBOX_PROVIDERS: Final = (
    # Mobile carriers
    *("docomo.ne.jp", "ezweb.ne.jp", "au.com", "softbank.jp", "softbank.ne.jp", "vodafone.ne.jp", "ymobile.ne.jp"),
    *("ymobile1.ne.jp", "y-mobile.ne.jp", "emobile.ne.jp", "willcom.com", "disney.ne.jp", "rakuten.jp"),
    # Internet providers in Japan
    *("nifty.com", "biglobe.ne.jp", "ocn.ne.jp", "so-net.ne.jp", "plala.or.jp", "dion.ne.jp", "jcom.home.ne.jp"),
    *("asahi-net.or.jp", "infoseek.jp", "excite.co.jp", "goo.jp"),
    # Mailboxes for everybody
    *("gmail.com", "googlemail.com", "yahoo.co.jp", "yahoo.com", "ymail.com", "myyahoo.com", "aol.com"),
    *("outlook.com", "outlook.jp", "hotmail.com", "hotmail.co.jp", "live.com", "live.jp", "msn.com"),
    *("icloud.com", "me.com", "mac.com", "proton.me", "protonmail.com", "pm.me", "tuta.com", "tutanota.com"),
    *("gmx.de", "gmx.net", "gmx.com", "web.de", "t-online.de", "mail.com", "mail.ru", "yandex.ru", "yandex.com"),
    *("qq.com", "163.com", "126.com", "sina.com", "naver.com", "daum.net", "hanmail.net", "zoho.com", "fastmail.com"),
    *("orange.fr", "free.fr", "laposte.net", "libero.it", "comcast.net", "btinternet.com", "hey.com"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Senders:
    """Limits for unlisted senders, and for mail that nothing proves (R-SND-02).

    `pending`: unlisted senders that may wait per party; `pending_s`: how long held mail waits for a decision. The
    addresses of one organizational domain are one sender, with `domain_mails` and `domain_bytes` within `pending_s`.
    Each address at one of the `mailbox_providers`, where anybody gets an address, is a sender by itself, with
    `address_mails` and `address_bytes`; so much unproven mail of a listed address may wait too.
    """

    pending: Positive = 10
    pending_s: Positive = 14 * _DAY_S
    domain_mails: Positive = 5
    domain_bytes: Positive = 25 * 1024 * 1024
    address_mails: Positive = 3
    address_bytes: Positive = 10_000_000
    mailbox_providers: frozenset[MailDomain] = frozenset(_MAILBOX_PROVIDERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bypass:
    """Marks of importance that pass the buyer's opt-out, and their price (R-POL-04, R-POL-06).

    `brackets` are the pairs that may enclose an `important_words` mark in a subject. `additional_information` are
    subjects that pass as a whole or as a beginning. A seller may use `per_day` marks; from `smaller_at` points
    `smaller_per_day`, from `off_at` points none; from `warn_at` points each use gives a warning. A buyer's "not
    important" and a contradicting content add their points, which count for `score_s`.
    """

    brackets: tuple[Brackets, ...] = ("[]", "［］", "()", "（）", "【】", "「」")
    important_words: tuple[Text, ...] = ("重要", "Important")
    additional_information: tuple[Text, ...] = (
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
    """Allowed attachments, both ways (R-POL-07).

    `extensions` are without dot, in lower case; `total_bytes` counts decoded octets.
    """

    extensions: frozenset[Extension] = frozenset({"txt", "pdf", "doc", "docx", "jpg", "jpeg", "gif", "bmp", "png"})
    total_bytes: Positive = 10_000_000
    action: ContentAction = ContentAction.RETURN
    archives: bool = True
    """Whether a .zip passes when all files in it would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Actions for what a seller's text contains (R-POL-08..10).

    `allowed_domains`: links to these and their subdomains pass.
    """

    links: ActionByKind = ActionByKind(action=ContentAction.WARN)
    logos: ActionByKind = ActionByKind(action=ContentAction.STRIP)
    pixels: PixelAction = PixelAction(action=ContentAction.STRIP)
    contact: ActionByKind = ActionByKind(action=ContentAction.RETURN)
    disguised_contact: ActionByKind = ActionByKind(action=ContentAction.HOLD)
    promotion: ActionByKind = ActionByKind(action=ContentAction.WARN)
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
    """RE2 patterns of further words of promotion, beside the built-in ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """The messages per day that are neither answers nor critical (R-POL-11). A day ends as `Hours` says.

    `returned_per_day` limits the returned, checked and refused mail of one writer, and `checks_per_hour` the checks.
    """

    seller_per_day: Whole = 500
    pair_per_day: Whole = 20
    buyer_per_day: Whole = 50
    returned_per_day: Whole = 60
    checks_per_hour: Whole = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Quiet hours and delay of mail that is not critical (R-POL-12).

    Mail waits for the end of the `quiet` hours ("22:00-07:00" or "") in `time_zone`, and `delay_s` in any case. A
    buyer's own settings replace the first two. Quota days end at midnight in `time_zone`.
    """

    time_zone: TimeZone = "Asia/Tokyo"
    quiet: QuietHours = ""
    delay_s: Whole = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fulfilment:
    """Orders that the operator fulfils (R-POL-13).

    Mail of the `product_kinds` goes to a seller who has turned product support on, all other mail to the operator.
    """

    product_kinds: frozenset[Kind] = frozenset({Kind.CUSTOMISATION, Kind.OTHER, Kind.REPLY})
    operator: OptionalMailAddress = ""
    """The address for service questions; "" for the marketplace's operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threads:
    """The end of threads: a thread without mail for `close_s` is closed (R-POL-18)."""

    close_s: Whole = 180 * _DAY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanning:
    """Actions for the findings of a scanner (R-POL-17)."""

    virus: _Stopping = ContentAction.RETURN
    spam: _Stopping = ContentAction.HOLD


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The response clock (R-REC-08): an answer is late after `within_s`.

    With `business_days` only the `work_days` without the `holidays` count.
    """

    within_s: Positive = _DAY_S
    business_days: bool = False
    work_days: frozenset[Weekday] = frozenset([*Weekday][:5])
    holidays: frozenset[Annotated[date, DAY]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One version of a policy.

    `effective_at`: it decides from then on; in the file a date is midnight in `hours.time_zone`. `announce_s` before
    that, sellers get `summary`, by language (R-POL-20).
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
