"""Names of hosts in running text: what is one, whose it is, and which lead to a messenger or a social network."""

import re
from typing import Final

from relay.core.policy.case import Case

# Endings that make a word with a dot in it a host; those of the second kind are words too, and a space is easily
# forgotten after a full stop ("it works.it is"), so they need a path, a `www.` or one more dot.
_ENDINGS: Final = frozenset(
    "com net org biz jp cn tw kr hk sg uk de fr ru eu nl es br au ca nz ch se pl th vn ph xyz info online store site "
    "website club tokyo asia dev app tv cc io co example ly gl".split()
)
_WORDS: Final = frozenset(
    "me it is in at to so no be us my am ai shop top link page click live life news work one blog im gg id".split()
)
_ACCOUNTS: Final = frozenset(
    "line.me lin.ee wa.me whatsapp.com t.me telegram.me instagram.com instagr.am twitter.com x.com facebook.com fb.com "
    "fb.me m.me messenger.com tiktok.com discord.gg discord.com wechat.com weixin.qq.com kakao.com skype.com viber.com "
    "linktr.ee lit.link snapchat.com threads.net".split()
)
_HOST: Final = re.compile(r"[A-Za-z0-9-]++(?:\.[A-Za-z0-9-]++)*")
ENDINGS: Final = _ENDINGS | _WORDS


def of_url(rest: str) -> str:
    """The host of what follows `//`: without user, port and the path, lower case. A backslash is a slash to browsers.
    An ASCII name ends where other letters follow it, as Japanese prose does."""
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0].rpartition("@")[2].lower().strip(".")
    ascii_host = _HOST.match(authority)
    if ascii_host and ascii_host[0].rpartition(".")[2] in ENDINGS:
        return ascii_host[0]
    return authority.partition(":")[0]


def is_host(word: str, *, has_path: bool) -> bool:
    """Whether a bare word with a dot in it is meant as a host."""
    labels = word.split(".")
    ending = labels[-1].lower()
    if not all(labels) or len(word) > 253 or (labels[-1].istitle() and not labels[0].istitle()):
        return False
    if labels[0].lower() == "www" and len(labels) > 2:
        return True
    if ending in _ENDINGS:
        return len(labels[-2]) > 1 or len(labels) > 2
    return ending in _WORDS and word.islower() and (has_path or len(labels) > 2)


def is_under(host: str, domains: frozenset[str]) -> bool:
    """Whether the host is one of `domains` or under one of them."""
    while host and host not in domains:
        host = host.partition(".")[2]
    return bool(host)


def leads_to_account(host: str) -> bool:
    return is_under(host, _ACCOUNTS)


def allowed(case: Case) -> frozenset[str]:
    """The marketplace's own and the policy's."""
    market = case.facts.marketplace
    own = of_url(market.help_url.partition("//")[2])
    return case.policy.content.allowed_domains | market.domains | ({own} if own else frozenset())
