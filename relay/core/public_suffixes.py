"""Looks up names in the Public Suffix List: the list of the domains under which anybody may register a name.

The policy needs the list to find links in texts, and DMARC needs it to find the Organizational Domain. The package
`publicsuffixlist` contains the list. The list is read once, at its first use, and shared by all callers.
"""

from functools import cache

from publicsuffixlist import PublicSuffixList


@cache
def _public_suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def organizational_domain(domain: str) -> str | None:
    """Returns the name directly below the public suffix of a domain: "shop.co.jp" for "mail.shop.co.jp".

    Returns None if the domain is itself a public suffix.
    """
    return _public_suffixes().privatesuffix(domain)


def suffix_of(name: str) -> str:
    """Returns the longest suffix of `name` that is on the list, such as "com.mx"; "" if no suffix of it is listed.

    `name` is in lower case.
    """
    return _public_suffixes().publicsuffix(name, accept_unknown=False) or ""
