"""The PROXY header and XCLIENT, by which front hosts name the client whose connection they pass on.

Both are accepted only from `networks.front_hosts`. A PROXY header comes before everything else, also before a TLS
handshake. Therefore it is read from the plain socket before a session or TLS uses the socket.
"""

import asyncio
import contextlib
import re
import socket
from collections.abc import Callable
from functools import partial
from typing import Final

from aiosmtpd.proxy_protocol import V2_CMD, get_proxy

from relay.core.networks import Address
from relay.edge.clients import client_address
from relay.edge.smtp_in.connection import Connection, Hangup, ListenerContext
from relay.edge.smtp_in.grammar import ProtocolFault

_HEADER_S: Final = 5
XCLIENT_ATTRIBUTES: Final = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN")
_UNAVAILABLE: Final = frozenset({"[UNAVAILABLE]", "[TEMPUNAVAIL]"})
_XTEXT: Final = re.compile(r"\+([0-9A-F]{2})")


class _ExactReader:
    """Reads exactly the requested number of bytes from a socket, because a TLS handshake may follow them."""

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
            if len(taken) > 107:  # the longest version 1 header (PROXY protocol §2.1)
                raise ConnectionResetError
        return taken


def _listening_sockets(host: str, port: int) -> tuple[socket.socket, ...]:
    """Returns a listening socket for each address of `host`. Raises OSError if one of them cannot be opened."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    with contextlib.ExitStack() as unless_all_are_open:
        opened = []
        for family, address in dict.fromkeys((family, address[:2]) for family, _, _, _, address in found):
            listening = socket.create_server((str(address[0]), int(address[1])), family=family, backlog=1024)
            unless_all_are_open.callback(listening.close)
            listening.setblocking(False)
            opened.append(listening)
        unless_all_are_open.pop_all()
    return tuple(opened)


def _close_listening(listening: socket.socket, _accepting: "asyncio.Task[None]") -> None:
    """Closes the socket after the event loop has stopped using it, because its number may be reused at once."""
    listening.close()


class Acceptor:
    """Listens as `asyncio.Server` does, for connections that begin with a PROXY header, with TLS, or with both.

    A PROXY header is required if the listener has `proxy_protocol`. A connection without a valid header, or from a host
    that is not a front host of `context.guard`, is closed without a reply. A connection that begins with TLS is counted
    before its handshake. If there are too many, it is closed without a reply, because no reply can be sent before the
    handshake.
    """

    def __init__(self, context: ListenerContext, session: Callable[[Address], Connection]) -> None:
        self._context = context
        self._session = session
        self._arrivals: set[asyncio.Task[None]] = set()
        self.sockets = _listening_sockets(context.listener.host, context.listener.port)
        self._accepting = [asyncio.get_running_loop().create_task(self._accept(each)) for each in self.sockets]

    def close(self) -> None:
        """Stops listening, and closes the connections that have no session yet."""
        for listening, accepting in zip(self.sockets, self._accepting, strict=True):
            accepting.add_done_callback(partial(_close_listening, listening))
            accepting.cancel()
        for arrival in self._arrivals:
            arrival.cancel()

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, peer = await loop.sock_accept(listening)
            except OSError:  # the process has no file descriptor left, so other connections must end first
                self._context.count_refusal("accept")
                await asyncio.sleep(1)
                continue
            arrival = loop.create_task(self._arrive(connection, client_address(peer[0])))
            self._arrivals.add(arrival)
            arrival.add_done_callback(self._arrivals.discard)

    async def _arrive(self, connection: socket.socket, peer: Address) -> None:
        context, loop = self._context, asyncio.get_running_loop()
        implicit = context.listener.tls == "implicit"
        with contextlib.ExitStack() as unless_handed_over:
            unless_handed_over.callback(connection.close)
            client = await self._read_header(connection, peer) if context.listener.proxy_protocol else peer
            if client is None:
                context.count_refusal("proxy")
                return
            session = self._session(client)
            unless_handed_over.callback(session.release)
            if implicit:
                try:
                    session.admit(client)
                except Hangup as hangup:
                    context.count_refusal(hangup.reason)
                    return
            unless_handed_over.pop_all()
        try:
            await loop.connect_accepted_socket(
                lambda: session,
                connection,
                ssl=context.tls if implicit else None,
                ssl_handshake_timeout=context.limits.handshake_s if implicit else None,
            )
        except OSError:
            context.count_refusal("tls")
            session.release()
        except asyncio.CancelledError:
            session.release()
            raise

    async def _read_header(self, connection: socket.socket, front: Address) -> Address | None:
        guard = self._context.guard
        if not guard.clients.is_front(front):
            return None
        admission = guard.admit(front, self._context.name)  # a front host is never refused
        try:
            async with asyncio.timeout(_HEADER_S):
                return await _proxied_client(connection) or front
        except (ValueError, OSError):
            return None
        finally:
            admission.release()


async def _proxied_client(raw: socket.socket) -> Address | None:
    """Returns the client's address in a PROXY header of version 1 or 2.

    Returns None if the front host means its own connection. Raises ValueError if there is no valid header, and
    ConnectionError if the peer has closed the connection.
    """
    header = await get_proxy(_ExactReader(raw))
    if not header:
        raise ValueError("no PROXY header")
    if header.command == V2_CMD.LOCAL or header.src_addr is None:
        return None
    return client_address(str(header.src_addr))


def xclient(argument: str) -> dict[str, str]:
    """Returns the attributes of an XCLIENT command, which have the form `NAME=value` with xtext values.

    Attributes with an unavailable value are left out. Raises ProtocolFault.
    """
    given: dict[str, str] = {}
    for word in argument.split():
        name, _, value = word.partition("=")
        if name.upper() not in XCLIENT_ATTRIBUTES or not value:
            raise ProtocolFault(501, "5.5.4", "malformed XCLIENT attribute")
        if value.upper() not in _UNAVAILABLE:
            given[name.upper()] = _XTEXT.sub(lambda match: chr(int(match[1], 16)), value)
    if not argument:
        raise ProtocolFault(501, "5.5.4", "XCLIENT needs attributes")
    return given


def xclient_address(value: str) -> Address:
    """Returns the address in the attribute ADDR: an IPv4 address, or an IPv6 address after `IPV6:`.

    Raises ProtocolFault.
    """
    try:
        return client_address(value[5:] if value[:5].upper() == "IPV6:" else value)
    except ValueError:
        raise ProtocolFault(501, "5.5.4", "malformed XCLIENT address") from None
