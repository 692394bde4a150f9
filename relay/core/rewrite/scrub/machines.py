"""Finds the machines that a message's trace fields name in a text: host names, and IP addresses in any spelling.

An IPv6 address has many spellings (RFC 4291 §2.2), so a text that looks like an IPv6 address is parsed and compared as
a number.
"""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

from relay.core.rewrite.scrub.occurrence import HIDDEN, Occurrence

_BEFORE: Final = r"(?<![A-Za-z0-9])(?<![A-Za-z0-9][._-])"
FILE_SUFFIX: Final = r"(?:pdf|txt|csv|docx?|xlsx?|jpe?g|gif|bmp|png|zip|eml|html?|xml|ics|vcf)(?![A-Za-z0-9])"
_AFTER: Final = rf"(?![A-Za-z0-9]|-[A-Za-z0-9]|\.(?!{FILE_SUFFIX})(?-i:[a-z0-9]))"
"""The pattern for the end of a domain. After a dot, a capital letter usually begins a sentence and not a label."""
# An address literal has the tag `IPv6:` (RFC 5321 §4.1.3).
_IPV6: Final = re.compile(
    r"(?:(?<=ipv6:)|(?<![0-9A-Za-z:.]))(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?:\.[0-9]{1,3}){0,3}(?![0-9A-Za-z:])",
    re.IGNORECASE,
)

_MAPPED: Final = "ffff:"  # an IPv4 address in the form of an IPv6 address (RFC 4291 §2.5.5.2)


class Machines:
    """Searches texts for machines. `names` are host names and IP addresses in lower case, the longest first."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self._ips = frozenset(ip for name in names if ":" in name and (ip := _ip(name)))

    def find(self, text: str, low: str, *, whole: bool) -> list[Occurrence]:
        hits: list[Occurrence] = []
        for name in self.names:
            if name in low:
                hits += self._named(text, whole=whole)
                break
        if (self._ips or _MAPPED in low) and low.count(":") > 1:
            hits += self._spelt_otherwise(text)
        return hits

    def _named(self, text: str, *, whole: bool) -> Iterator[Occurrence]:
        names = "|".join(map(re.escape, self.names))
        pattern = rf"{_BEFORE}(?:{names}){_AFTER}" if whole else names
        return (Occurrence(m.start(), m.end(), HIDDEN, "host") for m in re.finditer(pattern, text, re.IGNORECASE))

    def _spelt_otherwise(self, text: str) -> Iterator[Occurrence]:
        for match in _IPV6.finditer(text):
            ip = _ip(match[0])
            if ip in self._ips or (ip and ip.ipv4_mapped and str(ip.ipv4_mapped) in self.names):
                yield Occurrence(match.start(), match.end(), HIDDEN, "host")


def _ip(text: str) -> ipaddress.IPv6Address | None:
    with suppress(ValueError):
        return ipaddress.IPv6Address(text)
    return None
