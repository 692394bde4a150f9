"""Composes the parts of a delivery report for programs (RFC 3464).

The last part is the header that identifies the message (RFC 6522).
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
    """Returns the part of RFC 3464 §2: the fields of the message, an empty line, the fields of its one recipient.

    The status is the relay's own; `answer` is the redacted reply of the other server, "" if there was none.
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
    """Returns the part of RFC 6522 §3: as much of the header as the author needs to find the message."""
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
