"""Links in running text: URLs, and hosts without a scheme. Own and linear: ready-made finders miss a URL right after
kana, which is where Japanese mail has it.
"""

import re
from collections.abc import Iterator
from typing import Final

from relay.core.model.reason import ReasonCode
from relay.core.policy.content import hosts
from relay.core.policy.content.finding import Hit

MOST: Final = 200
"""Of one text; with so many it is stopped for the first."""

_END: Final = r"\s<>\"'「」『』（）()【】、。，．…"
_URL: Final = re.compile(
    rf"(?:(?:https?|ftp):[/\\]{{1,3}}|(?<![A-Za-z0-9@._/-])(?=www\.))([^{_END}]{{3,2000}}+)", re.IGNORECASE
)
_PARTICLE: Final = re.compile("[ぁ-ん]")
"""What follows a link in Japanese prose."""
_BARE: Final = re.compile(
    rf"(?<![A-Za-z0-9@._%+/=-])[A-Za-z0-9-]{{1,63}}+\.[A-Za-z0-9.-]{{2,250}}+(?![@_])(/[^{_END}]*+)?"
)
_BARE_IDN: Final = re.compile(rf"[^\x00-\x7f{_END}]{{1,30}}+\.(?:com|net|jp)/[^{_END}]*+")


def found(text: str, allowed: frozenset[str]) -> Iterator[Hit]:
    for match in _URL.finditer(text):
        host = hosts.of_url(match[1])
        particle = _PARTICLE.search(match[0]) if host.isascii() else None
        end = match.start() + particle.start() if particle else match.end()
        yield from _judged(host, match.start(), end, allowed)
    for match in _BARE.finditer(text):
        word = match[0].partition("/")[0].rstrip(".-")
        if hosts.is_host(word, has_path=bool(match[1])) and not word.lower().startswith("www."):
            yield from _judged(
                word.lower(), match.start(), match.end() if match[1] else match.start() + len(word), allowed
            )
    for match in _BARE_IDN.finditer(text):
        yield from _judged(hosts.of_url(match[0]), match.start(), match.end(), allowed)


def _judged(host: str, start: int, end: int, allowed: frozenset[str]) -> Iterator[Hit]:
    if hosts.leads_to_account(host):
        yield Hit(ReasonCode.CONTACT_DATA, start, end, "account")
    elif host and not hosts.is_under(host, allowed):
        yield Hit(ReasonCode.EXTERNAL_LINK, start, end, host)
