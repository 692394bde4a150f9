"""Names the destinations of queue items: the domains to which their mail goes.

The queue and the lanes know a destination by its name alone. A domain on the list that comes with the relay stands for
itself, because it says nothing about a person. Any other domain may be the name of its owner, so it has a keyed tag:

    gmail.com            a listed domain
    ~TAG                 a registered domain, as in shop.example
    ~TAG/~TAG            a domain below a registered one: the tag of the registered domain, then its own
    ocn.ne.jp/~TAG       a domain below a listed one
    /~TAG                a domain that is below no registered one, as in localhost

So the organization of a destination, which has a lane of its own, is the part before the slash. Equal domains have
equal names in the whole installation, because the limits of a server hold for the mail of all marketplaces.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from relay.core import keyed
from relay.core.providers import MAIL_DOMAINS
from relay.core.public_suffixes import organizational_domain

_TAG_BYTES: Final = 10
_TAGGED: Final = "~"
OTHER: Final = "other"
"""The name that is shown for every domain that is not listed."""


@lru_cache(maxsize=10_000)
def name_of(key: bytes, domain: str) -> str:
    """Returns the name of a folded domain under `key` (the "destination" secret), "" for ""."""
    if not domain or domain in MAIL_DOMAINS:
        return domain
    organization = _listed_parent(domain) or organizational_domain(domain)
    if organization == domain:
        return _tag(key, domain)
    own = "" if organization is None else organization if organization in MAIL_DOMAINS else _tag(key, organization)
    return f"{own}/{_tag(key, domain)}"


def routes_of(key: bytes, routes: Mapping[str, str]) -> dict[str, str]:
    """Returns the server of each routed destination from those of the routed domains; "*" stands for all others."""
    return {domain if domain == "*" else name_of(key, domain): server for domain, server in routes.items()}


def organization_of(name: str) -> str:
    """Returns the name of a destination's organization, "" if it has none."""
    return name.partition("/")[0]


def is_name(name: str) -> bool:
    """Returns whether the text may be the name of a destination. A domain that an older relay has stored is not."""
    return not name or name in MAIL_DOMAINS or name.rpartition("/")[2].startswith(_TAGGED)


def shown(name: str) -> str:
    """Returns the listed domain of a destination, `OTHER` if it is not listed, "" for ""."""
    organization = organization_of(name)
    return organization if organization in MAIL_DOMAINS or not name else OTHER


def _listed_parent(domain: str) -> str | None:
    labels = domain.split(".")
    parents = (".".join(labels[at:]) for at in range(1, len(labels)))
    return next((parent for parent in parents if parent in MAIL_DOMAINS), None)


def _tag(key: bytes, domain: str) -> str:
    return _TAGGED + keyed.base32(keyed.tag(key, "destination", domain, size=_TAG_BYTES))
