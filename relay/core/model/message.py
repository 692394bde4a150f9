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
    """The client from which a message came.

    `port` is the kind of listener to which it connected. `helo` is the name that it gave in EHLO, HELO or LHLO.
    `login_party_id` is the id of the party that has logged in with an app password, None without a login. `trusted` is
    True if the client's address is in a network of `networks.trusted` in the configuration. `is_front` is True if it is
    in one of `networks.front_hosts`; such a mail server has named no client of its own.
    """

    port: Port
    client_ip: str
    helo: str
    tls: bool
    login_party_id: str | None = None
    trusted: bool = False
    is_front: bool = False

    @property
    def passes_on(self) -> bool:
        """Returns whether the client is a server of the installation, which passes on the mail of other clients."""
        return self.trusted or self.is_front or self.port is Port.LMTP


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One message as it came by SMTP or LMTP.

    `mail_from` is the sender of the envelope, "" for the null reverse-path (RFC 5321 §4.5.5). `rcpt_to` are the
    recipients that were accepted, as the client wrote them and in its order. `content` is the message without
    dot-stuffing and without the final dot; it ends with CRLF. `return_path` is set for an automatic reply that is taken
    as mail to the alias in `rcpt_to`: it is the relay's own address to which the reply was sent. For any other message
    it is "".
    """

    peer: Peer
    mail_from: str
    rcpt_to: tuple[str, ...]
    smtputf8: bool
    content: bytes
    received_at: datetime
    return_path: str = ""


class MessageState(StrEnum):
    """The delivery state of a record (R-OUT-03).

    ACCEPTED means that the recipient's server has accepted the message, not that a person has read it.
    """

    HELD = "held"
    QUEUED = "queued"
    DEFERRED = "deferred"
    ACCEPTED = "accepted"
    BOUNCED = "bounced"
    RETURNED = "returned"
    REFUSED = "refused"
    """The message was refused with a 5xx reply. It is kept as evidence and never sent."""
