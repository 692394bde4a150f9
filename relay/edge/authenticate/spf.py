"""SPF: the check whether a client may send mail for a domain, by the domain's published record (RFC 7208 §4).

One `Check` serves one message. It limits the number of look-ups, the number of empty answers and the time, so that a
hostile record costs a limited number of queries. Every outcome is a result, and nothing is raised.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Final

from relay.core import spf
from relay.core.mail import address
from relay.core.spf import Mechanism, Result, SpfRecord, SpfSyntaxError
from relay.ports import HostRecord, ResolveError, Resolver

_TERMS: Final = 10
_VOID_LOOKUPS: Final = 2
_NAMES: Final = 10
_LONGEST_S: Final = 20  # RFC 7208 §4.6.4

_KEPT_BYTES: Final = 1_000
_kept: Final = lru_cache(maxsize=1_000)(spf.read)
"""Parses an SPF record. The latest results are kept, because parsing takes longer than evaluating."""


class _PermanentError(Exception):
    """Raised if the result is permerror.

    The record needs too many look-ups, or refers to a domain without a record.
    """


class Check:
    """The function check_host() for one client (RFC 7208 §4). `sender` is an address, which may lack its local part."""

    def __init__(self, resolver: Resolver, *, client_ip: str, helo: str, sender: str) -> None:
        self._resolver = resolver
        client = ip_address(client_ip)
        self._client = getattr(client, "ipv4_mapped", None) or client  # RFC 7208 §5
        self._helo = helo
        local_part, _, self._domain = sender.rpartition("@")
        self._local_part = local_part or "postmaster"  # RFC 7208 §4.3
        self._terms_left = _TERMS
        self._voids_left = _VOID_LOOKUPS
        self._client_name: str | None = None

    async def result(self) -> Result:
        """Returns the result. A DNS fault gives temperror, and an invalid record permerror."""
        try:
            async with asyncio.timeout(_LONGEST_S):
                return await self._check_host(self._domain)
        except (ResolveError, TimeoutError):
            return Result.TEMPERROR
        except (SpfSyntaxError, _PermanentError):
            return Result.PERMERROR

    async def names(self) -> list[str]:
        """Returns those host names of the client whose addresses include the client's address.

        The result is empty after a DNS fault, and if too many names have no address.
        """
        try:
            async with asyncio.timeout(_LONGEST_S):
                return [name async for name in self._client_names()]
        except (ResolveError, TimeoutError, _PermanentError):
            return []

    async def _check_host(self, domain: str) -> Result:
        if not _is_name(domain):
            return Result.NONE
        records = spf.select(await self._resolver.txt(domain))
        if not records:
            return Result.NONE
        if len(records) > 1:
            raise _PermanentError
        return await self._evaluate(_read(records[0]), domain)

    async def _evaluate(self, record: SpfRecord, domain: str) -> Result:
        for mechanism in record.mechanisms:
            if await self._matches(mechanism, domain):
                return mechanism.result
        if record.redirect is None:
            return Result.NEUTRAL
        self._take_term()
        result = await self._check_host(await self._target(record.redirect, domain))
        if result is Result.NONE:
            raise _PermanentError  # RFC 7208 §6.1
        return result

    def _take_term(self) -> None:
        if not self._terms_left:
            raise _PermanentError
        self._terms_left -= 1

    async def _matches(self, mechanism: Mechanism, domain: str) -> bool:
        if mechanism.name == "all":
            return True
        if mechanism.network is not None:
            return self._client in mechanism.network
        self._take_term()
        target = await self._target(mechanism.domain, domain)
        match mechanism.name:
            case "include":
                return await self._includes(target)
            case "a":
                return self._is_among(await self._hosts(target), mechanism)
            case "mx":
                return await self._matches_mx(mechanism, target)
            case "ptr":
                return await self._matches_ptr(target)
            case _:  # `exists` looks up A records, also for a client with an IPv6 address (RFC 7208 §5.7)
                return bool(await self._found(target, "A"))

    async def _includes(self, target: str) -> bool:
        result = await self._check_host(target)
        if result is Result.NONE:
            raise _PermanentError  # RFC 7208 §5.2
        return result is Result.PASS

    async def _matches_mx(self, mechanism: Mechanism, target: str) -> bool:
        hosts = await self._found(target, "MX")
        if len(hosts) > _NAMES:
            raise _PermanentError  # RFC 7208 §4.6.4
        for host in hosts:
            if self._is_among(await self._hosts(host), mechanism):
                return True
        return False

    async def _matches_ptr(self, target: str) -> bool:
        wanted = target.lower().rstrip(".")
        async for name in self._client_names():
            if name == wanted or name.endswith(f".{wanted}"):
                return True
        return False

    async def _client_names(self) -> AsyncIterator[str]:
        """Yields those host names of the client whose addresses include the client's address (RFC 7208 §5.5).

        A name whose look-up fails is left out.
        """
        try:
            names = await self._found(self._client.reverse_pointer, "PTR")
        except ResolveError:
            return
        for name in names[:_NAMES]:
            try:
                addresses = await self._hosts(name)
            except ResolveError:
                continue
            if any(ip_address(one) == self._client for one in addresses):
                yield name.lower().rstrip(".")

    @property
    def _address_type(self) -> HostRecord:
        return "A" if self._client.version == 4 else "AAAA"

    async def _hosts(self, name: str) -> Sequence[str]:
        return await self._found(name, self._address_type)

    async def _found(self, name: str, record_type: HostRecord) -> Sequence[str]:
        """Returns the records for a term, and counts empty answers (RFC 7208 §4.6.4).

        Raises _PermanentError after too many empty answers.
        """
        found = await self._resolver.lookup(name, record_type) if _is_name(name) else ()
        if not found:
            if not self._voids_left:
                raise _PermanentError
            self._voids_left -= 1
        return found

    def _is_among(self, addresses: Sequence[str], mechanism: Mechanism) -> bool:
        length = mechanism.prefixes[self._client.version]
        return any(self._client in ip_network(f"{one}/{length}", strict=False) for one in addresses)

    async def _target(self, domain_spec: str, domain: str) -> str:
        if not domain_spec:
            return domain
        if self._client_name is None and spf.asks_for_name(domain_spec):
            self._client_name = await self._best_client_name(domain)
        values = {
            "s": f"{self._local_part}@{self._domain}",
            "l": self._local_part,
            "o": self._domain,
            "d": domain,
            "i": spf.dotted(self._client),
            "p": self._client_name or "unknown",
            "v": "in-addr" if self._client.version == 4 else "ip6",
            "h": self._helo,
        }
        return spf.expand(domain_spec, values.__getitem__)

    async def _best_client_name(self, domain: str) -> str:
        """Returns the value of the macro `%{p}` (RFC 7208 §7.3).

        The value is the client's name that equals the domain, else a name below the domain, else any name, else
        "unknown".
        """
        names = [name async for name in self._client_names()]
        own = domain.lower()
        return next(
            (name for name in names if name == own),
            next((name for name in names if name.endswith(f".{own}")), names[0] if names else "unknown"),
        )


def _read(text: bytes) -> SpfRecord:
    return _kept(text) if len(text) <= _KEPT_BYTES else spf.read(text)


def _is_name(domain: str) -> bool:
    """Returns whether a name can be looked up: it has several labels, and none is empty or too long (RFC 7208 §4.3)."""
    labels = domain.rstrip(".").split(".") if not domain.endswith("..") else [""]
    fits = len(domain) <= 254 and all(0 < len(label) <= 63 for label in labels)
    return fits and domain.isascii() and len(labels) > 1 and "[" not in domain


async def check(resolver: Resolver, *, client_ip: str, helo: str, mail_from: str) -> tuple[str, Result]:
    """Returns the folded domain that was checked, and the result.

    It is the domain of `mail_from`, or for the null sender the domain of HELO (RFC 7208 §2.4).
    """
    sender = mail_from or f"postmaster@{helo}"
    local_part, _, domain = sender.rpartition("@")
    try:
        folded = address.fold_domain(domain)
    except address.AddressError:
        return "", Result.NONE
    one = Check(resolver, client_ip=client_ip, helo=helo, sender=f"{local_part}@{folded}")
    return folded, await one.result()


async def client_names(resolver: Resolver, client_ip: str) -> list[str]:
    """Returns those host names of the client whose addresses include the client's address (RFC 8601 §3)."""
    return await Check(resolver, client_ip=client_ip, helo="", sender="").names()
