"""Finds links in running text: URLs, and host names without a scheme.

No library is used, because the available libraries miss a URL directly after kana, which is frequent in Japanese mail.
The module searches for a sign of a link, which is `:/` or a dot before a letter or digit, and reads the text in both
directions from there. The time is linear in the length of the text.
"""

import itertools
import re
from collections.abc import Iterator
from typing import Final

from relay.core.model.reason import ReasonCode
from relay.core.policy.content import hosts
from relay.core.policy.content.finding import Hit

MOST: Final = 200
"""The maximum number of hits that are reported for one text."""

_SIGN: Final = re.compile(r"[:.](?:(?<=:)[/\\]|(?<=\.)(?:[A-Za-z0-9]|[^\x00-\x7f]{2}))")
_SCHEME: Final = re.compile(r"(?:https?|ftp)\Z", re.IGNORECASE)
_END: Final = r"\s<>\"'「」『』（）()【】、。，．…"
_REST: Final = re.compile(rf":[/\\]{{1,3}}([^{_END}]{{1,2000}}+)")
_PARTICLE: Final = re.compile("[ぁ-ん]")
"""The hiragana characters, which in Japanese prose follow a link without a space."""
_LABEL_BACKWARDS: Final = re.compile(rf"[A-Za-z0-9-]{{1,63}}+|[^\x00-\x7f{_END}]{{1,30}}+")
_NO_START: Final = re.compile(r"[A-Za-z0-9@._%+/=-]")
_ADDRESS_SIGNS: Final = frozenset("@_")
_LABELS: Final = re.compile(r"[A-Za-z0-9.-]*+")
_PORT_AND_PATH: Final = re.compile(rf"(?::[0-9]{{2,5}}+(?![0-9A-Za-z]))?(?:/[^{_END}ぁ-ん]*+)?")
_OTHER_LABEL: Final = re.compile(rf"[^\x00-\x7f{_END}]{{2,30}}+(?!\.?[^\W_])")
"""The last label of a host name, if it is not in ASCII."""


def found(text: str, allowed: frozenset[str]) -> Iterator[Hit]:
    return itertools.islice(_found(text, allowed), MOST)


def _found(text: str, allowed: frozenset[str]) -> Iterator[Hit]:
    done = 0
    for sign in _SIGN.finditer(text):
        at = sign.start()
        if at < done:
            continue
        host, start, done = (_url if text[at] == ":" else _bare)(text, at, done)
        if hosts.leads_to_account(host):
            yield Hit(ReasonCode.CONTACT_DATA, start, done, "account")
        elif host and not hosts.is_under(host, allowed):
            yield Hit(ReasonCode.EXTERNAL_LINK, start, done, host)


def _url(text: str, at: int, done: int) -> tuple[str, int, int]:
    """Returns the host, the start and the end of the URL whose scheme ends at `at`.

    The host is "" if there is no URL. The text before `done` already belongs to an earlier link.
    """
    scheme = _SCHEME.search(text, max(done, at - 5), at)
    rest = _REST.match(text, at) if scheme else None
    if not scheme or not rest:
        return "", at, at + 1
    host = hosts.of_url(rest[1])
    particle = _PARTICLE.search(text, at, rest.end()) if host.isascii() else None
    return host, scheme.start(), particle.start() if particle else rest.end()


def _bare(text: str, at: int, done: int) -> tuple[str, int, int]:
    """Returns the host, the start and the end of the name without a scheme that has its first dot at `at`.

    The host is "" if there is no host name. The name may end in a non-ASCII label if this label is a public suffix; any
    other non-ASCII text is prose that follows the name without a space. The text before `done` already belongs to an
    earlier link.
    """
    labels = _LABELS.match(text, at)
    end = labels.end() if labels else at + 1
    other = _OTHER_LABEL.match(text, end) if text[end - 1] == "." else None
    if other and hosts.has_suffix(other[0]):
        end = other.end()
    elif end == at + 1:
        return "", at, end
    if text[end : end + 1] in _ADDRESS_SIGNS:
        return "", at, end
    label = _LABEL_BACKWARDS.match(text[max(done, at - 64) : at][::-1])
    start = at - label.end() if label else at
    if not label or (start and _NO_START.match(text[start - 1])):
        return "", at, end
    name = text[start:end].rstrip(".-")
    path = _PORT_AND_PATH.match(text, end)
    path_end = path.end() if path else end
    has_path = path_end > end
    if hosts.is_host(name, has_path=has_path):
        return name.lower(), start, path_end if has_path else start + len(name)
    return "", start, max(at + 1, start + len(name))
