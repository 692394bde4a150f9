"""Finds the machines that a message's trace fields name in a text: host names, and IP addresses in any spelling.

An IPv6 address has many spellings (RFC 4291 §2.2), so a text that looks like an IPv6 address is parsed and compared as
a number.
"""

import ipaddress
import re
import string
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


# A subdomain of a hidden host is hidden too, so a dot may stand before a host, but not before an IP address.
_BEFORE_HOST: Final = r"(?<![A-Za-z0-9])(?<![A-Za-z0-9][_-])"
_IN_LABELS: Final = f"{string.ascii_letters}{string.digits}-."
_LONGEST_NAME: Final = 253
# A name without a domain is hidden only where programs write the name of a machine, and not in prose.
_LABEL_PLACE: Final = (
    r"(?:(?<=[\[<@=])|(?<=//)|(?<=\\\\)"
    r"|(?<=\bfrom )|(?<=\bby )|(?<=\bhelo )|(?<=\behlo )|(?<=\bhost )|(?<=\bserver ))"
)


class Machines:
    """Searches texts for machines.

    `names` are host names and IP addresses, and `labels` are host names without a domain. All are in lower case, the
    longest first.
    """

    def __init__(self, names: Sequence[str], labels: Sequence[str]) -> None:
        self.names = names
        self.labels = labels
        self._all = (*names, *labels)
        self._ips = frozenset(ip for name in names if ":" in name and (ip := _ip(name)))

    def find(self, text: str, low: str, *, whole: bool) -> list[Occurrence]:
        """Returns the occurrences; `low` is the text in lower case.

        With `whole` false, the text is a file name, an id or a boundary: an underscore or a hyphen may stand beside a
        machine there, and names without a domain count too. No machine is found inside a longer word.
        """
        hits: list[Occurrence] = []
        for name in self._all:
            if name in low:
                hits += self._named(text, whole=whole)
                break
        if (self._ips or _MAPPED in low) and low.count(":") > 1:
            hits += self._spelt_otherwise(text)
        return hits

    def _named(self, text: str, *, whole: bool) -> Iterator[Occurrence]:
        for match in _pattern(self.names, self.labels, whole=whole).finditer(text):
            start = match.start()
            if whole and match["host"]:
                start -= _labels_before(text[max(0, start - _LONGEST_NAME) : start])
            yield Occurrence(start, match.end(), HIDDEN, "host")

    def _spelt_otherwise(self, text: str) -> Iterator[Occurrence]:
        for match in _IPV6.finditer(text):
            ip = _ip(match[0])
            if ip in self._ips or (ip and ip.ipv4_mapped and str(ip.ipv4_mapped) in self.names):
                yield Occurrence(match.start(), match.end(), HIDDEN, "host")


def _pattern(names: Sequence[str], labels: Sequence[str], *, whole: bool) -> re.Pattern[str]:
    ips = _any_of([name for name in names if ":" in name or name[-1].isdigit()])
    hosts = _any_of([name for name in names if not (":" in name or name[-1].isdigit())])
    if whole:
        pattern = rf"(?:{_BEFORE}{ips}|{_BEFORE_HOST}(?P<host>{hosts})|{_LABEL_PLACE}{_any_of(labels)}){_AFTER}"
    else:
        pattern = rf"(?<![A-Za-z0-9])(?:{ips}|(?P<host>{hosts})|{_any_of(labels)})(?![A-Za-z0-9])"
    return re.compile(pattern, re.IGNORECASE)


def _labels_before(text: str) -> int:
    """Returns the length of the labels and dots at the end of a text: 6 for `see a.bcd.`, 0 if there are none."""
    rest = text[len(text.rstrip(_IN_LABELS)) :].rpartition("..")[2]
    return len(rest.lstrip(".")) if rest.endswith(".") else 0


def _any_of(words: Sequence[str]) -> str:
    return f"(?:{'|'.join(map(re.escape, words))})" if words else "(?!)"


def _ip(text: str) -> ipaddress.IPv6Address | None:
    with suppress(ValueError):
        return ipaddress.IPv6Address(text)
    return None
