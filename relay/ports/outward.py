"""The way out: delivery to another server, look-up of that server, signing."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One transaction to make with another server. `content` ends in CRLF and is signed; it is not dot-stuffed and may
    contain 8-bit text. `downgraded(eight_bit)` makes and signs the form for a server without SMTPUTF8, in 7 bits unless
    the server offers 8BITMIME. A local part that is not ASCII has no such form: the courier answers 5.6.7."""

    mail_from: str
    rcpt_to: str
    content: bytes
    downgraded: Callable[[bool], Awaitable[bytes]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The outcome of one attempt. `code`, `enhanced` and `text` are the last reply of the remote server (0 and "" if
    there was none), and `phase` is the step of the reply (`connect`, `tls`, `mail`, `rcpt`, `data`, `end_of_data`,
    `dns`). `host` is the name of the server; `tls` the protocol version, or "". `permanent` means that another attempt
    cannot succeed; `downgraded` that the downgraded form of the content was sent."""

    accepted: bool
    permanent: bool
    code: int
    enhanced: str
    text: str
    phase: str
    host: str
    tls: str
    downgraded: bool = False


class Courier(Protocol):
    async def deliver(self, outgoing: Outgoing) -> Delivery:
        """Tries each host once, in order, and returns the outcome. It raises nothing, whatever the server does."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class MxHost:
    preference: int
    name: str
    addresses: tuple[str, ...] = ()


class ResolveError(Exception):
    """A look-up failed. `permanent` means that the name does not exist or accepts no mail (NXDOMAIN, null MX, RFC
    7505)."""

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent


HostRecord = Literal["A", "AAAA", "MX", "PTR"]


class Resolver(Protocol):
    async def mx(self, domain: str) -> Sequence[MxHost]:
        """Returns the hosts in the order in which to try them (RFC 5321 §5.1); without MX records, the domain itself.
        Raises ResolveError."""
        ...

    async def addresses(self, host: str) -> Sequence[str]:
        """Returns the addresses of the A and AAAA records of a host. Raises ResolveError."""
        ...

    async def txt(self, name: str) -> Sequence[bytes]:
        """Returns the TXT records, each joined; nothing if there is no such name or no such record. Raises ResolveError
        for a fault."""
        ...

    async def lookup(self, name: str, record_type: HostRecord) -> Sequence[str]:
        """Returns the addresses of A or AAAA records, or the host names of MX records (by preference) or PTR records,
        in lower case without a final dot. Nothing and faults are as for `txt`."""
        ...


class Signer(Protocol):
    async def sign(self, domain: str, header: bytes, body: bytes) -> bytes:
        """Returns the DKIM-Signature fields for a message from `domain`, b"" if the domain has no key. It signs outside
        of the event loop's thread."""
        ...
