"""The resolver over dnspython's async client: where a domain's mail goes (RFC 5321 §5.1, RFC 7505), and single records.

A name that does not exist is permanent, silence and SERVFAIL are temporary: unknown is never taken for no. Answers,
the empty ones too, are kept as long as their TTL says, in a bounded cache that counts on the monotonic clock.
"""

import ipaddress
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from secrets import SystemRandom
from typing import Any, Final

import dns.asyncresolver
import dns.exception
import dns.message
import dns.name
import dns.rdatatype
import dns.resolver

from relay.config import Dns
from relay.ports import HostRecord, MxHost, ResolveError

_LONGEST_TTL_S: Final = 86_400
_EMPTY_TTL_S: Final = 60
_LARGEST_BYTES: Final = 8_192
_random = SystemRandom()


def literal(host: str) -> tuple[str, ...]:
    """The addresses of a host that needs no look-up: an IP, or a name under `localhost` (RFC 6761 §6.3)."""
    if host == "localhost" or host.endswith(".localhost"):
        return ("127.0.0.1", "::1")
    try:
        return (str(ipaddress.ip_address(host.strip("[]"))),)
    except ValueError:
        return ()


@dataclass(frozen=True, slots=True)
class _Answer:
    """`exists` is False for NXDOMAIN; `records` empty with `exists` is "no data of this type"."""

    records: tuple[Any, ...]
    exists: bool
    until_s: float


class DnsResolver:
    """Implements `ports.Resolver`. `monotonic_s` is there for tests."""

    def __init__(self, *, dns: Dns, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._client = _client(dns)
        self._entries = dns.cache_entries
        self._monotonic_s = monotonic_s
        self._cache: dict[tuple[str, str], _Answer] = {}

    async def mx(self, domain: str) -> Sequence[MxHost]:
        """Equal preferences in a new random order each time; without MX the domain itself, with its addresses."""
        answer = await self._ask(domain, "MX")
        if not answer.records:
            # RFC 5321 §5.1: no MX is an implicit one, of preference 0.
            return (MxHost(0, domain, tuple(await self.addresses(domain))),)
        hosts = [MxHost(mx.preference, _host(mx.exchange)) for mx in answer.records if mx.exchange != dns.name.root]
        if not hosts:
            raise ResolveError("the domain takes no mail (null MX)", permanent=True)  # RFC 7505 §3
        return sorted(hosts, key=lambda host: (host.preference, _random.random()))

    async def addresses(self, host: str) -> Sequence[str]:
        """IPv4 first: reputation and reverse names are kept for it more often. One family failing is enough of an
        answer when the other has addresses."""
        addresses: list[str] = []
        fault: ResolveError | None = None
        for record_type in ("A", "AAAA"):
            try:
                answer = await self._ask(host, record_type)
            except ResolveError as error:
                fault = error
            else:
                addresses += [record.address for record in answer.records]
        if addresses:
            return addresses
        raise fault or ResolveError("the host has no address", permanent=True)

    async def txt(self, name: str) -> Sequence[bytes]:
        return [b"".join(record.strings) for record in await self._present(name, "TXT")]

    async def lookup(self, name: str, record_type: HostRecord) -> Sequence[str]:
        records = await self._present(name, record_type)
        match record_type:
            case "MX":
                ordered = sorted(records, key=lambda mx: mx.preference)
                return [_host(mx.exchange) for mx in ordered if mx.exchange != dns.name.root]
            case "PTR":
                return [_host(record.target) for record in records]
            case _:
                return [record.address for record in records]

    async def _present(self, name: str, record_type: str) -> tuple[Any, ...]:
        """The records, none where the name does not exist or DNS cannot hold it. Raises ResolveError for faults."""
        try:
            return (await self._ask(name, record_type)).records
        except ResolveError as error:
            if error.permanent:
                return ()
            raise

    async def _ask(self, name: str, record_type: str) -> _Answer:
        """Raises ResolveError, a permanent one for a missing name."""
        key = (name.lower().rstrip("."), record_type)
        answer = self._cache.get(key)
        if answer is None or answer.until_s <= self._monotonic_s():
            answer = await self._query(*key)
            self._keep(key, answer)
        if not answer.exists:
            raise ResolveError("the name does not exist", permanent=True)
        return answer

    def _keep(self, key: tuple[str, str], answer: _Answer) -> None:
        """The oldest make room. Names and contents are anybody's, so what is big is not kept."""
        self._cache.pop(key, None)
        if sum(len(record.to_wire()) for record in answer.records) > _LARGEST_BYTES:
            return
        self._cache[key] = answer
        if len(self._cache) > self._entries:
            del self._cache[next(iter(self._cache))]

    async def _query(self, name: str, record_type: str) -> _Answer:
        try:
            found = await self._client.resolve(f"{name}.", record_type, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN as error:
            response: dns.message.QueryMessage = error.response(dns.name.from_text(f"{name}."))  # type: ignore[no-untyped-call]
            chain = response.resolve_chaining()
            return _Answer((), exists=False, until_s=self._until_s(chain, _EMPTY_TTL_S))
        except dns.resolver.YXDOMAIN as error:
            raise ResolveError("the name is too long after substitution", permanent=True) from error
        except (dns.exception.Timeout, dns.resolver.NoNameservers, OSError, EOFError) as error:
            raise ResolveError(f"no answer from DNS ({type(error).__name__})", permanent=False) from error
        except (dns.exception.DNSException, UnicodeError, ValueError) as error:
            raise ResolveError("not a name that DNS can hold", permanent=True) from error
        longest_s = _LONGEST_TTL_S if found.rrset else _EMPTY_TTL_S
        return _Answer(tuple(found.rrset or ()), exists=True, until_s=self._until_s(found.chaining_result, longest_s))

    def _until_s(self, chain: dns.message.ChainingResult, longest_s: float) -> float:
        """The smallest TTL of the whole chain counts, of an empty answer that of its SOA (RFC 2308 §5)."""
        return self._monotonic_s() + min(chain.minimum_ttl, longest_s)


def _host(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()


def _client(dns_section: Dns) -> dns.asyncresolver.Resolver:
    client = dns.asyncresolver.Resolver(configure=False)
    if dns_section.servers:
        client.nameservers = list(dns_section.servers)
        client.port = dns_section.port
    else:
        # Without a system resolver every answer is "temporary", which is no reason not to start.
        with suppress(dns.resolver.NoResolverConfiguration):
            client = dns.asyncresolver.Resolver()
    client.lifetime = dns_section.timeout_s
    client.timeout = min(client.timeout, dns_section.timeout_s / 2)
    client.search = []
    return client
