"""Returns the values that the text of a reason may contain, and makes values from outside safe to show.

Each value comes from the rule that gave the reason, else from the policy, so no value is missing. Addresses that are
not aliases are removed from values (R-OUT-05). Only the address of a pending sender is shown, because the party must
decide about it; it is written in a form that mail programs do not show as a link.
"""

import unicodedata
from datetime import UTC, datetime
from typing import Final

from relay.core import redact
from relay.core.model.days import reset_at
from relay.core.model.kind import Kind
from relay.core.model.marketplace import Marketplace
from relay.core.model.policy import Policy
from relay.core.model.reason import Reason, ReasonCode
from relay.core.notice.frame import moment
from relay.core.notice.texts import CONTACTS, DEFAULTS, REASON_VALUES, Translations

_KINDS: Final = frozenset(Kind)
_LONGEST: Final = 200
_LONGEST_ADDRESS: Final = 64
_SPELT: Final = {"@": " [at] ", ".": "[dot]", "/": "[slash]", ":": "[colon]", "\\": "[backslash]"}
_FULL_STOPS: Final = str.maketrans("。｡", "..")
_MOST_DIGITS: Final = 4
"""The most digits in a row. Mail programs show a longer number as a link, because it may be a telephone number."""


def shown(text: str, marketplace: Marketplace, longest: int = _LONGEST) -> str:
    """Returns a text from outside as one line, without addresses except aliases.

    The text is cut to `longest` characters before the addresses are replaced by "***".
    """
    return redact.clip(redact.addresses(redact.clip(text, longest), marketplace.domains), longest + 100)


def unlinked(address: str) -> str:
    """Returns an address in a form that people can read and that mail programs do not show as a link.

    A character that makes a text a link, or that looks like such a character, is written as a word in brackets ("[at]",
    "[dot]"). Long numbers are divided by "[]". If the address is longer than 64 characters, only its end is returned,
    because the domain is the part that shows to whom the address belongs.
    """
    spelt = ["[...] "] if len(address) > _LONGEST_ADDRESS else []
    clipped = address[-_LONGEST_ADDRESS:]
    digits = 0
    for char in unicodedata.normalize("NFKC", clipped).translate(_FULL_STOPS):
        digits = digits + 1 if char.isdigit() else digits if char in "-+() " else 0
        if digits > _MOST_DIGITS and char.isdigit():
            spelt.append("[]")
            digits = 1
        if char in _SPELT:
            spelt.append(_SPELT[char])
        elif char.isalnum() or "!" <= char <= "~":
            spelt.append(char)
        else:
            spelt.append(f"[U+{ord(char):04X}]")
    return "".join(spelt).strip()


def of_reason(
    reason: Reason, marketplace: Marketplace, policy: Policy, at: datetime, translations: Translations
) -> dict[str, str]:
    """Returns the values for the texts of a reason, by name: all REASON_VALUES except `important_subject`.

    `important_subject` is left out, because it depends on the message. `policy` is the policy in force at the time
    `at`.
    """
    values = {
        **{name: translations.gettext(f"default.{name}") for name in DEFAULTS},
        "allowed": ", ".join(f".{extension}" for extension in sorted(policy.attachments.extensions)),
        "limit": _limit(reason.code, policy),
        "days": str(policy.threads.close_s // 86_400),
        "reset": reset_at(at, policy).isoformat(),
    }
    for name, value in reason.values:
        if value and name in REASON_VALUES:
            values[name] = shown(value, marketplace)
    values["reset"] = _instant(values["reset"], policy)
    values["kind"] = translations.gettext(f"kind.{values['kind'] if values['kind'] in _KINDS else Kind.OTHER}")
    contact = values["contact"] if values["contact"] in CONTACTS else "other"
    return {**values, "contact": translations.gettext(f"contact.{contact}"), "marketplace": marketplace.name}


def megabytes(size_bytes: int) -> str:
    size = size_bytes / 1_000_000
    return f"{round(size, 1 if size >= 1 else 3):g}"


def _limit(code: ReasonCode, policy: Policy) -> str:
    match code:
        case ReasonCode.QUOTA_SELLER:
            return str(policy.quotas.seller_per_day)
        case ReasonCode.QUOTA_PAIR:
            return str(policy.quotas.pair_per_day)
        case ReasonCode.QUOTA_RETURNED:
            return str(policy.quotas.returned_per_day)
        case ReasonCode.QUOTA_CHECKS:
            return str(policy.quotas.checks_per_hour)
        case ReasonCode.BYPASS_QUOTA:
            return str(policy.bypass.per_day)
        case (
            ReasonCode.ATTACHMENT_TYPE
            | ReasonCode.ATTACHMENT_DISGUISED
            | ReasonCode.ATTACHMENT_TOO_BIG
            | ReasonCode.ATTACHMENT_UNREADABLE
        ):
            return megabytes(policy.attachments.total_bytes)
        case _:
            return megabytes(policy.limits.message_bytes)


def _instant(given: str, policy: Policy) -> str:
    """Returns a time in ISO 8601 as people read it, in the policy's time zone; any other text is returned unchanged."""
    try:
        at = datetime.fromisoformat(given)
        return moment(at if at.tzinfo else at.replace(tzinfo=UTC), policy)
    except (ValueError, OverflowError):
        return given
