"""The DNS server for both sides: a few fixed answers over UDP, in a process of its own.

Each answer is made once, so that a query costs only a table look-up. Its CPU time is reported beside the figures of the
servers, not in them.
"""

import json
import socket
import subprocess
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Self

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from bench import cpu

_TTL_S: Final = 3_600
_LARGEST: Final = 4_096
_ID, _HEADER, _KIND_AND_CLASS = 2, 12, 4  # RFC 1035 §4.1
_SOA: Final = dns.rrset.from_text(".", _TTL_S, "IN", "SOA", f"ns. hostmaster. 1 60 60 60 {_TTL_S}")


class NameServer:
    """Answers TXT queries from `records`, A queries from `addresses`, and others with "no such name" or "no data"."""

    def __init__(self, records: Mapping[str, str], addresses: Mapping[str, str] = MappingProxyType({})) -> None:
        command = [sys.executable, "-m", "bench.nameserver", json.dumps(dict(records)), json.dumps(dict(addresses))]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def used_ms(self) -> float:
        """Returns the CPU milliseconds used so far."""
        return cpu.used_ms([self._process.pid])


def _serve(records: Mapping[str, str], addresses: Mapping[str, str]) -> None:
    made: dict[bytes, bytes] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        print(server.getsockname()[1], flush=True)
        while True:
            query, client = server.recvfrom(_LARGEST)
            end = query.index(b"\0", _HEADER) + 1 + _KIND_AND_CLASS
            question = query[_HEADER:end]
            if question not in made:
                made[question] = _answer(query, records, addresses)
            server.sendto(query[:_ID] + made[question][_ID:], client)


def _answer(query: bytes, records: Mapping[str, str], addresses: Mapping[str, str]) -> bytes:
    asked = dns.message.from_wire(query)
    response = dns.message.make_response(asked, recursion_available=True)
    response.flags |= dns.flags.AA
    name = asked.question[0].name
    owner = name.to_text(omit_final_dot=True).lower()
    if owner in records and asked.question[0].rdtype == dns.rdatatype.TXT:
        text = records[owner]
        strings = " ".join(f'"{text[i : i + 255]}"' for i in range(0, len(text), 255))
        response.answer.append(dns.rrset.from_text(name, _TTL_S, "IN", "TXT", strings))
    elif owner in addresses and asked.question[0].rdtype == dns.rdatatype.A:
        response.answer.append(dns.rrset.from_text(name, _TTL_S, "IN", "A", addresses[owner]))
    else:
        if not any(one.endswith(owner) for one in (*records, *addresses)):
            response.set_rcode(dns.rcode.NXDOMAIN)
        response.authority.append(_SOA)
    return response.to_wire()


if __name__ == "__main__":
    _serve(json.loads(sys.argv[1]), json.loads(sys.argv[2]))
