"""Finding secrets in a text that is already decoded: known addresses, hosts of the trace, Content-IDs.

Search begins at the rarest literal (`@domain`, a host, `cid:`) and only then looks at a bounded piece around it, so no
text costs more than its length.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import idna

# An address is a whole token: what mailbox names go on with may not touch it. Non-ASCII letters do touch addresses in
# Japanese prose, and a capital after a dot is the next sentence more often than a domain.
_BEFORE: Final = r"(?<![A-Za-z0-9])(?<![A-Za-z0-9][._+-])"
_SUFFIX: Final = r"(?:pdf|txt|csv|docx?|xlsx?|jpe?g|gif|bmp|png|zip|eml|html?|xml|ics|vcf)(?![A-Za-z0-9])"
_AFTER: Final = rf"(?![A-Za-z0-9]|-[A-Za-z0-9]|\.(?!{_SUFFIX})(?-i:[a-z0-9]))"
_TAG: Final = r"(?:\+[^\s@<>\"(),:;]{0,64})?"
_HOST_BEFORE: Final = r"(?<![A-Za-z0-9_.:-])"
_LONGEST_TAG: Final = 70
HIDDEN: Final = "[hidden]"


@dataclass(frozen=True, slots=True, order=True)
class Hit:
    """`text[start:end]` is a secret; `what` names its kind for the record."""

    start: int
    end: int
    replacement: str
    what: str


class _Domain:
    """The known mailboxes at one domain."""

    def __init__(self, mailboxes: Mapping[str, str]) -> None:
        self._aliases = tuple(mailboxes.values())
        names = "|".join(f"({re.escape(local)})" for local in mailboxes)
        # The quoted form is the same mailbox (RFC 5321 §4.1.2); only a plain one ends where another token begins.
        self._whole = re.compile(rf'(?:{_BEFORE}(?:{names}){_TAG}|"(?:{names}){_TAG}")\Z', re.IGNORECASE)
        self._anywhere = re.compile(rf'"?(?:{names}){_TAG}"?\Z', re.IGNORECASE)
        self._reach = max(map(len, mailboxes)) + _LONGEST_TAG

    def before(self, text: str, at: int, *, whole: bool) -> tuple[int, str] | None:
        """Where the known mailbox name that ends at `at` begins, and its alias."""
        match = (self._whole if whole else self._anywhere).search(text, max(0, at - self._reach), at)
        if match is None:
            return None
        assert match.lastindex
        return match.start(), self._aliases[(match.lastindex - 1) % len(self._aliases)]


class Addresses:
    """All known addresses of both parties with their aliases; compiled once per pair."""

    def __init__(self, disguise: Iterable[tuple[str, str]]) -> None:
        by_domain: dict[str, dict[str, str]] = {}
        for address, alias in sorted(disguise):
            local, _, domain = address.rpartition("@")
            for spelling in _spellings(domain):
                by_domain.setdefault(spelling, {})[local.strip('"')] = alias
        # Longer domains first: of two that begin alike the longer one is meant.
        domains = sorted(by_domain, key=len, reverse=True)
        self._literals = tuple(f"@{domain}" for domain in domains)
        self._domains = tuple(_Domain(by_domain[domain]) for domain in domains)
        names = "|".join(f"({re.escape(domain)})" for domain in domains)
        self._whole = re.compile(rf"@(?:{names}){_AFTER}", re.IGNORECASE)
        self._anywhere = re.compile(rf"@(?:{names})", re.IGNORECASE)

    def find(self, text: str, low: str, *, whole: bool) -> Iterator[Hit]:
        if not any(literal in low for literal in self._literals):
            return
        for match in (self._whole if whole else self._anywhere).finditer(text):
            assert match.lastindex
            found = self._domains[match.lastindex - 1].before(text, match.start(), whole=whole)
            if found:
                yield Hit(found[0], match.end(), found[1], "address")


def _spellings(domain: str) -> tuple[str, ...]:
    """A-labels, and the U-labels that people see (RFC 5890 §2.3.2.1)."""
    if "xn--" not in domain:
        return (domain,)
    try:
        return domain, idna.decode(domain).lower()
    except idna.IDNAError:
        return (domain,)


@lru_cache(maxsize=4096)
def addresses(disguise: frozenset[tuple[str, str]]) -> Addresses:
    return Addresses(disguise)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What must not pass in one message. `hosts` are lower case; `content_ids` map old ids to new ones, both without
    brackets."""

    addresses: Addresses
    hosts: tuple[str, ...]
    content_ids: Mapping[str, str]

    def find(self, text: str, *, whole: bool = True) -> list[Hit]:
        """Sorted hits that do not overlap. `whole=False` also finds an address inside a longer token, as file names
        and boundaries hold them."""
        low = text.lower()
        hits = list(self.addresses.find(text, low, whole=whole)) if "@" in low else []
        if any(host in low for host in self.hosts):
            hits += self._find_hosts(text)
        if self.content_ids and "cid:" in low:
            hits += self._find_content_ids(text)
        return merged(hits) if hits else hits

    def _find_hosts(self, text: str) -> Iterator[Hit]:
        names = "|".join(map(re.escape, self.hosts))
        for match in re.finditer(rf"{_HOST_BEFORE}(?:{names}){_AFTER}", text, re.IGNORECASE):
            yield Hit(match.start(), match.end(), HIDDEN, "host")

    def _find_content_ids(self, text: str) -> Iterator[Hit]:
        # RFC 2392: the URL is the id without its brackets.
        names = "|".join(map(re.escape, sorted(self.content_ids, key=len, reverse=True)))
        for match in re.finditer(rf"(?i:(?<=cid:))(?:{names})(?![A-Za-z0-9])", text):
            yield Hit(match.start(), match.end(), self.content_ids[match[0]], "content-id")


_RANK: Final = {"address": 0, "content-id": 1, "host": 2}


def merged(hits: Iterable[Hit]) -> list[Hit]:
    """Sorted, without overlap: of two that overlap the address wins, then the longer one."""
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda h: (h.start, -h.end)):
        if not kept or hit.start >= kept[-1].end:
            kept.append(hit)
            continue
        last = kept[-1]
        best = min((last, hit), key=lambda h: (_RANK[h.what], h.start - h.end))
        kept[-1] = Hit(last.start, max(last.end, hit.end), best.replacement, best.what)
    return kept


def replaced(text: str, hits: Iterable[Hit]) -> str:
    pieces: list[str] = []
    at = 0
    for hit in hits:
        pieces += (text[at : hit.start], hit.replacement)
        at = hit.end
    return "".join((*pieces, text[at:]))
