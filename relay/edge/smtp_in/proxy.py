"""What the hosts in front of us say about the client that they speak for: the PROXY header and XCLIENT.

Both are believed from `networks.front_hosts` only. A PROXY header stands before all else, a TLS handshake included, so
it is read off the bare socket before a session, or TLS, is put on it.
"""

import asyncio
import contextlib
import re
import socket
from collections.abc import Callable
from typing import Final

from aiosmtpd.proxy_protocol import V2_CMD, get_proxy

from relay.edge.smtp_in.connection import HANDSHAKE_S, ListenerContext
from relay.edge.smtp_in.grammar import Refused
from relay.edge.smtp_in.guard import Address, client_address

_HEADER_S: Final = 5
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


class ProxiedServer:
    """Listens as `asyncio.Server` does, for connections that begin with a PROXY header. Of others and from others than
    `door.guard`'s front hosts none gets a word."""

    def __init__(self, door: ListenerContext, session: Callable[[Address | None], asyncio.Protocol]) -> None:
        self._door = door
        self._session = session
        family = socket.AF_INET6 if ":" in door.listener.host else socket.AF_INET
        self._listening = socket.create_server((door.listener.host, door.listener.port), family=family, backlog=1024)
        self._listening.setblocking(False)
        self.sockets = (self._listening,)
        self._arrivals: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.get_running_loop().create_task(self._accept())

    def close(self) -> None:
        # Closed once the loop let go of it: its number may be another socket's in no time.
        self._accepting.add_done_callback(lambda _: self._listening.close())
        self._accepting.cancel()
        for arrival in self._arrivals:
            arrival.cancel()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, peer = await loop.sock_accept(self._listening)
            except OSError:  # no file handle left: others must end first
                self._door.count_refusal("accept")
                await asyncio.sleep(1)
                continue
            arrival = loop.create_task(self._arrive(connection, client_address(peer[0])))
            self._arrivals.add(arrival)
            arrival.add_done_callback(self._arrivals.discard)

    async def _arrive(self, connection: socket.socket, front: Address) -> None:
        door, loop = self._door, asyncio.get_running_loop()
        with contextlib.ExitStack() as unless_handed_over:
            unless_handed_over.callback(connection.close)
            client = await self._read_header(connection, front)
            if client is None:
                door.count_refusal("proxy")
                return
            unless_handed_over.pop_all()
        implicit = door.listener.tls == "implicit"
        try:
            await loop.connect_accepted_socket(
                lambda: self._session(client),
                connection,
                ssl=door.tls if implicit else None,
                ssl_handshake_timeout=HANDSHAKE_S if implicit else None,
            )
        except OSError:
            door.count_refusal("tls")

    async def _read_header(self, connection: socket.socket, front: Address) -> Address | None:
        if not self._door.guard.is_front(front):
            return None
        try:
            async with asyncio.timeout(_HEADER_S):
                return await _proxied_client(connection) or front
        except (ValueError, OSError):
            return None


async def _proxied_client(raw: socket.socket) -> Address | None:
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
