"""The named reasons: one member per reason, with the same name in SMTP answer, log, metric, notice, page and record.

The SMTP numbers of a reason (RFC 5321 §4.2, RFC 3463) stand here. Its texts, in every language, stand in the text
catalogue under the same name.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ReasonCode(StrEnum):
    # about writer and recipient: always refused without a notice
    """The name of a reason."""

    ADDRESS_UNKNOWN = "address_unknown"
    SENDER_BLOCKED = "sender_blocked"
    LOGIN_MISUSED = "login_misused"
    TOO_MANY_PENDING = "too_many_pending"
    FROM_DEFECT = "from_defect"
    NO_RELAYING = "no_relaying"
    DMARC_FAILED = "dmarc_failed"
    # about the message and its delivery
    SENDER_PENDING = "sender_pending"
    SENDER_UNPROVEN = "sender_unproven"
    SENDER_SUSPENDED = "sender_suspended"
    RECIPIENT_UNAVAILABLE = "recipient_unavailable"
    OPTED_OUT = "opted_out"
    AUTO_REPLY_REPEATED = "auto_reply_repeated"
    OWN_ALIAS = "own_alias"
    LOOP = "loop"
    TOO_BIG = "too_big"
    MALFORMED = "malformed"
    THREAD_CLOSED = "thread_closed"
    CHANNEL_OFF = "channel_off"
    """The operator fulfils the order, and the seller has not turned product support on."""
    BYPASS_QUOTA = "bypass_quota"
    BYPASS_OFF = "bypass_off"
    BYPASS_MISUSED = "bypass_misused"
    QUOTA_SELLER = "quota_seller"
    QUOTA_PAIR = "quota_pair"
    QUOTA_BUYER = "quota_buyer"
    ATTACHMENT_TYPE = "attachment_type"
    ATTACHMENT_DISGUISED = "attachment_disguised"
    """The content of the file contradicts its name or its declared type."""
    ATTACHMENT_TOO_BIG = "attachment_too_big"
    ATTACHMENT_UNREADABLE = "attachment_unreadable"
    """An archive is encrypted, damaged, or nested too deep to be examined."""
    SIGNATURE_NAMES_OWNER = "signature_names_owner"
    """A PGP or S/MIME key or signature names its owner."""
    EXTERNAL_LINK = "external_link"
    LINKED_LOGO = "linked_logo"
    TRACKING_PIXEL = "tracking_pixel"
    CONTACT_DATA = "contact_data"
    CONTACT_DISGUISED = "contact_disguised"
    PROMOTION = "promotion"
    STATUS_COPY = "status_copy"
    VIRUS_FOUND = "virus_found"
    SPAM_FOUND = "spam_found"
    SCANNER_AWAY = "scanner_away"
    HOLD_EXPIRED = "hold_expired"
    HOLD_REFUSED = "hold_refused"
    """Staff, or the account's owner, decided to return the held message."""
    # for another route or a later time
    QUIET_HOURS = "quiet_hours"
    SERVICE_QUESTION = "service_question"
    """A service question about an order that the operator fulfils goes to the operator (R-POL-13)."""
    # for delivery in spite of an opt-out
    ANSWER = "answer"
    MARKED_IMPORTANT = "marked_important"
    ADDITIONAL_INFORMATION = "additional_information"
    CRITICAL_KIND = "critical_kind"
    # by the other server
    DELAYED = "delayed"
    MAILBOX_UNKNOWN = "mailbox_unknown"
    MAILBOX_FULL = "mailbox_full"
    FILTERED = "filtered"
    SPAM_REFUSED = "spam_refused"
    POLICY_REFUSED = "policy_refused"
    MESSAGE_TOO_BIG = "message_too_big"
    HOST_UNKNOWN = "host_unknown"
    TLS_REQUIRED = "tls_required"
    SMTPUTF8_UNSUPPORTED = "smtputf8_unsupported"
    EXPIRED = "expired"
    TEMPORARY = "temporary"
    REFUSED = "refused"
    """The refusal is permanent, and no reason above fits the server's text."""
    # by the relay itself
    STORE_AWAY = "store_away"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class SmtpNumbers:
    """The reply code and the enhanced status code of a reason."""

    code: int
    enhanced: str


SMTP_NUMBERS: Final[dict[ReasonCode, SmtpNumbers]] = {
    ReasonCode.ADDRESS_UNKNOWN: SmtpNumbers(550, "5.1.1"),
    ReasonCode.SENDER_BLOCKED: SmtpNumbers(550, "5.7.1"),
    ReasonCode.LOGIN_MISUSED: SmtpNumbers(553, "5.7.1"),
    ReasonCode.TOO_MANY_PENDING: SmtpNumbers(550, "5.7.1"),
    ReasonCode.FROM_DEFECT: SmtpNumbers(550, "5.6.0"),
    ReasonCode.NO_RELAYING: SmtpNumbers(550, "5.7.1"),
    ReasonCode.DMARC_FAILED: SmtpNumbers(550, "5.7.26"),  # from the registry of RFC 7372 §3.3, for DMARC
    ReasonCode.SENDER_PENDING: SmtpNumbers(550, "5.7.1"),
    ReasonCode.SENDER_UNPROVEN: SmtpNumbers(550, "5.7.1"),
    ReasonCode.SENDER_SUSPENDED: SmtpNumbers(550, "5.7.1"),
    ReasonCode.RECIPIENT_UNAVAILABLE: SmtpNumbers(550, "5.7.1"),
    ReasonCode.OPTED_OUT: SmtpNumbers(550, "5.7.1"),
    ReasonCode.AUTO_REPLY_REPEATED: SmtpNumbers(550, "5.7.1"),
    ReasonCode.OWN_ALIAS: SmtpNumbers(550, "5.1.3"),
    ReasonCode.LOOP: SmtpNumbers(554, "5.4.6"),
    ReasonCode.TOO_BIG: SmtpNumbers(552, "5.3.4"),
    ReasonCode.MALFORMED: SmtpNumbers(554, "5.6.0"),
    ReasonCode.THREAD_CLOSED: SmtpNumbers(550, "5.7.1"),
    ReasonCode.CHANNEL_OFF: SmtpNumbers(550, "5.7.1"),
    ReasonCode.BYPASS_QUOTA: SmtpNumbers(550, "5.7.1"),
    ReasonCode.BYPASS_OFF: SmtpNumbers(550, "5.7.1"),
    ReasonCode.BYPASS_MISUSED: SmtpNumbers(550, "5.7.1"),
    ReasonCode.QUOTA_SELLER: SmtpNumbers(450, "4.7.1"),
    ReasonCode.QUOTA_PAIR: SmtpNumbers(450, "4.7.1"),
    ReasonCode.QUOTA_BUYER: SmtpNumbers(450, "4.7.1"),
    ReasonCode.ATTACHMENT_TYPE: SmtpNumbers(554, "5.6.1"),
    ReasonCode.ATTACHMENT_DISGUISED: SmtpNumbers(554, "5.6.1"),
    ReasonCode.ATTACHMENT_TOO_BIG: SmtpNumbers(552, "5.3.4"),
    ReasonCode.ATTACHMENT_UNREADABLE: SmtpNumbers(554, "5.6.1"),
    ReasonCode.SIGNATURE_NAMES_OWNER: SmtpNumbers(554, "5.6.0"),
    ReasonCode.EXTERNAL_LINK: SmtpNumbers(550, "5.7.1"),
    ReasonCode.LINKED_LOGO: SmtpNumbers(550, "5.7.1"),
    ReasonCode.TRACKING_PIXEL: SmtpNumbers(550, "5.7.1"),
    ReasonCode.CONTACT_DATA: SmtpNumbers(550, "5.7.1"),
    ReasonCode.CONTACT_DISGUISED: SmtpNumbers(550, "5.7.1"),
    ReasonCode.PROMOTION: SmtpNumbers(550, "5.7.1"),
    ReasonCode.STATUS_COPY: SmtpNumbers(550, "5.7.1"),
    ReasonCode.VIRUS_FOUND: SmtpNumbers(554, "5.7.1"),
    ReasonCode.SPAM_FOUND: SmtpNumbers(550, "5.7.1"),
    ReasonCode.SCANNER_AWAY: SmtpNumbers(451, "4.3.0"),
    ReasonCode.HOLD_EXPIRED: SmtpNumbers(550, "5.7.1"),
    ReasonCode.HOLD_REFUSED: SmtpNumbers(550, "5.7.1"),
    ReasonCode.STORE_AWAY: SmtpNumbers(451, "4.3.0"),
    ReasonCode.INTERNAL: SmtpNumbers(451, "4.3.0"),
    # For refusals of another server these are the numbers in our delivery report (RFC 3464 §2.3.4).
    ReasonCode.DELAYED: SmtpNumbers(451, "4.4.1"),
    ReasonCode.MAILBOX_UNKNOWN: SmtpNumbers(550, "5.1.1"),
    ReasonCode.MAILBOX_FULL: SmtpNumbers(552, "5.2.2"),
    ReasonCode.FILTERED: SmtpNumbers(550, "5.7.1"),
    ReasonCode.SPAM_REFUSED: SmtpNumbers(550, "5.7.1"),
    ReasonCode.POLICY_REFUSED: SmtpNumbers(550, "5.7.1"),
    ReasonCode.MESSAGE_TOO_BIG: SmtpNumbers(552, "5.3.4"),
    ReasonCode.HOST_UNKNOWN: SmtpNumbers(550, "5.1.2"),
    ReasonCode.TLS_REQUIRED: SmtpNumbers(550, "5.7.10"),
    ReasonCode.SMTPUTF8_UNSUPPORTED: SmtpNumbers(550, "5.6.7"),
    ReasonCode.EXPIRED: SmtpNumbers(550, "5.4.7"),
    ReasonCode.TEMPORARY: SmtpNumbers(451, "4.4.0"),
    ReasonCode.REFUSED: SmtpNumbers(550, "5.0.0"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A place in the message.

    `part` is the name of a header field or the path of a MIME part ("1.2"); the offsets count in its decoded text.
    """

    part: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A reason of a verdict: its code, the id of its rule in `docs/rules.md`, its cause, and values for its text."""

    code: ReasonCode
    rule: str
    span: Span | None = None
    values: tuple[tuple[str, str], ...] = ()
