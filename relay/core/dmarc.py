"""DMARC: records, the names where they are published, and the domains of one organization (RFC 9989 §4.7-4.10).

The requested policy does not decide whether mail passes. For the relay, a record with any policy means that nobody else
may write with this domain (R-IN-09). So `p`, `sp`, `np` and `t` are only checked for validity.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from relay.core import taglist

_VERSION: Final = re.compile(rb"v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)")
_POLICIES: Final = frozenset({"none", "quarantine", "reject"})
_REPORT_URI: Final = re.compile(r"[ \t]*[A-Za-z][A-Za-z0-9+.-]*:[^\s,;]+")
_MOST_LABELS: Final = 8

Method = Literal["spf", "dkim"]


class SignedBy(NamedTuple):
    """A signature: its selector, the octets of its `b=`, and how many fields of each name it signs."""

    selector: str
    value: bytes
    fields: Mapping[str, int]


class Identifier(NamedTuple):
    """A folded domain ("" when invalid) that a method tried to prove; `outcome` is a result of RFC 8601 §2.7.

    `signed_by` is None for SPF, and where the signature is not known.
    """

    method: Method
    domain: str
    outcome: str
    signed_by: SignedBy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DmarcRecord:
    """The settings of a domain for alignment.

    `strict` are the methods that need the exact domain. `psd` is "y" for a public suffix, "n" for an organization's
    domain, and "u" when the record does not say.
    """

    strict: frozenset[Method] = frozenset()
    psd: Literal["y", "n", "u"] = "u"


def read(texts: Sequence[bytes]) -> DmarcRecord | None:
    """Returns the DMARC record among a name's TXT records; None when there are several, or none is valid (§4.10)."""
    records = [text for text in texts if _VERSION.match(text)]
    if len(records) != 1:
        return None
    try:
        tags = taglist.read(records[0].decode("ascii"))
    except (taglist.TagListError, UnicodeDecodeError):
        return None
    policies = [tags.get("p", ""), *(tags[tag] for tag in ("sp", "np") if tag in tags)]
    if not all(policy.lower() in _POLICIES for policy in policies) and not _REPORT_URI.match(tags.get("rua", "")):
        return None  # §4.10.1: with a valid `rua` the record would count as `p=none`
    psd = tags.get("psd", "u").lower()
    methods: tuple[tuple[Method, str], ...] = (("spf", "aspf"), ("dkim", "adkim"))
    return DmarcRecord(
        strict=frozenset(method for method, tag in methods if tags.get(tag, "r").lower() == "s"),
        psd="y" if psd == "y" else "n" if psd == "n" else "u",
    )


def walk(domain: str) -> Iterator[str]:
    """Yields the domains whose records are looked up, from `domain` (folded) upwards.

    It shortens a long name at once (§4.10).
    """
    labels = domain.split(".")
    yield domain
    for count in range(min(len(labels), _MOST_LABELS) - 1, 0, -1):
        yield ".".join(labels[-count:])


def ends_walk(record: DmarcRecord | None) -> bool:
    """Whether this record ends the walk."""
    return record is not None and record.psd != "u"


@dataclass(frozen=True, slots=True)
class Discovery:
    """The result of a walk from `domain`: the records, the nearest first.

    `organization` is the Organizational Domain of `domain` (§4.10.2).
    """

    domain: str
    records: Mapping[str, DmarcRecord]
    organization: str

    @property
    def policy(self) -> DmarcRecord | None:
        """The record for mail of this domain: its own, its organization's, or the public suffix's (§4.10.1)."""
        for domain in (self.domain, self.organization):
            if domain in self.records:
                return self.records[domain]
        return next((record for record in self.records.values() if record.psd == "y"), None)


def discovered(domain: str, records: Mapping[str, DmarcRecord], suffixed: Callable[[str], str | None]) -> Discovery:
    """Returns the result of a walk that found `records`.

    `suffixed` returns the domain below the public suffix by the public list. This older rule (RFC 7489 §3.2) applies
    when the walk found no record.
    """
    if not records:
        return Discovery(domain, records, suffixed(domain) or domain)
    for name, record in records.items():
        if record.psd == "n":
            return Discovery(domain, records, name)
        if record.psd == "y" and name != domain:
            labels = domain.split(".")
            return Discovery(domain, records, ".".join(labels[-name.count(".") - 2 :]))
    return Discovery(domain, records, min(records, key=lambda name: name.count(".")))
