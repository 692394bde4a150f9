"""One line per reason for the SMTP dialogue: English, ASCII, the same word for everyone whom it concerns; the reason's
own word, by which record and notice call it too, stands in brackets (R-POL-16).

`Address unknown` is one reply, byte for byte, for an alias that does not exist and for a stranger to one that does
(R-ADR-07), so it names no record.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from relay.core.model.marketplace import Marketplace
from relay.core.model.reason import Reason, ReasonCode
from relay.core.model.reply import Reply
from relay.core.model.verdict import Action, Verdict

_LONGEST: Final = 490
"""RFC 5321 §4.5.3.1.5: a reply line has at most 512 octets, code and CRLF included."""

SUMMARY: Final[dict[ReasonCode, str]] = {
    ReasonCode.ADDRESS_UNKNOWN: "Address unknown, or yours is not registered to write to it",
    ReasonCode.SENDER_BLOCKED: "This From address is blocked for the account",
    ReasonCode.LOGIN_MISUSED: "This From address belongs to another account than the login",
    ReasonCode.TOO_MANY_PENDING: "Too many addresses of this account wait for approval",
    ReasonCode.FROM_DEFECT: "The From field must name exactly one readable address",
    ReasonCode.NO_RELAYING: "Not a recipient of this server; no relaying",
    ReasonCode.SENDER_PENDING: "this From address waits for the account owner's approval",
    ReasonCode.SENDER_UNPROVEN: "the sender is not proven and must be confirmed by the account owner",
    ReasonCode.SENDER_SUSPENDED: "Your account cannot send messages at present",
    ReasonCode.RECIPIENT_UNAVAILABLE: "The recipient is not available at present",
    ReasonCode.OPTED_OUT: "The buyer takes only answers and messages marked as important",
    ReasonCode.AUTO_REPLY_REPEATED: "An automatic reply was already passed on today",
    ReasonCode.OWN_ALIAS: "This address stands for yourself, not for the other side",
    ReasonCode.LOOP: "Mail loop",
    ReasonCode.TOO_BIG: "Message too big",
    ReasonCode.MALFORMED: "Message not readable",
    ReasonCode.DMARC_FAILED: "The From domain's DMARC check failed",
    ReasonCode.THREAD_CLOSED: "This conversation was closed after a long time without mail",
    ReasonCode.CHANNEL_OFF: "The marketplace itself fulfils this order and answers for it",
    ReasonCode.BYPASS_QUOTA: "Too many messages marked as important today; the buyer takes only answers",
    ReasonCode.BYPASS_OFF: "Marks of importance do not count at present; the buyer takes only answers",
    ReasonCode.BYPASS_MISUSED: "Marked as important, and looks like something else",
    ReasonCode.QUOTA_SELLER: "Too many messages from this account today",
    ReasonCode.QUOTA_PAIR: "Too many messages to this recipient today",
    ReasonCode.QUOTA_BUYER: "No more messages to this recipient today",
    ReasonCode.ATTACHMENT_TYPE: "An attachment of a type that is not taken",
    ReasonCode.ATTACHMENT_DISGUISED: "An attachment is not what its name says",
    ReasonCode.ATTACHMENT_TOO_BIG: "Attachments too big",
    ReasonCode.ATTACHMENT_UNREADABLE: "An attachment cannot be looked into",
    ReasonCode.SIGNATURE_NAMES_OWNER: "A digital signature or key names its owner",
    ReasonCode.EXTERNAL_LINK: "A link that leads off the marketplace",
    ReasonCode.LINKED_LOGO: "A picture that links off the marketplace",
    ReasonCode.TRACKING_PIXEL: "A picture that tells when it is read",
    ReasonCode.CONTACT_DATA: "Contact data that lead off the marketplace",
    ReasonCode.CONTACT_DISGUISED: "Disguised contact data",
    ReasonCode.PROMOTION: "Advertising",
    ReasonCode.STATUS_COPY: "Repeats what the marketplace has sent itself",
    ReasonCode.VIRUS_FOUND: "A virus was found",
    ReasonCode.SPAM_FOUND: "Taken for spam",
    ReasonCode.SCANNER_AWAY: "the virus or spam check is away at present",
    ReasonCode.HOLD_EXPIRED: "Held, and nobody approved it in time",
    ReasonCode.HOLD_REFUSED: "Held, and sent back after a look",
    ReasonCode.QUIET_HOURS: "Waits for the end of the recipient's quiet hours",
    ReasonCode.SERVICE_QUESTION: "Goes to the marketplace, which fulfils this order",
    ReasonCode.ANSWER: "Answers the buyer's own message",
    ReasonCode.MARKED_IMPORTANT: "Marked as important in the subject",
    ReasonCode.ADDITIONAL_INFORMATION: "Asks for additional information in the subject",
    ReasonCode.CRITICAL_KIND: "A kind of message that passes opt-out",
    ReasonCode.DELAYED: "Delivery is delayed",
    ReasonCode.MAILBOX_UNKNOWN: "The recipient's mailbox does not exist",
    ReasonCode.MAILBOX_FULL: "The recipient's mailbox is full",
    ReasonCode.FILTERED: "Refused by the recipient's own settings",
    ReasonCode.SPAM_REFUSED: "Taken for spam by the recipient's server",
    ReasonCode.POLICY_REFUSED: "Refused by a rule of the recipient's server",
    ReasonCode.MESSAGE_TOO_BIG: "Too big for the recipient's server",
    ReasonCode.HOST_UNKNOWN: "The recipient's mail service cannot be found",
    ReasonCode.TLS_REQUIRED: "A secure connection is required and could not be made",
    ReasonCode.SMTPUTF8_UNSUPPORTED: "The recipient's server does not take international addresses",
    ReasonCode.EXPIRED: "Given up: not taken by the recipient's server in time",
    ReasonCode.TEMPORARY: "Temporary fault at the recipient's server",
    ReasonCode.REFUSED: "Refused by the recipient's server",
    ReasonCode.STORE_AWAY: "Cannot store mail just now, try again later",
    ReasonCode.INTERNAL: "Fault on our side, try again later",
}


def reply(
    code: ReasonCode, marketplace: Marketplace | None, *, record_id: str | None = None, detail: str = ""
) -> Reply:
    """The refusal for a reason, with where to get help. `marketplace` is None where none is concerned; `detail` says
    more in words of our own, never the client's."""
    line = f"{SUMMARY[code]}: {detail}" if detail else SUMMARY[code]
    line = f"{line} ({code})"
    if record_id and code is not ReasonCode.ADDRESS_UNKNOWN:
        line = f"{record_id} {line}"
    if marketplace:
        help_line = f"{line}; see {_ascii(marketplace.help_url)}"
        line = help_line if len(help_line) <= _LONGEST else line
    return Reply.refusing(code, line)


def reply_for_refusal(reason: Reason, marketplace: Marketplace) -> Reply:
    """The answer for a message that is not taken: which limit it went over, or when it may come again. What From holds
    is its writer's, so nothing else of a reason's detail is said."""
    values = dict(reason.values)
    detail = values.get("detail", "") if reason.code is ReasonCode.MALFORMED else ""
    if "reset" in values:
        detail = f"again from {_minute(datetime.fromisoformat(values['reset']))}"
    return reply(reason.code, marketplace, detail=detail)


def reply_for_verdict(
    verdict: Verdict, record_id: str, marketplace: Marketplace, *, reject: bool | None = None
) -> Reply:
    """The answer for a recorded message. `reject`: a RETURN is said as 5xx and by no notice; None means as the
    marketplace's `reject_at_data` says, False is for a transaction whose recipients do not all agree."""
    if verdict.action is Action.RELAY:
        return _taken("; ".join((f"{record_id} recorded and queued{_warning(verdict)}", *_outlook(verdict))))
    first = verdict.reasons[0]
    if verdict.action is Action.HOLD:
        until = f" until {_minute(verdict.disclosed_until)}" if verdict.disclosed_until else ""
        return _taken(f"{record_id} held{until}, {SUMMARY[first.code]} ({first.code})")
    if marketplace.reject_at_data if reject is None else reject:
        return reply(first.code, marketplace, record_id=record_id)
    return _taken(
        f"{record_id} recorded, not delivered ({first.code})" + (", notice follows" if verdict.notify else "")
    )


def _warning(verdict: Verdict) -> str:
    codes = ", ".join(dict.fromkeys(reason.code for reason in verdict.warnings))
    return f" (warning: {codes})" if codes else ""


def _outlook(verdict: Verdict) -> Iterator[str]:
    if verdict.disclosed_until:
        yield f"waits until {_minute(verdict.disclosed_until)}"
    if verdict.remaining is not None:
        yield f"{verdict.remaining} more today"


def _minute(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _taken(line: str) -> Reply:
    return Reply(250, "2.0.0", line)


def _ascii(url: str) -> str:
    return "".join(c if "!" <= c <= "~" else "".join(f"%{byte:02X}" for byte in c.encode()) for c in url)
