"""The DNS queries of DMARC: the records of a domain, and whether two domains belong together (RFC 9989 §4.10).

A DNS fault raises ResolveError, because a missing record and a missing answer have different consequences.
"""

from relay.core import dmarc, public_suffixes
from relay.core.dmarc import Discovery, DmarcRecord, Method
from relay.ports import Resolver


async def discover(resolver: Resolver, domain: str) -> Discovery:
    """Returns the DMARC records that apply to a folded domain. Raises ResolveError."""
    records: dict[str, DmarcRecord] = {}
    for name in dmarc.walk(domain):
        record = dmarc.read(await resolver.txt(f"_dmarc.{name}"))
        if record is not None:
            records[name] = record
        if dmarc.ends_walk(record):
            break
    return dmarc.discovered(domain, records, public_suffixes.organizational_domain)


def may_align(author: Discovery, domain: str) -> bool:
    """Returns whether a folded domain is the author's organizational domain or below it.

    Any other domain is never aligned.
    """
    return f".{domain}".endswith(f".{author.organization}")


async def aligned(resolver: Resolver, author: Discovery, method: Method, domain: str) -> bool:
    """Returns whether a folded domain that `method` has proven is aligned with the author's domain (RFC 9989 §4.4).

    Raises ResolveError.
    """
    if domain == author.domain:
        return True
    if author.policy is not None and method in author.policy.strict:
        return False
    if not may_align(author, domain):
        return False
    return (await discover(resolver, domain)).organization == author.organization
