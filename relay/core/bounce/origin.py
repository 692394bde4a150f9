"""The origin of a report, and whether it confirms the claim that the report makes (R-OUT-04).

Mail to a return path comes from anybody who has read the address in a received message. So a report is a claim: it is
confirmed only if a mail system wrote it, and if this system is the host that took the message, or belongs to the
organization of that host or of the recipient's domain.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from relay.core import keyed
from relay.core.bounce.dsn import Bounce
from relay.core.mail.mime import body_start
from relay.core.model.message import Peer
from relay.core.public_suffixes import organizational_domain

_MARK_BYTES: Final = 10
_SYSTEMS: Final = frozenset({"mailer-daemon", "postmaster"})
"""The local parts under which mail systems write (RFC 2142 §5). No provider gives them to a user."""
_RECEIVED: Final = re.compile(rb"^received[ \t]*:(?>[ \t\r\n]*)(from[ \t\r\n(])?", re.IGNORECASE | re.MULTILINE)
_HEADER_BYTES: Final = 65_536
_WORD: Final = re.compile(r"[a-z]+")
_NUMBER: Final = re.compile(r"[0-9]+")
_LINES: Final = frozenset(
    {"access", "adsl", "broadband", "cable", "client", "clients", "compute", "cust", "customer", "customers", "dhcp"}
    | {"dial", "dialup", "dsl", "dyn", "dynamic", "fiber", "ftth", "home", "host", "ip", "kd", "pool", "ppp", "pppoe"}
    | {"res", "static", "unassigned", "user", "vdsl", "vps"}
)
"""Words in the names that a provider gives to the lines and machines of its customers."""
_LINE_BEGINNINGS: Final = ("ipad", "ipbf", "ipngn", "ipoe")


class Confirmation(StrEnum):
    """The proof that a report comes from where it may come from."""

    SAME_HOST = "same_host"
    """The client has the address of the host that took the message."""
    REVERSE_DNS = "reverse_dns"
    """The client's name, which leads back to its address, is of the organization."""
    HELO = "helo"
    """The client may use the name in its HELO, by SPF, and this name is of the organization."""
    DKIM = "dkim"
    """A signature of the organization covers the report, which names the message."""
    RECIPIENT_SPF = "recipient_spf"
    """The client may send mail for the recipient's domain, by SPF."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOrigin:
    """The origin of a report, as far as it is proven.

    `address` is the client's, "" if the client may have passed on a report of others. `names` are the client's names
    that lead back to its address, `helo` is the HELO domain for which SPF passes, "" if there is none. `signers` are
    the domains of valid DKIM signatures. `in_recipient_spf`: the client may send mail for the recipient's domain.
    `results` are `method=result` texts for the record; they contain no name and no address.
    """

    address: str = ""
    names: tuple[str, ...] = ()
    helo: str = ""
    signers: tuple[str, ...] = ()
    in_recipient_spf: bool = False
    results: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The item that a report is about.

    `record_id` is the id of its message, which stands in the header that was sent. `destination` is the domain of its
    recipient, and `took` the `mark` of the host that took it ("" if no host did).
    """

    item_id: str
    record_id: str
    destination: str
    took: str


def mark(key: bytes, item_id: str, ip: str, host: str) -> str:
    """Returns the mark of the host that took an item: one tag for its address, one for its organization.

    The mark shows neither to anybody without `key` (32 bytes), and equal hosts have different marks for two items.
    """
    ip = plain_ip(ip) if ":" in ip else ip  # an IPv4 address of a socket has one form already
    return f"{_tag(key, item_id, 'address', ip)}.{_tag(key, item_id, 'organization', organization(host))}"


def _tag(key: bytes, item_id: str, purpose: str, value: str) -> str:
    return keyed.tag(key, f"took {purpose}", item_id, value, size=_MARK_BYTES).hex() if value else ""


@lru_cache(maxsize=2_000)
def organization(name: str) -> str:
    """Returns the domain below the public suffix of a host or domain, "" for an address or a name without one."""
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return organizational_domain(name.lower().rstrip(".")) or ""
    return ""


def own_address(peer: Peer, *, is_front: bool, content: bytes) -> str:
    """Returns the client's address in one form, "" if the client may have passed on a report of others.

    Servers of the installation pass on mail of anybody, and write that into the topmost Received field (RFC 5321 §4.4).
    Without `from` in it, the server itself wrote the report. They are those in front of the relay (`is_front`), and
    those in a private network: one of these may be the way in and the way out. A client with a login is a mail program.
    """
    client = plain_ip(peer.client_ip)
    if peer.login_party_id is not None or not client:
        return ""
    if is_front or not ip_address(client).is_global:
        topmost = _RECEIVED.search(content, 0, min(body_start(content), _HEADER_BYTES))
        if topmost is not None and topmost[1]:
            return ""
    return client


def plain_ip(text: str) -> str:
    """Returns an IP address in one form, an IPv4 address also where it is mapped to IPv6; "" for any other text."""
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)


def confirmation(
    report: Bounce, origin: ReportOrigin, sent: Sent, *, mail_from: str, from_address: str, key: bytes
) -> Confirmation | None:
    """Returns what confirms a report about an item, None if nothing does.

    `mail_from` and `from_address` are the envelope sender and the folded From of the report ("" if it has none that is
    readable). `key` is the one of `mark`.
    """
    names_it = sent.record_id in report.returned
    if not names_it and "message-id:" in report.returned.lower():
        return None  # it is about another message
    by_client = _by_client(origin, sent, key) if not mail_from or _is_system(mail_from) else None
    if by_client is not None:
        return by_client
    # A signature says nothing about the envelope: anybody may send a signed mail again, to another address.
    author = organization(from_address.rpartition("@")[2])
    is_signed = any(organization(one) == author and _belongs(one, sent, key) for one in origin.signers)
    return Confirmation.DKIM if names_it and _is_system(from_address) and is_signed else None


def _by_client(origin: ReportOrigin, sent: Sent, key: bytes) -> Confirmation | None:
    took = sent.took.partition(".")[0]
    if took and _tag(key, sent.item_id, "address", origin.address) == took:
        return Confirmation.SAME_HOST
    if any(_belongs(name, sent, key) and not is_line(name, origin.address) for name in origin.names):
        return Confirmation.REVERSE_DNS
    if _belongs(origin.helo, sent, key):
        return Confirmation.HELO
    return Confirmation.RECIPIENT_SPF if origin.in_recipient_spf else None


def _belongs(name: str, sent: Sent, key: bytes) -> bool:
    """Whether a host or domain is of the organization of the recipient, or of the host that took the item."""
    own, took = organization(name), sent.took.partition(".")[2]
    if not own:
        return False
    return own == organization(sent.destination) or (
        bool(took) and _tag(key, sent.item_id, "organization", own) == took
    )


def _is_system(address: str) -> bool:
    return address.rpartition("@")[0].lower() in _SYSTEMS


def is_line(name: str, ip: str) -> bool:
    """Whether a host name looks like that of a customer's line or machine: it proves nothing about the provider."""
    own = organization(name)
    labels = name.lower().rstrip(".").removesuffix(own)
    words = _WORD.findall(labels)
    numbers = [int(one) for one in _NUMBER.findall(labels) if len(one) <= 3]
    octets = [int(one) for one in ip.split(".")] if "." in ip else []
    spelled = bool(octets) and any(numbers[at : at + 4] in (octets, octets[::-1]) for at in range(len(numbers) - 3))
    return spelled or not _LINES.isdisjoint(words) or any(word.startswith(_LINE_BEGINNINGS) for word in words)
