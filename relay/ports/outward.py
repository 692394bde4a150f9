"""The ports of outgoing mail: delivery to another server, look-ups in DNS, and DKIM signing."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One message to deliver to another server, with its envelope.

    `content` ends in CRLF and is signed. It is not dot-stuffed, and may contain 8-bit text. `downgraded(eight_bit)`
    makes and signs the form for a server without SMTPUTF8 (RFC 6531); this form has only 7-bit text unless `eight_bit`
    says that the server offers 8BITMIME. It raises HeavyMailError, TooHeavyError and UnavailableError. If a local part
    is not ASCII, the message has no downgraded form, and the courier reports the enhanced status 5.6.7.
    """

    mail_from: str
    rcpt_to: str
    content: bytes
    downgraded: Callable[[bool], Awaitable[bytes]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The outcome of one attempt.

    - `accepted` means that the server has accepted the message. `permanent` means that it has not, and that another
      attempt cannot succeed.
    - `code`, `enhanced` and `text` are the last reply of the remote server; they are 0 and "" if there was no reply.
    - `phase` is the step to which the outcome belongs: `dns`, `connect`, `tls`, `mail`, `rcpt`, `data` or
      `end_of_data`.
    - `host` is the name of the server, and `ip` its address, which is "" if there was no session. `tls` is the version
      of the TLS protocol, "" without TLS.
    - `downgraded` means that the downgraded form of the content was sent. `timed_out` means that a server did not
      answer in time.
    - `again_s` is set if no server was asked because none had a free place. The item is then put off by this number of
      seconds, and the attempt is not counted.
    """

    accepted: bool
    permanent: bool
    code: int
    enhanced: str
    text: str
    phase: str
    host: str
    tls: str
    downgraded: bool = False
    ip: str = ""
    timed_out: bool = False
    again_s: float = 0


class Courier(Protocol):
    """Delivers messages to other servers. Several deliveries may run at once."""

    async def deliver(self, outgoing: Outgoing) -> Delivery:
        """Makes one attempt to deliver a message, and returns the outcome.

        The hosts of the destination are tried in order, each address of a host once, until an outcome is final or
        enough addresses were tried. A fault of a server is part of the outcome, and never raises an error. Raises the
        errors of `Outgoing.downgraded`, because the relay itself fails then.
        """
        ...

    async def close(self) -> None:
        """Closes the idle connections. A running delivery closes its own connection when it ends."""
        ...


@dataclass(frozen=True, slots=True)
class MxHost:
    """A host that accepts the mail of a domain.

    `name` has no final dot. `addresses` are the IP addresses of the host, or empty if they were not looked up yet.
    """

    preference: int
    name: str
    addresses: tuple[str, ...] = ()


class ResolveError(Exception):
    """Raised if a look-up in DNS failed.

    `permanent` means that the name does not exist (NXDOMAIN), has no address, or accepts no mail (null MX, RFC 7505).
    """

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent


HostRecord = Literal["A", "AAAA", "MX", "PTR"]


class Resolver(Protocol):
    """Looks up names in DNS. An answer may come from a cache."""

    async def mx(self, domain: str) -> Sequence[MxHost]:
        """Returns the hosts that accept the domain's mail, in the order in which to try them (RFC 5321 §5.1).

        If the domain has no MX record, the result is the domain itself with its addresses. Raises ResolveError. The
        error is permanent if the name does not exist, accepts no mail, or has neither an MX record nor an address.
        """
        ...

    async def addresses(self, host: str) -> Sequence[str]:
        """Returns the IP addresses from the A and AAAA records of a host, at least one.

        Raises ResolveError. The error is permanent if the host does not exist or has no address. If one of the two
        look-ups fails and the other finds addresses, nothing is raised.
        """
        ...

    async def txt(self, name: str) -> Sequence[bytes]:
        """Returns the TXT records of a name, each with its strings joined.

        The result is empty if the name or the record does not exist. Raises ResolveError only for a temporary fault.
        """
        ...

    async def lookup(self, name: str, record_type: HostRecord) -> Sequence[str]:
        """Returns the values of the A, AAAA, MX or PTR records of a name; an empty sequence if there are none.

        The values of A and AAAA records are IP addresses. The values of MX records, in the order of preference, and of
        PTR records are host names in lower case without a final dot; a null MX (RFC 7505) is left out. Raises
        ResolveError only for a temporary fault.
        """
        ...


class Signer(Protocol):
    """Signs messages with the active DKIM keys of a domain."""

    async def sign(self, domain: str, header: bytes, body: bytes) -> bytes:
        """Returns the DKIM-Signature fields for a message from `domain`, or b"" if the domain has no key.

        The signing itself runs outside of the event loop's thread. Raises UnavailableError if the keys of the domain
        were never loaded and the store is unavailable. Keys that were loaded before remain in use while the store is
        unavailable.
        """
        ...
