"""The DNS records that a marketplace's domains need, as they are published and as they are checked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from relay.core import dkim
from relay.core.model.marketplace import Marketplace
from relay.ports import DkimKey, Store


@dataclass(frozen=True, slots=True)
class DnsRecord:
    """`purpose` is "MX", "SPF", "DKIM" or "DMARC"; `value` as it stands in a zone file, without quotes."""

    purpose: str
    name: str
    type: str
    value: str


async def wanted(store: Store, marketplaces: Sequence[Marketplace], hostname: str) -> list[DnsRecord]:
    """What is to be published for all alias domains, mail host and keys as they are now."""
    return [
        record
        for marketplace in marketplaces
        for domain in sorted(marketplace.domains)
        for record in _of_domain(domain, hostname, await store.dkim_keys(domain))
    ]


def _of_domain(domain: str, hostname: str, keys: Sequence[DkimKey]) -> Iterator[DnsRecord]:
    yield DnsRecord("MX", domain, "MX", f"10 {hostname}.")
    # RFC 7208: whoever receives for the domain sends for it too; nobody else does.
    yield DnsRecord("SPF", domain, "TXT", "v=spf1 mx -all")
    for key in keys:
        loaded = dkim.SigningKey.load(key.private_der, domain=key.domain, selector=key.selector)
        yield DnsRecord("DKIM", f"{key.selector}._domainkey.{domain}", "TXT", dkim.public_record(loaded))
    yield DnsRecord("DMARC", f"_dmarc.{domain}", "TXT", "v=DMARC1; p=reject")


def zone_line(record: DnsRecord) -> str:
    """The record for a zone file; a TXT value in strings of at most 255 octets (RFC 1035 §3.3)."""
    value = record.value
    if record.type == "TXT":
        value = " ".join(f'"{value[start : start + 255]}"' for start in range(0, len(value), 255))
    return f"{record.name}. IN {record.type} {value}"
