"""Tells public IP addresses from others, and makes the keys under which clients are counted.

Strangers control the DNS names of their domains, so the relay connects to such a name only at a public address.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

Address = IPv4Address | IPv6Address

_UNICAST: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR_RELAYS: Final = "192.88.99."  # RFC 7526


def is_public(address: str) -> bool:
    """Returns whether `address` is the address of one host on the public internet.

    This is False for loopback, private, link-local, shared (RFC 6598), multicast, documentation and reserved addresses,
    and for a text that is not an IP address. An IPv6 address that contains an IPv4 address (mapped, 6to4, NAT64) is
    public if the IPv4 address is public. Any other IPv6 address is public only if it is a global unicast address.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        inner = _embedded(ip)
        if inner is None:
            return ip in _UNICAST and ip.is_global and ip.teredo is None
        ip = inner
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or str(ip).startswith(_SIX_TO_FOUR_RELAYS))


def _embedded(ip: IPv6Address) -> IPv4Address | None:
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour


def client_key(client: Address) -> str:
    """Returns the key under which a client is counted: its IPv4 address, or its IPv6 network with a prefix of 64 bits.

    A host with IPv6 usually has all addresses of such a network, so counting single addresses would not limit it.
    """
    return str(client) if client.version == 4 else network_key(client)


def network_key(client: Address) -> str:
    """Returns the key of a client's network: the prefix of 24 bits (IPv4) or 64 bits (IPv6) of its address, in hex."""
    # Making a network object would take twenty times as long.
    return f"{int(client) >> 8:x}/24" if client.version == 4 else f"{int(client) >> 64:x}/64"
