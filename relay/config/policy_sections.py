"""The policy file's sections as frozen structures: each key with its type, range and default.

The defaults are the shipped policy's, and `relay/config/default_policy.toml` names every key with its comment. Every
duration is in seconds (`_s`), every size in bytes (`_bytes`); a count of 0 means "no limit".
"""

from typing import Annotated, Any, Literal

import msgspec

from relay.config.formats import DAY, QUIET, WHEN, ZONE, Brackets, Extension, MailDomain, OptionalAddress, Pattern
from relay.config.sections import Positive, Text, Whole
from relay.core.model.kind import Kind
from relay.core.model.policy import ActionByKind, ContentAction, Policy

_P = Policy()
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class LimitsSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    message_bytes: Positive = _P.limits.message_bytes
    hop_limit: Positive = _P.limits.hop_limit
    auto_replies_per_day: Positive = _P.limits.auto_replies_per_day


class SendersSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pending: Positive = _P.senders.pending
    pending_s: Positive = _P.senders.pending_s


class BypassSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    brackets: tuple[Brackets, ...] = _P.bypass.brackets
    important_words: tuple[Text, ...] = _P.bypass.important_words
    additional_information: tuple[Text, ...] = _P.bypass.additional_information
    critical_kinds: tuple[Kind, ...] = tuple(sorted(_P.bypass.critical_kinds))
    per_day: Whole = _P.bypass.per_day
    smaller_per_day: Positive = _P.bypass.smaller_per_day
    points_not_important: Whole = _P.bypass.points_not_important
    points_contradiction: Whole = _P.bypass.points_contradiction
    warn_at: Positive = _P.bypass.warn_at
    smaller_at: Positive = _P.bypass.smaller_at
    off_at: Positive = _P.bypass.off_at
    score_s: Positive = _P.bypass.score_s


class AttachmentsSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    extensions: tuple[Extension, ...] = tuple(sorted(_P.attachments.extensions))
    total_bytes: Positive = _P.attachments.total_bytes
    action: ContentAction = _P.attachments.action
    archives: bool = _P.attachments.archives


class RuleSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    action: ContentAction
    kinds: dict[Kind, ContentAction] = {}


PixelAction = Literal["strip", "return"]


class PixelSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pixel tells the writer when and where he was read: it never passes (R-POL-08, R-REW-07)."""

    action: PixelAction
    kinds: dict[Kind, PixelAction] = {}


def _rule(rule: ActionByKind) -> RuleSection:
    return RuleSection(action=rule.action, kinds=dict(rule.kinds))


class ContentSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    links: RuleSection = _rule(_P.content.links)
    logos: RuleSection = _rule(_P.content.logos)
    pixels: PixelSection = PixelSection(action="strip")
    contact: RuleSection = _rule(_P.content.contact)
    disguised_contact: RuleSection = _rule(_P.content.disguised_contact)
    promotion: RuleSection = _rule(_P.content.promotion)
    status_copy: RuleSection = _rule(_P.content.status_copy)
    allowed_domains: tuple[Annotated[MailDomain, msgspec.Meta(min_length=1)], ...] = tuple(
        sorted(_P.content.allowed_domains)
    )
    promotion_words: tuple[Pattern, ...] = _P.content.promotion_words


class QuotasSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    seller_per_day: Whole = _P.quotas.seller_per_day
    pair_per_day: Whole = _P.quotas.pair_per_day
    buyer_per_day: Whole = _P.quotas.buyer_per_day


class HoursSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    time_zone: Annotated[str, msgspec.Meta(extra={"format": ZONE}, min_length=1)] = _P.hours.time_zone
    quiet: Annotated[str, msgspec.Meta(extra={"format": QUIET})] = _P.hours.quiet
    delay_s: Whole = _P.hours.delay_s


class FulfilmentSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    product_kinds: tuple[Kind, ...] = tuple(sorted(_P.fulfilment.product_kinds))
    operator: OptionalAddress = _P.fulfilment.operator


class ThreadsSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    close_s: Whole = _P.threads.close_s


class ScanningSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    virus: Literal["hold", "return"] = "return"
    spam: Literal["hold", "return"] = "hold"


class ResponseSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    within_s: Positive = _P.response.within_s
    business_days: bool = _P.response.business_days
    work_days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = (
        "mon",
        "tue",
        "wed",
        "thu",
        "fri",
    )
    holidays: tuple[Annotated[Any, msgspec.Meta(extra={"format": DAY})], ...] = ()


class PolicyFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of a marketplace's policy. `effective_at` is a TOML date (midnight in `hours.time_zone`) or time."""

    version: Text
    effective_at: Annotated[Any, msgspec.Meta(extra={"format": WHEN})]
    announce_s: Whole = _P.announce_s
    summary: dict[Literal["en", "ja"], Text] = {}
    limits: LimitsSection = LimitsSection()
    senders: SendersSection = SendersSection()
    bypass: BypassSection = BypassSection()
    attachments: AttachmentsSection = AttachmentsSection()
    content: ContentSection = ContentSection()
    quotas: QuotasSection = QuotasSection()
    hours: HoursSection = HoursSection()
    fulfilment: FulfilmentSection = FulfilmentSection()
    threads: ThreadsSection = ThreadsSection()
    scanning: ScanningSection = ScanningSection()
    response: ResponseSection = ResponseSection()
