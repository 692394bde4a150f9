"""Fills the values that a reason's text may name, complete for any reason: from the rule, else from the policy.

No address but aliases gets through (R-OUT-05). Of a pending sender the account owner must see the address to decide: it
is spelt, so that no program makes a link of it.
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
"""Mail programs make a link of a number that may be that of a telephone."""


def shown(text: str, marketplace: Marketplace, longest: int = _LONGEST) -> str:
    """Returns text from outside as one line, without addresses but aliases."""
    return redact.clip(redact.addresses(redact.clip(text, longest), marketplace.domains), longest + 100)


def unlinked(address: str) -> str:
    """Returns an address as people read it and no program makes a link of it, of at most 64 characters of the address.

    Characters that make links are spelt in brackets, also where they only look like one, and "[]" stands in long
    numbers. Of a longer address the end is shown, because it says whose the address is.
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
    """Returns all of REASON_VALUES but `important_subject`, which depends on the message.

    `policy` is the one in force at `at`.
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
    """Returns an ISO 8601 time as people read it; any other text as it is."""
    try:
        at = datetime.fromisoformat(given)
        return moment(at if at.tzinfo else at.replace(tzinfo=UTC), policy)
    except (ValueError, OverflowError):
        return given
