"""DNS for tests: a name server that answers from a zone text, and a resolver that answers from a table.

The server listens on one loopback port over UDP and TCP; the resolver needs no server.

    async with MiniDns("example.com. 60 IN MX 10 mx.example.com.") as server: ...  # server.port

`servfail`, `silent` and `truncated` name owners that are answered so; `queries` keeps the questions.
"""

import asyncio
import struct
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Self

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.zone

from relay.ports import MxHost, ResolveError

_HEADER = "@ 5 IN SOA ns. hostmaster. 1 60 60 60 5\n@ 5 IN NS ns.\n"


class MiniDns(asyncio.DatagramProtocol):
    def __init__(
        self,
        zone: str = "",
        *,
        servfail: Iterable[str] = (),
        silent: Iterable[str] = (),
        truncated: Iterable[str] = (),
    ) -> None:
        self.load(zone)
        self.servfail = {_name(owner) for owner in servfail}
        self.silent = {_name(owner) for owner in silent}
        self.truncated = {_name(owner) for owner in truncated}
        self.queries: list[tuple[str, str, str]] = []
        """(name without final dot, type, "udp" or "tcp")"""
        self.port = 0
        self._tasks: list[asyncio.Task[None]] = []

    def load(self, zone: str) -> None:
        """Replaces the zone. Owner names are absolute."""
        self._zone = dns.zone.from_text(_HEADER + zone, origin=".", relativize=False)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        while True:
            self._udp, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
            self.port = self._udp.get_extra_info("sockname")[1]
            try:
                self._tcp = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            except OSError:  # the same port of the other protocol is taken
                self._udp.close()
                continue
            return self

    async def __aexit__(self, *_: object) -> None:
        self._udp.close()
        self._tcp.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._tcp.wait_closed()

    # asyncio.DatagramProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        pass

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._answer(data, "udp")
        if answer is not None:
            self._udp.sendto(answer, addr)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.append(task)
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                (size,) = struct.unpack("!H", await reader.readexactly(2))
                answer = self._answer(await reader.readexactly(size), "tcp")
                if answer is None:
                    break
                writer.write(struct.pack("!H", len(answer)) + answer)
                await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    def _answer(self, wire: bytes, protocol: str) -> bytes | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        self.queries.append(
            (question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype), protocol)
        )
        if question.name in self.silent:
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA | dns.flags.RA
        if question.name in self.servfail:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif question.name in self.truncated and protocol == "udp":
            response.flags |= dns.flags.TC
        else:
            self._fill(response, question.name, question.rdtype)
        return response.to_wire(max_size=65_535)

    def _fill(self, response: dns.message.Message, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> None:
        for _ in range(8):
            found = self._zone.get_rrset(name, rdtype)
            if found is not None:
                response.answer.append(found)
                return
            alias = self._zone.get_rrset(name, dns.rdatatype.CNAME)
            if alias is None:
                break
            response.answer.append(alias)
            name = alias[0].target
        if not any(owner.is_subdomain(name) for owner in self._zone.nodes):
            response.set_rcode(dns.rcode.NXDOMAIN)
        soa = self._zone.get_rrset(dns.name.root, dns.rdatatype.SOA)
        assert soa is not None
        response.authority.append(soa)


def _name(owner: str) -> dns.name.Name:
    return dns.name.from_text(owner.rstrip(".") + ".")


class TableResolver:
    """`ports.Resolver` from a table: `{"shop.example": {"TXT": [b"..."], "A": ["192.0.2.1"]}}`, names in lower case.

    `down` holds names, and (name, type) pairs, that are answered by a fault; `asked` keeps what was asked.
    """

    def __init__(self, table: Mapping[str, Mapping[str, Sequence[Any]]], down: Iterable[Any] = ()) -> None:
        self.table = dict(table)
        self.down = set(down)
        self.asked: list[tuple[str, str]] = []

    async def txt(self, name: str) -> Sequence[bytes]:
        return self._found(name, "TXT")

    async def lookup(self, name: str, record_type: str) -> Sequence[str]:
        return self._found(name, record_type)

    async def addresses(self, host: str) -> Sequence[str]:
        return [*self._found(host, "A"), *self._found(host, "AAAA")]

    async def mx(self, domain: str) -> Sequence[MxHost]:
        return [MxHost(preference, host) for preference, host in enumerate(self._found(domain, "MX"))]

    def _found(self, name: str, record_type: str) -> Sequence[Any]:
        name = name.lower().rstrip(".")
        self.asked.append((name, record_type))
        if name in self.down or (name, record_type) in self.down:
            raise ResolveError("no answer from DNS", permanent=False)
        return self.table.get(name, {}).get(record_type, [])
