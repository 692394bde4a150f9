"""The Public Suffix List: the names below which anybody may register, for links in texts and for the domains of DMARC.

The package `publicsuffixlist` contains the list. It is read once, at the first use, and shared by all callers.
"""

from functools import cache

from publicsuffixlist import PublicSuffixList


@cache
def _public_suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def organizational_domain(domain: str) -> str | None:
    """Returns the name directly below the public suffix of a domain; None when the domain is a suffix itself."""
    return _public_suffixes().privatesuffix(domain)


def suffix_of(name: str) -> str:
    """Returns the longest listed suffix of a name in lower case, as in "com.mx"; "" when the list has none for it."""
    return _public_suffixes().publicsuffix(name, accept_unknown=False) or ""
