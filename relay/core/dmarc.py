"""DMARC: reads records, names the domains to look up, and finds the Organizational Domain (RFC 9989 §4.7-4.10).

The relay does not apply the policy that a record requests. A record with any policy, `p=none` too, means for the relay
that only mail that passes DMARC may have this domain in From (R-IN-09). So the tags `p`, `sp` and `np` are only checked
for validity, and `t` is not read.
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
    """A DKIM signature.

    `selector` is its `s=` tag, `value` are the octets of its `b=` tag, and `fields` has the number of fields of each
    name that it signs.
    """

    selector: str
    value: bytes
    fields: Mapping[str, int]


class Identifier(NamedTuple):
    """A domain that SPF or DKIM checked, with the result.

    `domain` is folded as by `address.fold_domain`, "" if it is invalid. `outcome` is a result of RFC 8601 §2.7, such as
    "pass". `signed_by` is None for SPF, and for DKIM if the signature is not known.
    """

    method: Method
    domain: str
    outcome: str
    signed_by: SignedBy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DmarcRecord:
    """The settings of a DMARC record that the relay uses.

    `strict` has the methods with strict alignment: their domain must be equal to that of From. `psd` is "y" if the
    record's domain is a public suffix, "n" if it is an Organizational Domain, and "u" if the record does not say.
    """

    strict: frozenset[Method] = frozenset()
    psd: Literal["y", "n", "u"] = "u"


def read(texts: Sequence[bytes]) -> DmarcRecord | None:
    """Returns the DMARC record among the TXT records of a name (§4.10).

    Returns None if there is no DMARC record, if there are several, or if the only one is invalid.
    """
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
    """Yields the domains of the DNS Tree Walk (§4.10): `domain`, then its parents up to the top-level domain.

    `domain` is folded as by `address.fold_domain`. After a domain of more than 8 labels, the next domain yielded is its
    last 7 labels.
    """
    labels = domain.split(".")
    yield domain
    for count in range(min(len(labels), _MOST_LABELS) - 1, 0, -1):
        yield ".".join(labels[-count:])


def ends_walk(record: DmarcRecord | None) -> bool:
    """Returns whether the DNS Tree Walk ends at the domain with this record (None: no record)."""
    return record is not None and record.psd != "u"


@dataclass(frozen=True, slots=True)
class Discovery:
    """The result of a DNS Tree Walk from `domain`.

    `records` has the records that were found, by their domains; the one nearest to `domain` comes first. `organization`
    is the Organizational Domain of `domain` (§4.10.2).
    """

    domain: str
    records: Mapping[str, DmarcRecord]
    organization: str

    @property
    def policy(self) -> DmarcRecord | None:
        """The record that applies to mail with `domain` in From; None if there is no such record (§4.10.1).

        It is the record of the domain itself, else of its Organizational Domain, else of its public suffix.
        """
        for domain in (self.domain, self.organization):
            if domain in self.records:
                return self.records[domain]
        return next((record for record in self.records.values() if record.psd == "y"), None)


def discovered(domain: str, records: Mapping[str, DmarcRecord], suffixed: Callable[[str], str | None]) -> Discovery:
    """Returns the result of a DNS Tree Walk from `domain` that found `records` (nearest first).

    If the walk found no record, the Organizational Domain is found by the older rule of RFC 7489 §3.2: `suffixed`
    returns the name directly below the public suffix of a domain, None if there is no such name.
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
