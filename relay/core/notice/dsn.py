"""Composes the two MIME parts of a delivery report that are for programs.

They are the delivery status (RFC 3464), and the header that identifies the message (RFC 6522).
"""

from datetime import datetime

from relay.core.mail import date
from relay.core.model.reason import ReasonCode, SmtpNumbers
from relay.core.notice.encode import field, unstructured


def delivery_status(
    domain: str,
    record_id: str,
    alias: str,
    code: ReasonCode,
    received_at: datetime,
    *,
    delayed: bool,
    answer: str = "",
    retry_until: datetime | None = None,
) -> bytes:
    """Returns the MIME part message/delivery-status (RFC 3464 §2) for a message with one recipient.

    `domain` is the alias domain of the marketplace, and `alias` is the recipient. The status is that of the reason
    `code`, not that of the other server. `answer` is the other server's reply after `redact.public_answer`, "" if there
    was no reply. `retry_until` is the time of the last attempt, for delayed mail.
    """
    numbers = code.smtp or SmtpNumbers(550, "5.0.0")
    fields = [
        field("Content-Type", "message/delivery-status"),
        b"\r\n",
        field("Reporting-MTA", f"dns; {domain}"),
        field("Arrival-Date", date.write(received_at)),
        field("X-Relay-Record", record_id),
        b"\r\n",
        field("Final-Recipient", f"rfc822; {alias}"),
        field("Action", "delayed" if delayed else "failed"),
        field("Status", ("4" if delayed else "5") + numbers.enhanced[1:]),
        field("X-Relay-Reason", str(code)),
    ]
    if answer:
        fields.append(field("Diagnostic-Code", f"smtp; {answer}"))
    if delayed and retry_until:
        fields.append(field("Will-Retry-Until", date.write(retry_until)))
    return b"".join(fields)


def original_header(alias: str, subject: str, message_id: str, received_at: datetime) -> bytes:
    """Returns the MIME part text/rfc822-headers (RFC 6522 §3): the fields by which the writer can find the message.

    `message_id` has no angle brackets, "" if the message had none.
    """
    fields = [
        field("Content-Type", "text/rfc822-headers"),
        b"\r\n",
        field("Date", date.write(received_at)),
        field("To", alias),
        field("Subject", unstructured(subject)),
    ]
    if message_id:
        fields.append(field("Message-ID", f"<{message_id}>"))
    return b"".join(fields)
