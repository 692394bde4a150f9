"""Delivery reports (RFC 3464) as servers write them, and as a forger does."""

from tests.support.market_env import BUYER


def delivery_report(
    to: str,
    *,
    sender: str = "mailer-daemon@phone.example",
    action: str = "failed",
    status: str = "5.1.1",
    text: str = "user unknown",
    received: str = "",
    returned: str = "",
) -> bytes:
    """Returns a report to the return path `to`.

    `received` is the value of a Received field, "" for none; `returned` is the header of the returned message.
    """
    trace = f"Received: {received}\r\n" if received else ""
    tail = f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\n{returned}\r\n" if returned else ""
    return (
        f"{trace}From: {sender}\r\nTo: {to}\r\nSubject: failure\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nNo.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; mx.phone.example\r\n\r\n"
        f"Final-Recipient: rfc822; {BUYER}\r\nAction: {action}\r\nStatus: {status}\r\n"
        f"Diagnostic-Code: smtp; 550 {status} {text}\r\n\r\n{tail}--b--\r\n"
    ).encode()
