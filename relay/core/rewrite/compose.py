"""Writes the fields that dispatch puts before the rewritten header: one Received field, and To.

To names the mailbox that the party has at the time of dispatch. The rewritten form is stored without these fields,
because the mailbox of a party may change while its mail waits (R-ADR-04).
"""

import re
from datetime import datetime

from relay.core.mail import address, date


def received(*, by: str, protocol: str, record_id: str, at: datetime) -> str:
    """Returns a Received value that names only us (RFC 5321 §4.4): no client, no address, no recipient."""
    return f"by {by} with {protocol} id {record_id};\r\n {date.write(at)}"


def header(rewritten: bytes, *, to: str, received: str | None, at: datetime) -> bytes:
    """Returns the whole header block without its empty line and without signatures.

    `at` is used as the date if the writer's program gave none that can be read (RFC 5322 §3.6). Raises AddressError
    if `to` is not an address.
    """
    lines = [f"Received: {received}\r\n"] if received else []
    lines.append(f"To: {_addr_spec(to)}\r\n")
    if not re.search(rb"^date:", rewritten, re.IGNORECASE | re.MULTILINE):
        lines.append(f"Date: {date.write(at)}\r\n")
    return "".join(lines).encode() + rewritten


def _addr_spec(mailbox: str) -> str:
    """Returns the mailbox as RFC 5322 §3.4.1 writes it.

    With A-labels the next hop needs no SMTPUTF8 for an ASCII local part.
    """
    local, domain = address.split(mailbox)
    return f"{address.sendable_local_part(local)}@{address.fold_domain(domain) if local.isascii() else domain}"
