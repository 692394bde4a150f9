"""What dispatch puts in front of the rewritten header: our one trace field, and To with the mailbox of today.

The rewritten form is kept without them, because a party's mailbox may change while its mail waits (R-ADR-04).
"""

import re
from datetime import datetime

from relay.core.mail import address, date


def received(*, by: str, protocol: str, record_id: str, at: datetime) -> str:
    """A Received value that names nobody but us (RFC 5321 §4.4): no client, no address, no recipient."""
    return f"by {by} with {protocol} id {record_id};\r\n {date.write(at)}"


def header(rewritten: bytes, *, to: str, received: str | None, at: datetime) -> bytes:
    """The whole header block without its empty line and without signatures. `at` stands in for a Date that the
    writer's program did not give in readable form (RFC 5322 §3.6). Raises AddressError for a `to` that is none."""
    lines = [f"Received: {received}\r\n"] if received else []
    lines.append(f"To: {_addr_spec(to)}\r\n")
    if not re.search(rb"^date:", rewritten, re.IGNORECASE | re.MULTILINE):
        lines.append(f"Date: {date.write(at)}\r\n")
    return "".join(lines).encode() + rewritten


def _addr_spec(mailbox: str) -> str:
    """RFC 5322 §3.4.1; A-labels spare the next hop SMTPUTF8 where the local part is ASCII."""
    local, domain = address.split(mailbox)
    return f"{address.sendable_local_part(local)}@{address.fold_domain(domain) if local.isascii() else domain}"
