"""An incoming message, and the state of its record."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Port(StrEnum):
    """The kind of listener that received the message."""

    MX = "mx"
    SUBMISSION = "submission"
    LMTP = "lmtp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """The client of the connection.

    `login_party_id` is the party that has logged in with an app password. `trusted` means that the client's address is
    in `networks.trusted`.
    """

    port: Port
    client_ip: str
    helo: str
    tls: bool
    login_party_id: str | None = None
    trusted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One SMTP transaction after its data.

    `mail_from` is "" for the null sender (RFC 5321 §4.5.5). `rcpt_to` contains the accepted recipients only, as written
    and in order. `content` ends with CRLF and has neither dot-stuffing nor end mark.
    """

    peer: Peer
    mail_from: str
    rcpt_to: tuple[str, ...]
    smtputf8: bool
    content: bytes
    received_at: datetime


class MessageState(StrEnum):
    """The delivery state of a record (R-OUT-03). `accepted` is about the receiving server, never about a person."""

    HELD = "held"
    QUEUED = "queued"
    DEFERRED = "deferred"
    ACCEPTED = "accepted"
    BOUNCED = "bounced"
    RETURNED = "returned"
    REFUSED = "refused"
    """The message was answered with a 5xx. It is kept as evidence and never sent."""
