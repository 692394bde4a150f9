"""Decides whether the origin of a report confirms the report (R-OUT-04).

Anybody who has read a return path in a received message can send mail to it, so a report may be forged. A report is
confirmed only if a mail system wrote it. This system must be the host that accepted the message, or belong to the
organization of that host, or to the organization of the recipient's domain.
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
"""The local parts that mail systems use (RFC 2142 §5). No provider gives a user one of them."""
_RECEIVED: Final = re.compile(rb"^received[ \t]*:(?>[ \t\r\n]*)(from[ \t\r\n(])?", re.IGNORECASE | re.MULTILINE)
_HEADER_BYTES: Final = 65_536
_WORD: Final = re.compile(r"[a-z]+")
_NUMBER: Final = re.compile(r"[0-9]+")
_LINES: Final = frozenset(
    {"access", "adsl", "broadband", "cable", "client", "clients", "compute", "cust", "customer", "customers", "dhcp"}
    | {"dial", "dialup", "dsl", "dyn", "dynamic", "fiber", "ftth", "home", "host", "ip", "kd", "pool", "ppp", "pppoe"}
    | {"res", "static", "unassigned", "user", "vdsl", "vps"}
)
"""Words in the host names that providers give to the connections and machines of their customers."""
_LINE_BEGINNINGS: Final = ("ipad", "ipbf", "ipngn", "ipoe")


class Confirmation(StrEnum):
    """The proof by which a report is confirmed.

    "The organization" is that of the host that accepted the message, or that of the recipient's domain. "The client" is
    the server that sent the report.
    """

    SAME_HOST = "same_host"
    """The client has the IP address of the host that accepted the message."""
    REVERSE_DNS = "reverse_dns"
    """The client's host name belongs to the organization, and DNS leads from the name back to the client's address."""
    HELO = "helo"
    """The name in the client's HELO belongs to the organization, and SPF passes for this name."""
    DKIM = "dkim"
    """A DKIM signature of the organization is valid for the report, and the report names the message."""
    RECIPIENT_SPF = "recipient_spf"
    """By SPF, the client may send mail for the recipient's domain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOrigin:
    """The proven origin of a report.

    `address` is the IP address of the client, "" if the client may have forwarded the report of another host. `names`
    are the client's host names for which DNS leads back to its address. `helo` is the domain in HELO if SPF passes for
    it, else "". `signers` are the domains of valid DKIM signatures. `in_recipient_spf` is True if the client may send
    mail for the recipient's domain, by SPF. `results` are texts for the record, such as "iprev=pass"; they contain no
    name and no address.
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

    `record_id` is the id of its record, which the header of the sent message contains. `domain` is the domain of its
    recipient. `took` is the mark (see `mark`) of the host that accepted the message, "" if no host accepted it.
    """

    item_id: str
    record_id: str
    domain: str
    took: str


def mark(key: bytes, item_id: str, ip: str, host: str) -> str:
    """Returns the mark of the host that accepted an item: a keyed tag of its IP address and one of its organization.

    Nobody can read the address or the organization from the mark without `key` (32 bytes). The same host has a
    different mark for each item.
    """
    ip = plain_ip(ip) if ":" in ip else ip  # an IPv4 address of a socket is already in its usual form
    return f"{_tag(key, item_id, 'address', ip)}.{_tag(key, item_id, 'organization', organization(host))}"


def _tag(key: bytes, item_id: str, purpose: str, value: str) -> str:
    return keyed.tag(key, f"took {purpose}", item_id, value, size=_MARK_BYTES).hex() if value else ""


@lru_cache(maxsize=2_000)
def organization(name: str) -> str:
    """Returns the organizational domain of a host or domain: the name directly below its public suffix.

    Returns "" for an IP address, and for a name that is itself a public suffix.
    """
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return organizational_domain(name.lower().rstrip(".")) or ""
    return ""


def own_address(peer: Peer, *, is_front: bool, content: bytes) -> str:
    """Returns the client's IP address as by `plain_ip`, "" if the client may have forwarded the report of another host.

    A server of the installation itself forwards the mail of any host. This is a server in front of the relay
    (`is_front`), or a server in a private network, which may be used for incoming and outgoing mail. Such a server
    names the host from which it got the mail in the topmost Received field (RFC 5321 §4.4), after `from`. Without
    `from`, the server wrote the report itself, so its address is returned. A client with a login is a mail program, so
    "" is returned.
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
    """Returns an IP address in its usual form; "" if the text is not an IP address.

    An IPv4 address that is mapped to IPv6 is returned as IPv4.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)


def confirmation(
    report: Bounce, origin: ReportOrigin, sent: Sent, *, mail_from: str, from_address: str, key: bytes
) -> Confirmation | None:
    """Returns the proof that confirms a report about an item, None if the report is not confirmed.

    `mail_from` is the sender of the report's envelope. `from_address` is the From address of the report (folded), "" if
    it cannot be read. `key` is the key that `mark` was called with.
    """
    names_it = sent.record_id in report.returned
    if not names_it and "message-id:" in report.returned.lower():
        return None  # the report is about another message
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
    """Returns whether `name` belongs to the organization of the recipient, or of the host that accepted the item.

    `name` is a host name or a domain.
    """
    own, took = organization(name), sent.took.partition(".")[2]
    if not own:
        return False
    return own == organization(sent.domain) or (bool(took) and _tag(key, sent.item_id, "organization", own) == took)


def _is_system(address: str) -> bool:
    return address.rpartition("@")[0].lower() in _SYSTEMS


def is_line(name: str, ip: str) -> bool:
    """Returns whether a host name looks like the name of a customer's connection or machine at a provider.

    Such a name is below the provider's domain, but it does not prove that the provider itself uses the host. `ip` is
    the IP address of the host.
    """
    own = organization(name)
    labels = name.lower().rstrip(".").removesuffix(own)
    words = _WORD.findall(labels)
    numbers = [int(one) for one in _NUMBER.findall(labels) if len(one) <= 3]
    octets = [int(one) for one in ip.split(".")] if "." in ip else []
    spelled = bool(octets) and any(numbers[at : at + 4] in (octets, octets[::-1]) for at in range(len(numbers) - 3))
    return spelled or not _LINES.isdisjoint(words) or any(word.startswith(_LINE_BEGINNINGS) for word in words)
