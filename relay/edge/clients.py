"""The clients of all listeners: their addresses, and the networks without limits."""

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from relay import config
from relay.core.networks import Address

Network = IPv4Network | IPv6Network


def client_address(text: str) -> Address:
    """Returns an address in the form for comparison: an IPv4-mapped IPv6 address becomes IPv4.

    Raises ValueError for text that is not an IP address.
    """
    address = ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address


def peer_address(transport: asyncio.BaseTransport) -> Address:
    """Returns the address of a connection's peer. The unspecified address stands for a peer that is gone already."""
    peer = transport.get_extra_info("peername") or ("::",)
    return client_address(peer[0])


class ClientNetworks:
    """The networks of the configuration, for questions about a client."""

    def __init__(self, networks: config.Networks) -> None:
        self._trusted = _parsed(networks.trusted)
        self._fronts = _parsed(networks.front_hosts)

    def is_trusted(self, client: Address) -> bool:
        """Whether the client is in `networks.trusted`."""
        return any(client in network for network in self._trusted)

    def is_front(self, client: Address) -> bool:
        """Whether the client is in `networks.front_hosts`."""
        return any(client in network for network in self._fronts)

    def is_free(self, client: Address) -> bool:
        """Whether the client is free of limits: a trusted one, or a front host that speaks for itself."""
        return self.is_trusted(client) or self.is_front(client)


def _parsed(texts: Sequence[str]) -> tuple[Network, ...]:
    return tuple(ip_network(text, strict=False) for text in texts)


def limit_silence(transport: asyncio.BaseTransport, silence_s: float) -> None:
    """Lets the kernel end a connection whose peer acknowledges nothing for `silence_s`, where the platform can."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        option_ms = min(max(1, int(silence_s * 1_000)), 2**31 - 1)
        with contextlib.suppress(OSError):  # the connection may be gone already
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, option_ms)
