"""Finds the reason of a failed delivery from its phase, its codes and its text (R-OUT-04).

The reasons `mailbox_unknown` and `host_unknown` mark a mailbox as dead (R-OUT-06), so doubtful cases get another
reason.
"""

import re
from typing import Final

from relay.core.model.reason import ReasonCode
from relay.core.providers import host_class

# RFC 3463 and its registry. Codes that servers use for many cases (x.0.0, 5.7.1 ...) are decided by the text.
_BY_ENHANCED: Final[dict[str, ReasonCode]] = {
    "1.1": ReasonCode.MAILBOX_UNKNOWN,
    "1.3": ReasonCode.MAILBOX_UNKNOWN,
    "1.6": ReasonCode.MAILBOX_UNKNOWN,
    "2.1": ReasonCode.REFUSED,  # the mailbox is disabled, perhaps only for a time
    "1.2": ReasonCode.HOST_UNKNOWN,
    "1.10": ReasonCode.HOST_UNKNOWN,
    "4.4": ReasonCode.HOST_UNKNOWN,
    "2.2": ReasonCode.MAILBOX_FULL,
    "2.3": ReasonCode.MESSAGE_TOO_BIG,
    "3.4": ReasonCode.MESSAGE_TOO_BIG,
    "6.7": ReasonCode.SMTPUTF8_UNSUPPORTED,
    "7.10": ReasonCode.TLS_REQUIRED,
    **dict.fromkeys(["7.20", "7.21", "7.22", "7.23", "7.24", "7.25", "7.26", "7.27"], ReasonCode.POLICY_REFUSED),
    **dict.fromkeys(["1.8", "7.8", "7.9", "7.13", "7.28", "7.29"], ReasonCode.POLICY_REFUSED),
}

# The order matters: a text that names a filter is about the filter, even if it also names a mailbox.
_BY_TEXT: Final[tuple[tuple[ReasonCode, re.Pattern[str]], ...]] = tuple(
    (code, re.compile(pattern, re.IGNORECASE))
    for code, pattern in (
        (
            ReasonCode.MAILBOX_FULL,
            (
                r"mailbox (?:is |was )?full|over ?quota|quota (?:is )?(?:exceeded|full)"
                r"|exceed(?:s|ed)? (?:\w+ ){0,3}quota|too much mail data"
                r"|insufficient (?:disk |mailbox )?(?:storage|space)|out of storage"
            ),
        ),
        (
            ReasonCode.MESSAGE_TOO_BIG,
            r"(?:message|mail|data)(?: size)?(?: is)? too (?:large|big)|message size|exceed\w* (?:\w+ ){0,4}size",
        ),
        (
            ReasonCode.SPAM_REFUSED,
            r"\bspam|blacklist|block ?list|blocklist|reputation|\bDNSBL\b|\bRBL\b|spamhaus|unsolicited|bulk mail|junk",
        ),
        (
            ReasonCode.POLICY_REFUSED,
            r"\b(?:SPF|DKIM|DMARC|rDNS|PTR)\b|authentication (?:failed|required)|unauthenticated|reverse dns",
        ),
        (ReasonCode.TLS_REQUIRED, r"must issue a starttls|(?:encryption|TLS) (?:is )?(?:required|needed)"),
        (
            ReasonCode.MAILBOX_UNKNOWN,
            (
                r"user unknown|unknown user|no such (?:user|recipient|mailbox|address|account|person)|invalid recipient"
                r"|(?:user|recipient|mailbox|account|address)[^.]{0,60}(?:not found|not exist|doesn't exist)"
                r"|unknown (?:recipient|mailbox|account|address|local)|not a (?:valid|known) (?:user|mailbox|recipient)"
                r"|(?:doesn't|does not) have an? [\w.-]+ account|no mailbox here|unrouteable address|not listed in"
            ),
        ),
        (
            ReasonCode.HOST_UNKNOWN,
            r"(?:host|domain)(?: name)? (?:was )?(?:not found|unknown|does(?: not|n't) exist)|unknown (?:host|domain)",
        ),
        (
            ReasonCode.FILTERED,
            (
                r"(?:recipient|user|receiver)[^.]{0,40}(?:not|doesn't|refuses? to) accept"
                r"|filtered|recipient preferences|receiv\w+ settings"
            ),
        ),
        (ReasonCode.POLICY_REFUSED, r"policy|prohibited|not authori[sz]ed|access denied|blocked|denied|rejected by"),
    )
)


def classify(
    *, permanent: bool, phase: str, code: int, enhanced: str, text: str, host: str = "", destination: str = ""
) -> ReasonCode:
    """Returns the reason of a failed delivery.

    `permanent` is True if the server will not accept the message later either. `phase` is the phase of the SMTP
    dialogue as in `ports.Delivery`, "" if it is not known. `code` is the reply code, 0 if there is none. `enhanced` is
    the enhanced status code (RFC 3463), "" if there is none. `text` is the text of the server. `host` is the name of
    the server and `destination` is the domain of the mailbox; both are used to recognize Japanese carriers.
    """
    if phase == "tls":
        return ReasonCode.TLS_REQUIRED
    detail = enhanced.partition(".")[2]
    if not permanent:
        return ReasonCode.MAILBOX_FULL if detail == "2.2" else ReasonCode.TEMPORARY
    if phase == "dns" and code == 0:
        return ReasonCode.HOST_UNKNOWN
    named = _by_text(text)
    carrier = _by_carrier({host_class(host), host_class(destination)}, phase, code, named)
    if carrier is not None:
        return carrier
    # If the text names a filter or a full mailbox, it counts more than "5.1.1", because to treat a mailbox that works
    # as dead is the worse error.
    if detail == "1.1" and named not in {None, ReasonCode.HOST_UNKNOWN}:
        return named
    return _BY_ENHANCED.get(detail) or named or _by_code(phase, code, detail)


def _by_text(text: str) -> ReasonCode | None:
    text = text[:2_000]
    return next((code for code, pattern in _BY_TEXT if pattern.search(text)), None)


def _by_carrier(classes: set[str], phase: str, code: int, named: ReasonCode | None) -> ReasonCode | None:
    """Returns the reason of a 550 reply of a Japanese carrier, None if the general rules apply.

    The carriers docomo and au answer "550 Unknown user" for a mailbox that does not exist, and also if the recipient's
    filter refuses the domain. After the data the cause is always the filter; at RCPT it may be either of the two.
    SoftBank discards filtered mail without an error, so its 550 "Invalid recipient" at RCPT means that the mailbox does
    not exist.
    """
    if code != 550 or named not in {None, ReasonCode.MAILBOX_UNKNOWN, ReasonCode.FILTERED}:
        return None
    if classes & {"docomo", "au"}:
        return ReasonCode.FILTERED if phase == "end_of_data" else ReasonCode.REFUSED
    if "softbank" in classes:
        known_dead = phase == "rcpt" and named is ReasonCode.MAILBOX_UNKNOWN
        return ReasonCode.MAILBOX_UNKNOWN if known_dead else ReasonCode.REFUSED
    return None


def _by_code(phase: str, code: int, detail: str) -> ReasonCode:
    if code == 556 or (code == 521 and phase == "connect"):  # RFC 7504
        return ReasonCode.HOST_UNKNOWN
    if code == 552:
        return ReasonCode.MAILBOX_FULL if phase == "rcpt" else ReasonCode.MESSAGE_TOO_BIG
    if code == 551 and phase == "rcpt":
        return ReasonCode.MAILBOX_UNKNOWN
    return ReasonCode.POLICY_REFUSED if detail.startswith("7.") else ReasonCode.REFUSED
