"""The DNS records that the domains of a marketplace need, and the check whether they are published."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from relay.core import dkim
from relay.core.model.marketplace import Marketplace
from relay.ports import DkimKey, Resolver, Store


@dataclass(frozen=True, slots=True)
class DnsRecord:
    """A DNS record that a domain needs.

    `purpose` is "MX", "SPF", "DKIM" or "DMARC". `value` is written as in a zone file, without quotes. `needed` is True
    if other servers may refuse mail without the record.
    """

    purpose: str
    name: str
    type: str
    value: str
    needed: bool = True


async def wanted(store: Store, marketplaces: Sequence[Marketplace], hostname: str) -> list[DnsRecord]:
    """Returns the records to publish for all alias domains, with the host name and the present DKIM keys.

    Raises StoreError if a key cannot be decrypted, and UnavailableError.
    """
    return [
        record
        for marketplace in marketplaces
        for domain in sorted(marketplace.domains)
        for record in _of_domain(domain, hostname, await store.dkim_keys.of_domain(domain))
    ]


def _of_domain(domain: str, hostname: str, keys: Sequence[DkimKey]) -> Iterator[DnsRecord]:
    yield DnsRecord("MX", domain, "MX", f"10 {hostname}.")
    # RFC 7208: the hosts that receive mail for the domain also send mail of the domain, and no others do.
    yield DnsRecord("SPF", domain, "TXT", "v=spf1 mx -all")
    yield from (of_key(key) for key in keys if key.state.published)
    yield DnsRecord("DMARC", f"_dmarc.{domain}", "TXT", "v=DMARC1; p=reject", needed=False)


def of_key(key: DkimKey) -> DnsRecord:
    """Returns the DNS record of a DKIM key.

    Raises KeyUnreadableError if there is no readable private key, for instance for a retired key.
    """
    loaded = dkim.SigningKey.load(key.private_der, domain=key.domain, selector=key.selector)
    return DnsRecord(
        "DKIM",
        f"{key.selector}._domainkey.{key.domain}",
        "TXT",
        dkim.public_record(loaded),
        needed=key.state is dkim.KeyState.ACTIVE,
    )


async def is_published(resolver: Resolver, record: DnsRecord) -> bool:
    """Returns whether DNS has the record; for SPF and DMARC, whether it has exactly one record of this kind.

    Raises ResolveError.
    """
    match record.purpose:
        case "MX":
            target = record.value.split()[1].rstrip(".").lower()
            return target in {host.name.rstrip(".").lower() for host in await resolver.mx(record.name)}
        case "DKIM":
            return _key(record.value) in {_key(text) for text in await _texts(resolver, record.name)}
        case _:
            # The operator may publish other SPF and DMARC rules than these, but only one record of each (RFC 7208
            # §4.5).
            version = record.value.split()[0].rstrip(";").lower()
            return sum(text.lower().startswith(version) for text in await _texts(resolver, record.name)) == 1


async def _texts(resolver: Resolver, name: str) -> list[str]:
    return [text.decode("ascii", "replace").strip() for text in await resolver.txt(name)]


def _key(record: str) -> str:
    """Returns the `p=` tag of a DKIM record, which is the public key, without white space (RFC 6376 §3.6.1)."""
    tags = (tag.partition("=") for tag in record.split(";"))
    return next(("".join(value.split()) for name, _, value in tags if name.strip() == "p"), "")


def zone_line(record: DnsRecord) -> str:
    """Returns the record as a line of a zone file.

    The value of a TXT record is split into strings of at most 255 octets (RFC 1035 §3.3).
    """
    value = record.value
    if record.type == "TXT":
        value = " ".join(f'"{value[start : start + 255]}"' for start in range(0, len(value), 255))
    return f"{record.name}. IN {record.type} {value}"
