"""IP addresses: those of the public internet, and the keys under which clients are counted.

A name in a stranger's DNS may lead the relay to addresses of the public internet only.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

Address = IPv4Address | IPv6Address

_UNICAST: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR_RELAYS: Final = "192.88.99."  # RFC 7526


def is_public(address: str) -> bool:
    """Whether the address belongs to one host on the public internet.

    Loopback, private, link-local, shared (RFC 6598), multicast, documentation and reserved addresses do not. An IPv6
    address with an IPv4 address in it (mapped, 6to4, NAT64) is as public as that one, and of the other IPv6 addresses
    only global unicast is public. A text that is not an address is not public.
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
    """Returns the key under which a client is counted: its IPv4 address, or its IPv6 network of 64 bits.

    A host with IPv6 has a whole network of this size, so its single addresses mean nothing.
    """
    return str(client) if client.version == 4 else network_key(client)


def network_key(client: Address) -> str:
    """Returns the key of a client's neighbourhood: its network of 24 bits in IPv4, of 64 bits in IPv6."""
    # Making a network object would take twenty times as long.
    return f"{int(client) >> 8:x}/24" if client.version == 4 else f"{int(client) >> 64:x}/64"
