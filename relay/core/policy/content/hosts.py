"""Recognises host names in running text.

The module also says which hosts are allowed, and which belong to messengers or social networks.
"""

import re
from typing import Final

from relay.core import public_suffixes
from relay.core.policy.case import Case
from relay.core.policy.content import ambiguous_suffixes

_ACCOUNTS: Final = frozenset(
    "line.me lin.ee wa.me whatsapp.com t.me telegram.me instagram.com instagr.am twitter.com x.com facebook.com fb.com "
    "fb.me m.me messenger.com tiktok.com discord.gg discord.com wechat.com weixin.qq.com kakao.com skype.com viber.com "
    "linktr.ee lit.link snapchat.com threads.net".split()
)
_AMBIGUOUS: Final = ambiguous_suffixes.WORDS | ambiguous_suffixes.FILE_ENDINGS
_HOST: Final = re.compile(r"[A-Za-z0-9-]++(?:\.[A-Za-z0-9-]++)*")
_ABBREVIATIONS: Final = frozenset("no nr art fig mod ref type ver vol mr mrs ms miss dr prof st".split())
"""Abbreviations after which a capitalized label is not a public suffix, as in "No.SK 200" and "Mr.Li"."""


def of_url(rest: str) -> str:
    """Returns the host of the text that follows `//` in a URL, in lower case, without user, port and path.

    A backslash counts as a slash, because browsers read a backslash as a slash. An ASCII name ends where non-ASCII
    letters follow it, as in Japanese prose; but if the last label of the whole name is a public suffix, these letters
    belong to the name.
    """
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0].rpartition("@")[2].lower().strip(".")
    host = authority.partition(":")[0]
    ascii_host = _HOST.match(host)
    if ascii_host and "." in ascii_host[0] and not has_suffix(host):
        return ascii_host[0]
    return host


def has_suffix(name: str) -> bool:
    """Returns whether the last label of a name is a public suffix."""
    label = name.rpartition(".")[2].lower()
    return label in _AMBIGUOUS or bool(public_suffixes.suffix_of(label))


def is_host(name: str, *, has_path: bool) -> bool:
    """Returns whether a name that has a dot but no scheme is meant as a host name.

    `has_path` says whether a path or a port follows the name.
    """
    labels = name.split(".")
    if len(labels) < 2 or not all(labels) or len(name) > 253:
        return False
    if labels[-1].istitle() and not labels[0].istitle():
        return False
    if labels[0].lower() == "www" and len(labels) > 2:
        return True
    if labels[-2].lower() in _ABBREVIATIONS and not labels[-1].islower():
        return False
    if labels[-1].lower() in _AMBIGUOUS:
        return _is_host_despite_its_suffix(name, labels, has_path=has_path)
    return (has_path or len(name) - len(labels[-1]) > 2) and has_suffix(labels[-1])


def _is_host_despite_its_suffix(name: str, labels: list[str], *, has_path: bool) -> bool:
    is_small = name == name.lower()
    if has_path or len(labels) == 2:
        return has_path and is_small
    if len(labels[-2]) == 1 or labels[-2].isdecimal():
        return False
    suffix = public_suffixes.suffix_of(name.lower())
    if "." in suffix and len(suffix) < len(name):
        return True
    return is_small and labels[-1] not in ambiguous_suffixes.FILE_ENDINGS


def is_under(host: str, domains: frozenset[str]) -> bool:
    """Returns whether the host is one of `domains` or a subdomain of one of them."""
    while host and host not in domains:
        host = host.partition(".")[2]
    return bool(host)


def leads_to_account(host: str) -> bool:
    return is_under(host, _ACCOUNTS)


def allowed(case: Case) -> frozenset[str]:
    """Returns the domains to which links may lead: the marketplace's own domains and those that the policy allows."""
    market = case.facts.marketplace
    own = of_url(market.help_url.partition("//")[2])
    return case.policy.content.allowed_domains | market.domains | ({own} if own else frozenset())
