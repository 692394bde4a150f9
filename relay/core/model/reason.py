"""The reasons of verdicts, refusals and bounces, as members of one enum.

The value of a member is the same word in SMTP reply, log, metric, notice, page and record. The member also has all else
that programs need to know of the reason. The texts for people, in each language, are in the text catalogues under the
same word.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self


@dataclass(frozen=True, slots=True)
class SmtpNumbers:
    """A reply code of SMTP (RFC 5321 §4.2), such as 550, and an enhanced status code (RFC 3463), such as "5.7.1"."""

    code: int
    enhanced: str


class ReasonCode(StrEnum):
    """The code of a reason.

    A member is defined by its word, the id of its requirement (`rule`), its SMTP codes (`smtp`), and its text in an
    SMTP reply (`summary`). `smtp` is None if the reason never refuses a message. If another server refused the message,
    `smtp` has the codes for the relay's own delivery report (RFC 3464 §2.3.4).

    `summary` is ASCII and shorter than 80 characters. It is the same in all cases of a reason. For example, the reply
    for `address_unknown` must not show whether the alias or the writer is unknown (R-ADR-07).
    """

    rule: str
    smtp: SmtpNumbers | None
    summary: str

    def __new__(cls, word: str, rule: str = "", smtp: str = "", summary: str = "") -> Self:
        member = str.__new__(cls, word)
        member._value_ = word
        member.rule = rule
        code, _, enhanced = smtp.partition(" ")
        member.smtp = SmtpNumbers(int(code), enhanced) if smtp else None
        member.summary = summary
        return member

    # Reasons about the writer and the recipient. Such mail is refused and never causes a notice.
    ADDRESS_UNKNOWN = (
        "address_unknown",
        "R-ADR-07",
        "550 5.1.1",
        "Address unknown, or yours is not registered to write to it",
    )
    SENDER_BLOCKED = "sender_blocked", "R-SND-04", "550 5.7.1", "This From address is blocked for the account"
    LOGIN_MISUSED = (
        "login_misused",
        "R-IN-02",
        "553 5.7.1",
        "This From address is one of the relay's own, for which no login may write",
    )
    TOO_MANY_PENDING = (
        "too_many_pending",
        "R-SND-02",
        "550 5.7.1",
        "Too many addresses of this account wait for approval",
    )
    OWN_ALIAS = "own_alias", "R-REW-05", "550 5.1.3", "This address stands for yourself, not for the other side"
    FROM_DEFECT = "from_defect", "R-IN-06", "550 5.6.0", "The From field must name exactly one readable address"
    NO_RELAYING = "no_relaying", "R-ADR-08", "550 5.7.1", "Not a recipient of this server; no relaying"
    # 5.7.26 is the code for DMARC in the registry that RFC 7372 §3.3 extends.
    DMARC_FAILED = "dmarc_failed", "R-IN-09", "550 5.7.26", "The From domain's DMARC check failed"
    # Reasons of the policy for which a message is returned, held or refused.
    SENDER_PENDING = (
        "sender_pending",
        "R-SND-02",
        "550 5.7.1",
        "this From address waits for the account owner's approval",
    )
    SENDER_UNPROVEN = (
        "sender_unproven",
        "R-IN-09",
        "550 5.7.1",
        "We cannot verify that this message comes from its From address",
    )
    SENDER_SUSPENDED = "sender_suspended", "R-SND-07", "550 5.7.1", "Your account cannot send messages at present"
    RECIPIENT_UNAVAILABLE = (
        "recipient_unavailable",
        "R-SND-07",
        "550 5.7.1",
        "The recipient is not available at present",
    )
    OPTED_OUT = "opted_out", "R-POL-03", "550 5.7.1", "The buyer takes only answers and messages marked as important"
    AUTO_REPLY_REPEATED = (
        "auto_reply_repeated",
        "R-POL-14",
        "550 5.7.1",
        "An automatic reply was already passed on today",
    )
    PAIR_HOUR = "pair_hour", "R-POL-14", "550 5.7.1", "Too many messages between these two parties in this hour"
    RECEIPT = "receipt", "R-REW-07", "550 5.7.1", "A read receipt or a delivery receipt is not passed on"
    LOOP = "loop", "R-OUT-08", "554 5.4.6", "Mail loop"
    TOO_BIG = "too_big", "R-IN-06", "552 5.3.4", "Message too big"
    OPERATOR_MAIL_TOO_BIG = (
        "operator_mail_too_big",
        "R-IN-06",
        "552 5.3.4",
        "Mail to the operator may not be as big as this without a login",
    )
    OPERATOR_MAIL_LIMIT = "operator_mail_limit", "R-IN-06", "452 4.7.1", "Too much mail to the operator today"
    """The client, or the party, has already sent the operator as much mail today as it may send in one day."""
    MALFORMED = "malformed", "R-IN-06", "554 5.6.0", "Message not readable"
    TOO_COMPLEX = "too_complex", "R-IN-06", "554 5.6.0", "Checking the message takes too much time or memory"
    THREAD_CLOSED = (
        "thread_closed",
        "R-POL-18",
        "550 5.7.1",
        "This conversation was closed after a long time without mail",
    )
    CHANNEL_OFF = "channel_off", "R-POL-13", "550 5.7.1", "The marketplace itself fulfils this order and answers for it"
    """The operator fulfils the order, and the seller has not turned product support on."""
    BYPASS_QUOTA = (
        "bypass_quota",
        "R-POL-06",
        "550 5.7.1",
        "Too many messages marked as important today; the buyer takes only answers",
    )
    BYPASS_OFF = (
        "bypass_off",
        "R-POL-06",
        "550 5.7.1",
        "Marks of importance do not count at present; the buyer takes only answers",
    )
    DUPLICATE = "duplicate", "R-IN-09", "", "Came before by the same signature, and is not passed on again"
    BYPASS_MISUSED = "bypass_misused", "R-POL-06", "550 5.7.1", "Marked as important, and looks like something else"
    QUOTA_SELLER = "quota_seller", "R-POL-11", "450 4.7.1", "Too many messages from this account today"
    QUOTA_PAIR = "quota_pair", "R-POL-11", "450 4.7.1", "Too many messages to this recipient today"
    QUOTA_BUYER = "quota_buyer", "R-POL-11", "450 4.7.1", "No more messages to this recipient today"
    QUOTA_RETURNED = (
        "quota_returned",
        "R-POL-11",
        "450 4.7.1",
        "Too many messages of this writer were not passed on today",
    )
    QUOTA_CHECKS = "quota_checks", "R-POL-11", "450 4.7.1", "Too many checks in this hour"
    ATTACHMENT_TYPE = "attachment_type", "R-POL-07", "554 5.6.1", "An attachment of a type that is not taken"
    ATTACHMENT_DISGUISED = "attachment_disguised", "R-POL-07", "554 5.6.1", "An attachment is not what its name says"
    """The content of an attachment is of another type than its file name or declared type says."""
    ATTACHMENT_TOO_BIG = "attachment_too_big", "R-POL-07", "552 5.3.4", "Attachments too big"
    ATTACHMENT_UNREADABLE = "attachment_unreadable", "R-POL-07", "554 5.6.1", "An attachment cannot be looked into"
    """An attached archive is encrypted, damaged or nested too deep, so its content cannot be checked."""
    SIGNATURE_NAMES_OWNER = (
        "signature_names_owner",
        "R-REW-06",
        "554 5.6.0",
        "A digital signature or key names its owner",
    )
    """The message contains an OpenPGP or S/MIME key or signature, which names its owner."""
    EXTERNAL_LINK = "external_link", "R-POL-08", "550 5.7.1", "A link that leads off the marketplace"
    LINK_REMOVED = "link_removed", "R-REW-01", "550 5.7.1", "A link to the writer's own site is removed"
    """The link would show the other side the domain from which the writer sends mail."""
    LINKED_LOGO = "linked_logo", "R-POL-08", "550 5.7.1", "A picture that links off the marketplace"
    TRACKING_PIXEL = "tracking_pixel", "R-POL-08", "550 5.7.1", "A picture that tells when it is read"
    CONTACT_DATA = "contact_data", "R-POL-08", "550 5.7.1", "Contact data that lead off the marketplace"
    CONTACT_DISGUISED = "contact_disguised", "R-POL-09", "550 5.7.1", "Disguised contact data"
    PROMOTION = "promotion", "R-POL-08", "550 5.7.1", "Advertising"
    ASKS_BUYER_TO_CANCEL = "asks_buyer_to_cancel", "R-POL-21", "550 5.7.1", "Asks the buyer to cancel the order"
    STATUS_COPY = "status_copy", "R-POL-10", "550 5.7.1", "Repeats what the marketplace has sent itself"
    VIRUS_FOUND = "virus_found", "R-POL-17", "554 5.7.1", "A virus was found"
    SPAM_FOUND = "spam_found", "R-POL-17", "550 5.7.1", "Taken for spam"
    SCANNER_AWAY = "scanner_away", "R-POL-17", "451 4.3.0", "the virus or spam check is not available at present"
    HOLD_EXPIRED = "hold_expired", "R-SND-02", "550 5.7.1", "Held, and nobody approved it in time"
    HOLD_REFUSED = "hold_refused", "R-SND-02", "550 5.7.1", "Held, and sent back after a look"
    """The operator or the party decided that the held message is returned."""
    # Reasons for which a message waits, or goes to the operator.
    QUIET_HOURS = "quiet_hours", "R-POL-12", "", "Waits for the end of the recipient's quiet hours"
    SERVICE_QUESTION = "service_question", "R-POL-13", "", "Goes to the marketplace, which fulfils this order"
    """A service question about an order that the operator fulfils goes to the operator (R-POL-13)."""
    # Reasons for which a message passes the buyer's opt-out.
    ANSWER = "answer", "R-POL-04", "", "Answers the buyer's own message"
    MARKED_IMPORTANT = "marked_important", "R-POL-04", "", "Marked as important in the subject"
    ADDITIONAL_INFORMATION = "additional_information", "R-POL-04", "", "Asks for additional information in the subject"
    CRITICAL_KIND = "critical_kind", "R-POL-04", "", "A kind of message that passes opt-out"
    # Reasons of a delivery by another server that failed or is late.
    DELAYED = "delayed", "R-OUT-02", "451 4.4.1", "Delivery is delayed"
    MAILBOX_UNKNOWN = "mailbox_unknown", "R-OUT-05", "550 5.1.1", "The recipient's mailbox does not exist"
    MAILBOX_FULL = "mailbox_full", "R-OUT-05", "552 5.2.2", "The recipient's mailbox is full"
    FILTERED = "filtered", "R-OUT-05", "550 5.7.1", "Refused by the recipient's own settings"
    SPAM_REFUSED = "spam_refused", "R-OUT-05", "550 5.7.1", "Taken for spam by the recipient's server"
    POLICY_REFUSED = "policy_refused", "R-OUT-05", "550 5.7.1", "Refused by a rule of the recipient's server"
    MESSAGE_TOO_BIG = "message_too_big", "R-OUT-05", "552 5.3.4", "Too big for the recipient's server"
    HOST_UNKNOWN = "host_unknown", "R-OUT-05", "550 5.1.2", "The recipient's mail service cannot be found"
    TLS_REQUIRED = "tls_required", "R-OUT-05", "550 5.7.10", "A secure connection is required and could not be made"
    SMTPUTF8_UNSUPPORTED = (
        "smtputf8_unsupported",
        "R-OUT-05",
        "550 5.6.7",
        "The recipient's server does not take international addresses",
    )
    EXPIRED = "expired", "R-OUT-05", "550 5.4.7", "Given up: not taken by the recipient's server in time"
    TEMPORARY = "temporary", "R-OUT-05", "451 4.4.0", "Temporary fault at the recipient's server"
    REFUSED = "refused", "R-OUT-05", "550 5.0.0", "Refused by the recipient's server"
    """The other server refused the message permanently, for none of the reasons above."""
    REPORTED_UNDELIVERABLE = (
        "reported_undeliverable",
        "R-OUT-04",
        "",
        "Undeliverable, says an unconfirmed report",
    )
    """Only notices have this reason. The event of the report has the reason that the report claims."""
    # A fault of the relay itself.
    INTERNAL = "internal", "R-IN-07", "451 4.3.0", "Fault on our side, try again later"


OWNER_DECIDES: Final = frozenset({ReasonCode.SENDER_PENDING, ReasonCode.SENDER_UNPROVEN})
"""The reasons of a hold that waits for the decision of the owner of the writer's account (R-SND-02, R-IN-09)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A place in a message.

    `part` is the name of a header field or the path of a MIME part ("1.2"). `start` and `end` are offsets in the
    decoded text of this field or part.
    """

    part: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """The reason of one verdict, refusal or bounce.

    `span` is the place in the message that caused it, None if there is no such place. `values` are pairs of a name and
    a value, which the texts for people may contain.
    """

    code: ReasonCode
    span: Span | None = None
    values: tuple[tuple[str, str], ...] = ()

    @property
    def rule(self) -> str:
        """The id of the requirement, such as "R-POL-03", for the record; people are shown the code (R-POL-16)."""
        return self.code.rule
