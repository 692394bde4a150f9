"""Writes the header fields that dispatch puts before the rewritten header: Received and To.

To names the mailbox that the party has at the time of dispatch. The rewritten message is stored without these fields,
because the mailbox of a party may change while mail to it waits (R-ADR-04).
"""

import re
from datetime import datetime

from relay.core.mail import address, date


def received(*, by: str, protocol: str, record_id: str, at: datetime) -> str:
    """Returns a Received value that names only the relay and no client, address or recipient (RFC 5321 §4.4)."""
    return f"by {by} with {protocol} id {record_id};\r\n {date.write(at)}"


def header(rewritten: bytes, *, to: str, received: str | None, at: datetime) -> bytes:
    """Returns the whole header block, without its empty line and without signatures.

    It consists of Received (unless `received` is None), To, and the fields of `rewritten`. `at` becomes the date if the
    mail has no Date field that can be read (RFC 5322 §3.6). Raises AddressError if `to` is not an address.
    """
    lines = [f"Received: {received}\r\n"] if received else []
    lines.append(f"To: {_addr_spec(to)}\r\n")
    if not re.search(rb"^date:", rewritten, re.IGNORECASE | re.MULTILINE):
        lines.append(f"Date: {date.write(at)}\r\n")
    return "".join(lines).encode() + rewritten


def _addr_spec(mailbox: str) -> str:
    """Returns the mailbox in the form that RFC 5322 §3.4.1 defines.

    The domain of an address with an ASCII local part is written in A-labels, so that the next hop need not support
    SMTPUTF8.
    """
    local, domain = address.split(mailbox)
    return f"{address.sendable_local_part(local)}@{address.fold_domain(domain) if local.isascii() else domain}"
