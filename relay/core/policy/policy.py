"""A marketplace's policy: what the rules are steered by. Plain values; `version` names them in every record."""

from dataclasses import dataclass

from relay.core.model.kind import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """`brackets` are the pairs that may enclose an `important_words` mark in a subject; `additional_information` are
    the subjects that pass opt-out as a whole or as a beginning (R-POL-04); `auto_replies_per_day` per pair and author
    (R-POL-14); `hop_limit` counts Received fields (RFC 5321 §6.3); `pending_senders` per party (R-SND-02)."""

    version: str = "builtin-1"
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
    auto_replies_per_day: int = 1
    hop_limit: int = 30
    max_message_bytes: int = 26_214_400
    pending_senders: int = 10
