"""What the hosts in front of us say about the client that they speak for: the PROXY header and XCLIENT.

Both are believed from `networks.front_hosts` only; the caller sees to that.
"""

import asyncio
import re
import socket
from typing import Final

from aiosmtpd.proxy_protocol import V2_CMD, get_proxy

from relay.edge.smtp_in.grammar import Refused
from relay.edge.smtp_in.guard import Address, client_address

XCLIENT_ATTRIBUTES: Final = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN")
_UNAVAILABLE: Final = frozenset({"[UNAVAILABLE]", "[TEMPUNAVAIL]"})
_XTEXT: Final = re.compile(r"\+([0-9A-F]{2})")


class _ExactReader:
    """Takes no byte more than asked for from a socket, because what follows may be a TLS handshake."""

    def __init__(self, raw: socket.socket) -> None:
        self._raw = raw
        self._loop = asyncio.get_running_loop()

    async def read(self, n: int = 1) -> bytes:
        return await self._loop.sock_recv(self._raw, n)

    async def readexactly(self, n: int) -> bytes:
        taken = b""
        while len(taken) < n:
            piece = await self.read(n - len(taken))
            if not piece:
                raise ConnectionResetError
            taken += piece
        return taken

    async def readuntil(self, separator: bytes = b"\n") -> bytes:
        taken = b""
        while not taken.endswith(separator):
            taken += await self.readexactly(1)
            if len(taken) > 107:  # a version 1 header is at most that long
                raise ConnectionResetError
        return taken


async def proxied_client(raw: socket.socket) -> Address | None:
    """Reads a PROXY header, version 1 or 2: the client's address, or None when the front speaks for itself. Raises
    ValueError when there is no such header, ConnectionError when the peer went away."""
    header = await get_proxy(_ExactReader(raw))
    if not header:
        raise ValueError("no PROXY header")
    if header.command == V2_CMD.LOCAL or header.src_addr is None:
        return None
    return client_address(str(header.src_addr))


def xclient(argument: str) -> dict[str, str]:
    """`NAME=value ...` with xtext values; what is unavailable is left out. Raises Refused."""
    given: dict[str, str] = {}
    for word in argument.split():
        name, _, value = word.partition("=")
        if name.upper() not in XCLIENT_ATTRIBUTES or not value:
            raise Refused(501, "5.5.4", "malformed XCLIENT attribute")
        if value.upper() not in _UNAVAILABLE:
            given[name.upper()] = _XTEXT.sub(lambda match: chr(int(match[1], 16)), value)
    if not argument:
        raise Refused(501, "5.5.4", "XCLIENT needs attributes")
    return given


def xclient_address(value: str) -> Address:
    """The ADDR attribute: an IPv4 address, or an IPv6 one behind `IPV6:`. Raises Refused."""
    try:
        return client_address(value[5:] if value[:5].upper() == "IPV6:" else value)
    except ValueError:
        raise Refused(501, "5.5.4", "malformed XCLIENT address") from None
