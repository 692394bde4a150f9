"""The way out: carrying a message to another server, finding that server, signing."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One transaction to be made with another server. `content` is CRLF-ended and signed, not dot-stuffed; it may hold
    8-bit text. `downgraded(eight_bit)` makes and signs the form for a server without SMTPUTF8, in 7 bit unless it
    offers 8BITMIME. A local part that is not ASCII has no such form: the courier answers 5.6.7."""

    mail_from: str
    rcpt_to: str
    content: bytes
    downgraded: Callable[[bool], Awaitable[bytes]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The outcome of one attempt. `code`/`enhanced`/`text` are the remote server's last words ("" and 0 when it never
    spoke), `phase` where they were said (`connect`, `tls`, `mail`, `rcpt`, `data`, `end_of_data`, `dns`); `host` is
    the remote's name; `tls` its protocol version or "". `permanent`: trying again cannot help; `downgraded`: what was
    offered was that form of the content."""

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
        """Tries each host in order once. Never raises for what a remote does: every outcome is a Delivery."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class MxHost:
    preference: int
    name: str
    addresses: tuple[str, ...] = ()


class ResolveError(Exception):
    """A look-up failed. `permanent`: the name does not exist or takes no mail (NXDOMAIN, null MX, RFC 7505)."""

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent


HostRecord = Literal["A", "AAAA", "MX", "PTR"]


class Resolver(Protocol):
    async def mx(self, domain: str) -> Sequence[MxHost]:
        """Hosts in the order in which to try them (RFC 5321 §5.1), falling back to A/AAAA. Raises ResolveError."""
        ...

    async def addresses(self, host: str) -> Sequence[str]:
        """A and AAAA of a host. Raises ResolveError."""
        ...

    async def txt(self, name: str) -> Sequence[bytes]:
        """TXT records, each joined. No such name, no such records: empty; a fault raises ResolveError."""
        ...

    async def lookup(self, name: str, record_type: HostRecord) -> Sequence[str]:
        """Addresses of A and AAAA; host names of MX, by preference, and PTR, lower case without a final dot. Empty and
        faults as for `txt`."""
        ...


class Signer(Protocol):
    async def sign(self, domain: str, header: bytes, body: bytes) -> bytes:
        """The DKIM-Signature fields for a message from `domain`, b"" when it has no key. Signs off the loop."""
        ...
