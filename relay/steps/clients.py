"""The names under which clients without a login are counted.

If another mail server is in front of the relay, all clients have that server's address. Then the name is the domain of
MAIL FROM. The writer chooses that domain, so a limit for each name needs a limit for all names beside it.
"""

from ipaddress import ip_address

from relay.core.mail.address import fold_domain
from relay.core.model.message import Incoming
from relay.core.networks import client_key, network_key


def client_of(incoming: Incoming) -> str:
    """Returns the name of the client of a message: its IPv4 address, or its IPv6 network of 64 bits."""
    peer = incoming.peer
    return _domain_of(incoming) if peer.passes_on else client_key(ip_address(peer.client_ip))


def network_of(incoming: Incoming) -> str:
    """Returns the name of the client's network: 24 bits of its IPv4 address, or 64 of its IPv6 address."""
    peer = incoming.peer
    return _domain_of(incoming) if peer.passes_on else network_key(ip_address(peer.client_ip))


def _domain_of(incoming: Incoming) -> str:
    return f"domain {fold_domain(incoming.mail_from.rpartition('@')[2])}"
