"""The way out: delivery to another server, look-up of that server, signing."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One transaction to make with another server.

    `content` ends in CRLF and is signed; it is not dot-stuffed and may contain 8-bit text. `downgraded(eight_bit)`
    makes and signs the form for a server without SMTPUTF8, in 7 bits unless the server offers 8BITMIME. A local part
    that is not ASCII has no such form: the courier answers 5.6.7.
    """

    mail_from: str
    rcpt_to: str
    content: bytes
    downgraded: Callable[[bool], Awaitable[bytes]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The outcome of one attempt.

    `code`, `enhanced` and `text` are the last reply of the remote server (0 and "" if there was none), and `phase` is
    the step of the reply (`connect`, `tls`, `mail`, `rcpt`, `data`, `end_of_data`, `dns`). `host` is the name of the
    server, and `ip` its address, "" if there was no session; `tls` the protocol version, or "". `permanent` means that
    another attempt cannot succeed; `downgraded` that the downgraded form of the content was sent; `timed_out` that a
    server did not answer in time. With `again_s` no server was asked, since none had a free place: the item is put off
    by so many seconds, and no attempt counts.
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
        """Makes one attempt to deliver, and returns the outcome.

        The hosts of the destination are tried in order, each address of a host once, until an outcome is final or
        enough addresses were tried. Whatever the servers do, nothing is raised.
        """
        ...

    async def close(self) -> None:
        """Closes the idle connections. Deliveries under way close their own."""
        ...


@dataclass(frozen=True, slots=True)
class MxHost:
    """A host that accepts the mail of a domain.

    `name` has no final dot. `addresses` are the host's addresses if they are known already, else empty.
    """

    preference: int
    name: str
    addresses: tuple[str, ...] = ()


class ResolveError(Exception):
    """A look-up failed.

    `permanent` means that the name does not exist (NXDOMAIN), has no address, or accepts no mail (null MX, RFC 7505).
    """

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent


HostRecord = Literal["A", "AAAA", "MX", "PTR"]


class Resolver(Protocol):
    """Looks up names in DNS. Answers may come from a cache."""

    async def mx(self, domain: str) -> Sequence[MxHost]:
        """Returns the hosts in the order in which to try them (RFC 5321 §5.1).

        Without MX records it returns the domain itself, with its addresses. Raises ResolveError, which is permanent if
        the name does not exist, accepts no mail, or has neither MX records nor an address.
        """
        ...

    async def addresses(self, host: str) -> Sequence[str]:
        """Returns the addresses of the A and AAAA records of a host, at least one.

        Raises ResolveError, which is permanent if the host does not exist or has no address. A fault in the look-up of
        one family is not raised if the other family has addresses.
        """
        ...

    async def txt(self, name: str) -> Sequence[bytes]:
        """Returns the TXT records, the strings of each joined; nothing if there is no such name or no such record.

        Raises ResolveError only for a temporary fault.
        """
        ...

    async def lookup(self, name: str, record_type: HostRecord) -> Sequence[str]:
        """Returns the values of the A, AAAA, MX or PTR records of a name; nothing if there are none.

        Values of A and AAAA are addresses. Values of MX, by preference, and of PTR are host names in lower case without
        a final dot; a null MX (RFC 7505) is left out. Raises ResolveError only for a temporary fault, as `txt` does.
        """
        ...


class Signer(Protocol):
    """Signs messages with the active DKIM keys of their domain."""

    async def sign(self, domain: str, header: bytes, body: bytes) -> bytes:
        """Returns the DKIM-Signature fields for a message from `domain`, b"" if the domain has no key.

        It signs outside of the event loop's thread. Raises UnavailableError if the domain's keys were never loaded and
        the store is unavailable; keys that were loaded before are used on meanwhile.
        """
        ...
