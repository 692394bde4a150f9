"""The walks of DMARC over DNS: what is published about a domain, and whether another belongs to the same organization
(RFC 9989 §4.10). Faults are raised, as ResolveError: nothing found and nothing heard are different answers.
"""

from relay.core import dmarc, public_suffixes
from relay.core.dmarc import Discovery, DmarcRecord, Method
from relay.ports import Resolver


async def discover(resolver: Resolver, domain: str) -> Discovery:
    """For a folded domain. Raises ResolveError."""
    records: dict[str, DmarcRecord] = {}
    for name in dmarc.walk(domain):
        record = dmarc.read(await resolver.txt(f"_dmarc.{name}"))
        if record is not None:
            records[name] = record
        if dmarc.ends_walk(record):
            break
    return dmarc.discovered(domain, records, public_suffixes.organizational_domain)


async def aligned(resolver: Resolver, author: Discovery, method: Method, domain: str) -> bool:
    """Whether a domain that `method` has proven (folded) may stand for the author's (RFC 9989 §4.4). Raises
    ResolveError."""
    if domain == author.domain:
        return True
    if author.policy is not None and method in author.policy.strict:
        return False
    if domain.rpartition(".")[2] != author.domain.rpartition(".")[2]:
        return False  # no organization spans two top-level names: spares a stranger's walk
    return (await discover(resolver, domain)).organization == author.organization
