"""A message on its way in, and the record that is kept of it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Port(StrEnum):
    """Which door the message came in by."""

    MX = "mx"
    SUBMISSION = "submission"
    LMTP = "lmtp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Who is on the other end of the connection. `login_party_id` is the party that an app password proved;
    `trusted` means that the client's address is in `trusted_networks`."""

    port: Port
    client_ip: str
    helo: str
    tls: bool
    login_party_id: str | None = None
    trusted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One SMTP transaction after its data. `mail_from` is "" for the null sender (RFC 5321 §4.5.5); `rcpt_to` holds
    accepted recipients only, as written, in order; `content` is CRLF-ended, without dot-stuffing and end mark."""

    peer: Peer
    mail_from: str
    rcpt_to: tuple[str, ...]
    smtputf8: bool
    content: bytes
    received_at: datetime


class MessageState(StrEnum):
    """Delivery state of a record (R-OUT-03). `accepted` is said of the receiving server, never of a person."""

    RECEIVED = "received"
    HELD = "held"
    QUEUED = "queued"
    DEFERRED = "deferred"
    ACCEPTED = "accepted"
    BOUNCED = "bounced"
    RETURNED = "returned"
    REFUSED = "refused"
    """Answered 5xx: kept as evidence, never on its way to anybody."""
