"""The resolver over dnspython's asyncio client: mail hosts of a domain (RFC 5321 §5.1, RFC 7505) and single records.

A name that does not exist is a permanent failure. A missing answer and SERVFAIL are temporary failures, so that an
unknown answer never counts as "no". The cache keeps answers, also empty ones, until their TTL ends. It has a limited
number of entries and uses the monotonic clock.
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
    """Returns the addresses of a host that needs no look-up, and () for any other host.

    Such a host is an IP address, or a name under `localhost` (RFC 6761 §6.3).
    """
    if host == "localhost" or host.endswith(".localhost"):
        return ("127.0.0.1", "::1")
    try:
        return (str(ipaddress.ip_address(host.strip("[]"))),)
    except ValueError:
        return ()


@dataclass(frozen=True, slots=True)
class _Answer:
    """One answer in the cache, which is valid until `until_s` on the monotonic clock.

    `exists` is False if the name does not exist (NXDOMAIN). If `exists` is True and `records` is empty, the name has no
    records of this type.
    """

    records: tuple[Any, ...]
    exists: bool
    until_s: float


class DnsResolver:
    """Implements `ports.Resolver`. Tests replace the argument `monotonic_s`."""

    def __init__(self, *, dns: Dns, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._client = _client(dns)
        self._entries = dns.cache_entries
        self._monotonic_s = monotonic_s
        self._cache: dict[tuple[str, str], _Answer] = {}

    async def mx(self, domain: str) -> Sequence[MxHost]:
        """Returns the mail hosts of a domain, the lowest preference number first.

        Hosts with equal preference are in a new random order at each call. If the domain has no MX record, the result
        is the domain itself with its addresses. Raises ResolveError.
        """
        answer = await self._ask(domain, "MX")
        if not answer.records:
            # RFC 5321 §5.1: a domain without an MX record has an implicit one with preference 0.
            return (MxHost(0, domain, tuple(await self.addresses(domain))),)
        hosts = [MxHost(mx.preference, _host(mx.exchange)) for mx in answer.records if mx.exchange != dns.name.root]
        if not hosts:
            raise ResolveError("the domain accepts no mail (null MX)", permanent=True)  # RFC 7505 §3
        return sorted(hosts, key=lambda host: (host.preference, _random.random()))

    async def addresses(self, host: str) -> Sequence[str]:
        """Returns the IP addresses of a host, IPv4 addresses first. Raises ResolveError.

        IPv4 is first because more receivers have a reputation and a reverse name for such an address. If the look-up of
        one family fails, the addresses of the other family are returned.
        """
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
        """Returns the TXT records of a name, each with its strings joined.

        Raises ResolveError only for a temporary failure.
        """
        return [b"".join(record.strings) for record in await self._present(name, "TXT")]

    async def lookup(self, name: str, record_type: HostRecord) -> Sequence[str]:
        """Returns the host names or addresses in the records of a name; MX hosts are in the order of preference.

        Raises ResolveError only for a temporary failure.
        """
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
        """Returns the records, or () if the name does not exist or cannot exist in DNS.

        Raises ResolveError for a temporary failure.
        """
        try:
            return (await self._ask(name, record_type)).records
        except ResolveError as error:
            if error.permanent:
                return ()
            raise

    async def _ask(self, name: str, record_type: str) -> _Answer:
        """Returns the answer from the cache or from DNS.

        Raises ResolveError, which is permanent if the name does not exist.
        """
        key = (name.lower().rstrip("."), record_type)
        answer = self._cache.get(key)
        if answer is None or answer.until_s <= self._monotonic_s():
            answer = await self._query(*key)
            self._keep(key, answer)
        if not answer.exists:
            raise ResolveError("the name does not exist", permanent=True)
        return answer

    def _keep(self, key: tuple[str, str], answer: _Answer) -> None:
        """Stores an answer in the cache, and removes the oldest answer if the cache is full.

        Large answers are not stored, because strangers choose the names and the contents.
        """
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
            raise ResolveError("the name cannot exist in DNS", permanent=True) from error
        longest_s = _LONGEST_TTL_S if found.rrset else _EMPTY_TTL_S
        return _Answer(tuple(found.rrset or ()), exists=True, until_s=self._until_s(found.chaining_result, longest_s))

    def _until_s(self, chain: dns.message.ChainingResult, longest_s: float) -> float:
        """Returns the time at which an answer becomes invalid: the smallest TTL of the whole CNAME chain decides.

        For an empty answer the TTL of its SOA record counts (RFC 2308 §5).
        """
        return self._monotonic_s() + min(chain.minimum_ttl, longest_s)


def _host(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()


def _client(dns_section: Dns) -> dns.asyncresolver.Resolver:
    client = dns.asyncresolver.Resolver(configure=False)
    if dns_section.servers:
        client.nameservers = list(dns_section.servers)
        client.port = dns_section.port
    else:
        # Without a system resolver the daemon starts too, and every look-up fails temporarily.
        with suppress(dns.resolver.NoResolverConfiguration):
            client = dns.asyncresolver.Resolver()
    client.lifetime = dns_section.timeout_s
    client.timeout = min(client.timeout, dns_section.timeout_s / 2)
    client.search = []
    return client
