"""The clients of all listeners: their IP addresses, and the networks whose clients have no limits."""

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from relay import config
from relay.core.networks import Address

Network = IPv4Network | IPv6Network


def client_address(text: str) -> Address:
    """Returns an IP address in a form that can be compared: an IPv4-mapped IPv6 address becomes IPv4.

    Raises ValueError if the text is not an IP address.
    """
    address = ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address


def peer_address(transport: asyncio.BaseTransport) -> Address:
    """Returns the IP address of a connection's peer; the unspecified address if the peer has disconnected already."""
    peer = transport.get_extra_info("peername") or ("::",)
    return client_address(peer[0])


class ClientNetworks:
    """The networks of the configuration, and the checks whether a client belongs to them."""

    def __init__(self, networks: config.Networks) -> None:
        self._trusted = _parsed(networks.trusted)
        self._fronts = _parsed(networks.front_hosts)

    def is_trusted(self, client: Address) -> bool:
        """Returns whether the client is in one of the networks of `networks.trusted`."""
        return any(client in network for network in self._trusted)

    def is_front(self, client: Address) -> bool:
        """Returns whether the client is in one of the networks of `networks.front_hosts`."""
        return any(client in network for network in self._fronts)

    def is_free(self, client: Address) -> bool:
        """Returns whether the client has no limits: it is trusted, or a front host that has named no other client."""
        return self.is_trusted(client) or self.is_front(client)


def _parsed(texts: Sequence[str]) -> tuple[Network, ...]:
    return tuple(ip_network(text, strict=False) for text in texts)


def limit_silence(transport: asyncio.BaseTransport, silence_s: float) -> None:
    """Makes the kernel end a connection whose peer acknowledges nothing for `silence_s` seconds.

    Does nothing on a platform without this function.
    """
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        option_ms = min(max(1, int(silence_s * 1_000)), 2**31 - 1)
        with contextlib.suppress(OSError):  # the connection may be closed already
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, option_ms)
