"""Finds hidden values in a decoded text: known addresses, the writer's machines, Content-IDs, real names.

The search first looks for the rarest literal (`@domain`, a host, `cid:`), and then examines a piece of limited length
around it. So the time is linear in the length of the text.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import idna

from relay.core import keyed
from relay.core.rewrite.scrub.machines import FILE_SUFFIX, Machines
from relay.core.rewrite.scrub.names import Names
from relay.core.rewrite.scrub.occurrence import Occurrence, merged
from relay.core.rewrite.scrub.spellings import spellings

# With an ASCII letter or digit directly before it, an address is another one. Letters outside ASCII may stand there,
# because in Japanese prose they do; so may the signs after the number or the word that introduces
# an address, as in `1.ADDRESS` and `E-mail-ADDRESS`. A plus sign joins a name to its tag.
_BEFORE: Final = r"(?<![A-Za-z0-9])(?<![A-Za-z0-9]\+)"
# A domain ends where no letter or digit, no further label and no longer label with a further one follows; a hyphen with
# a title may, as in `ADDRESS-san`. After a dot, a capital letter usually begins a sentence and not a label.
_AFTER: Final = rf"(?![A-Za-z0-9]|-[A-Za-z0-9-]{{1,63}}\.(?-i:[a-z0-9])|\.(?!{FILE_SUFFIX})(?-i:[a-z0-9]))"
_TAG: Final = r"(?:\+[^\s@<>\"(),:;]{0,64})?"
_LONGEST_TAG: Final = 70
# The local part of an unlisted address: only characters with which the prose or markup before it rarely ends.
_LOCAL: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-"
_FOREIGN_LOCAL: Final = re.compile(r"[\w.+-]{1,64}\Z")
_QUOTED_LOCAL: Final = re.compile(r'"[^"\r\n]{1,64}"\Z')


class _Domain:
    """The known mailboxes at one domain.

    If the whole domain belongs to one party, `anybody` is the alias for all other mailboxes there.
    """

    def __init__(self, mailboxes: Sequence[tuple[str, str]], anybody: str | None) -> None:
        self._names = tuple([local for local, _ in mailboxes])
        self._aliases = tuple([alias for _, alias in mailboxes])
        self._anybody = anybody
        self._reach = max(map(len, self._names), default=0) + _LONGEST_TAG

    def before(self, text: str, at: int, *, whole: bool) -> tuple[int, str] | None:
        """Returns the start of the mailbox name that ends at `at`, and its alias; None for an unknown name.

        `whole` has the meaning that it has in `HiddenValues.find`.
        """
        match = mailbox_pattern(self._names, whole=whole).search(text, max(0, at - self._reach), at)
        if match is not None:
            assert match.lastindex
            return match.start(), self._aliases[(match.lastindex - 1) % len(self._aliases)]
        start = _local_start(text, at) if self._anybody else at
        return (start, self._anybody) if self._anybody and start < at else None


def _local_start(text: str, at: int) -> int:
    near = text[max(0, at - 64) : at]
    local = near[len(near.rstrip(_LOCAL)) :].lstrip("._+-")
    if local:
        return at - len(local)
    match = _QUOTED_LOCAL.search(near) or _FOREIGN_LOCAL.search(near)
    return at - len(match[0]) if match else at


class Addresses:
    """All known addresses of both parties with their aliases, and the domains that belong to a party as a whole.

    A pattern for a domain is compiled only if a text contains that domain. So the time for any other text does not
    depend on the addresses, which the reader must not learn.
    """

    def __init__(self, disguise: Iterable[tuple[str, str]], domains: Iterable[tuple[str, str]]) -> None:
        by_domain: dict[str, list[tuple[str, str]]] = {}
        anybody: dict[str, str] = {}
        for domain, alias in domains:
            for spelling in _spellings(domain) if "xn--" in domain else (domain,):
                by_domain.setdefault(spelling, [])
                anybody[spelling] = alias
        for address, alias in sorted(disguise):
            local, _, domain = address.rpartition("@")
            bare = local.strip('"')
            # Nearly all are ASCII and need no call, so that the time does not reveal the number of addresses.
            forms = (bare,) if bare.isascii() else spellings(bare)
            for spelling in _spellings(domain) if "xn--" in domain else (domain,):
                known = by_domain.setdefault(spelling, [])
                for form in forms:
                    known.append((form, alias))
        # Longer domains come first, because the longer of two domains with the same beginning must match.
        self._found = found = sorted(by_domain, key=len, reverse=True)
        self._literals = [f"@{domain if domain.isascii() else domain.partition('.')[0]}" for domain in found]
        self._by_domain = by_domain
        self._anybody = anybody

    def find(self, text: str, low: str, *, whole: bool) -> Iterator[Occurrence]:
        """Yields the occurrences of addresses.

        `low` is the text in lower case. `whole` has the meaning that it has in `HiddenValues.find`.
        """
        named = [place for place, literal in enumerate(self._literals) if literal in low]
        if not named:
            return
        for match in domain_pattern(tuple([self._found[place] for place in named]), whole=whole).finditer(text):
            assert match.lastindex
            domain = self._found[named[match.lastindex - 1]]
            known = _Domain(self._by_domain[domain], self._anybody.get(domain))
            found = known.before(text, match.start(), whole=whole)
            if found:
                yield Occurrence(found[0], match.end(), found[1], "address")


@lru_cache(maxsize=4096)
def mailbox_pattern(names: tuple[str, ...], *, whole: bool) -> re.Pattern[str]:
    """Returns the pattern of a mailbox name at the end of a text.

    Each group is one of `names`, in order. With `whole` all groups occur twice: first for names without quotes, then
    for quoted names.
    """
    known = "|".join([f"({re.escape(local)})" for local in names]) or "(?!)"
    # The quoted form is the same mailbox (RFC 5321 §4.1.2), and needs no limit between tokens.
    pattern = rf'(?:{_BEFORE}(?:{known}){_TAG}|"(?:{known}){_TAG}")\Z' if whole else rf'"?(?:{known}){_TAG}"?\Z'
    return re.compile(pattern, re.IGNORECASE)


@lru_cache(maxsize=4096)
def domain_pattern(domains: tuple[str, ...], *, whole: bool) -> re.Pattern[str]:
    """Returns the pattern of an at sign before one of the domains; group n is the n-th domain.

    With `whole` no further label or letter may follow the domain.
    """
    names = "|".join([f"({_domain_pattern(domain)})" for domain in domains])
    return re.compile(rf"@(?:{names}){_AFTER if whole else ''}", re.IGNORECASE)


def _domain_pattern(domain: str) -> str:
    pattern = re.escape(domain)
    return pattern if domain.isascii() else pattern.replace(r"\.", "[.\u3002\uff61]")  # UTS 46


def _spellings(domain: str) -> tuple[str, ...]:
    """Returns the domain as A-labels, and as U-labels, which people see (RFC 5890 §2.3.2.1)."""
    if "xn--" not in domain:
        return (domain,)
    try:
        return domain, *spellings(idna.decode(domain).lower())
    except idna.IDNAError:
        return (domain,)


@lru_cache(maxsize=4096)
def addresses(disguise: frozenset[tuple[str, str]], domains: frozenset[tuple[str, str]]) -> Addresses:
    return Addresses(disguise, domains)


@dataclass(frozen=True, slots=True, kw_only=True)
class HiddenValues:
    """The values that must be hidden in one message.

    `content_ids` maps old Content-IDs to new Content-IDs, both without brackets. `names` are real names; they are
    hidden in places for names, and in running text only if `names_in_text` is true. `domain` and `key` are used to make
    new ids for ids that name a machine. `link_placeholder` is the text in place of a link to a hidden host.
    """

    addresses: Addresses
    machines: Machines
    content_ids: Mapping[str, str]
    names: Names
    names_in_text: bool
    domain: str
    key: bytes
    link_placeholder: str

    def find(self, text: str, *, whole: bool = True, label: bool = False) -> list[Occurrence]:
        """Returns the occurrences, sorted and without overlap.

        With `whole=False`, values inside a longer token are found too, because file names and boundaries contain such
        values. `label` says that the text stands in a place for names of people or files.
        """
        low = text.lower()
        hits = list(self.addresses.find(text, low, whole=whole)) if "@" in low else []
        hits += self.machines.find(text, low, whole=whole)
        if self.content_ids and "cid:" in low:
            hits += self._find_content_ids(text)
        if label or self.names_in_text:
            hits += self.names.find(text)
        return merged(hits) if hits else hits

    def opaque(self, what: str, old: str) -> str:
        """Returns an id that is the same for the same `what` and `old` in all mail of the pair.

        The id is unique, as RFC 2392 and RFC 5545 §3.8.4.7 require.
        """
        return keyed.base32(keyed.tag(self.key, what, old, size=15))

    def _find_content_ids(self, text: str) -> Iterator[Occurrence]:
        # The URL of a part is its id without the brackets (RFC 2392).
        names = "|".join(map(re.escape, sorted(self.content_ids, key=len, reverse=True)))
        for match in re.finditer(rf"(?i:(?<=cid:))(?:{names})(?![A-Za-z0-9])", text):
            yield Occurrence(match.start(), match.end(), self.content_ids[match[0]], "content-id")
