"""Finds the relay's own signed links in a text, in every form in which mail programs write them.

All signed links begin with the same prefix. A mail program may break a link over lines, percent-encode it inside
another link, or write it with entities or tags. A party that answers the relay's mail may quote a link in it, and
everybody who has a link can act for the party. So the links are removed before the mail is relayed.
"""

import html
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from relay.core.mail.edits import Edit, merge_ranges
from relay.core.mail.layers import FOLDED
from relay.core.mail.readings import DELSP, HTML, PLAIN, readings

_SCHEME: Final = re.compile(r"https?(?::|%3A|-3A)", re.IGNORECASE)
_URL: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&*+,-./:;=?@_~"
_REACH: Final = 2_048  # the longest link into which a program wraps another one
_NO_ENTITY: Final = r"&(?!(?:nbsp|lt|gt|quot|#39);)"
_REST: Final = re.compile(rf"(?:[/?#%]|{_NO_ENTITY})(?:[!#$%*+,\-./0-9:;=?@A-Z_a-z~]|{_NO_ENTITY})*")
_WRAPPER_REST: Final = re.compile(rf"(?:[!#$%*+,\-./0-9:;=?@A-Z_a-z~]|{_NO_ENTITY})*")
_BREAK: Final = r"[ \t]?\r?\n[>| \t]*"
_WHOLE_TOKEN: Final = 100
"""The length of a token in characters. Nearly every token is longer; a shorter one may be cut at the end of a line."""
# The rest of a token that continues on the next line. It has a digit, or a capital after its first letter, or more than
# 20 characters; words of prose hardly ever do.
_CONTINUED: Final = re.compile(
    rf"""
    {_BREAK} (
        (?= [A-Za-z0-9_-]* (?: [0-9_] | [a-z-][A-Z] | [A-Z]{{2}} ) | [A-Za-z0-9_-]{{21}} )
        [A-Za-z0-9_-]{{1,400}}
    )
    (?= [>)\]]? [ \t]* (?: \r?\n | \Z ) )
    """,
    re.VERBOSE,
)
# Three percent-encoded characters in a row, as in an encoded host name. A text without them need not be decoded. The
# search is fast, because the pattern begins with a literal.
_PERCENT: Final = re.compile(r"%(?:25)*[2-7][0-9a-f](?:%(?:25)*[2-7][0-9a-f]){2}")


class OwnLinks:
    """Finds the links that begin with `prefix`, which is a URL up to the token."""

    def __init__(self, prefix: str) -> None:
        bare = prefix.lower().partition("://")[2]
        self._host = bare.partition("/")[0]
        # One scanner of links writes `/` as an underscore and `:` as `-3A`.
        name = "".join({"/": "[/_]", ":": "(?::|-3A)"}.get(char, re.escape(char)) for char in bare)
        self._pattern = re.compile(
            rf"(?:https?(?::|-3A)[/_]{{2}}|(?<![A-Za-z0-9.-])){name}(?:{_BREAK})?([A-Za-z0-9_-]{{8,400}})",
            re.IGNORECASE,
        )

    def find(self, text: str, *, is_html: bool = False, is_delsp: bool = False) -> list[Edit[str]]:
        """Returns the edits that remove all links from a text, sorted and without overlap.

        If a link stands inside another link, the edit removes the whole outer link. `is_delsp` is True for text with
        `format=flowed` and `delsp=yes` (RFC 3676), in which the space before a soft line end is removed.
        """
        low = text.lower()
        if not (self._host in low or is_delsp or self._may_hide(low)):
            return []
        found = [_widened(text, *span) for span in self._in(text)]
        for reading in readings(text, HTML if is_html else DELSP if is_delsp else PLAIN):
            found += (_widened(text, *reading.span(*span)) for span in self._in(reading.text))
        return merge_ranges(found)

    def _may_hide(self, low: str) -> bool:
        return (
            "<wbr" in low
            or "=\n" in low
            or "=\r\n" in low
            or (("&#" in low or "&period" in low) and self._host in html.unescape(low))
            or ("%" in low and bool(_PERCENT.search(low)))
            or self._host in FOLDED.read(low)
        )

    def _in(self, text: str) -> Iterator[tuple[int, int]]:
        for match in self._pattern.finditer(text):
            end, length = match.end(), len(match[1])
            while length < _WHOLE_TOKEN:
                more = _CONTINUED.match(text, end)
                if more is None:
                    break
                end, length = more.end(), length + len(more[1])
            yield match.start(), end


@lru_cache(64)
def own_links(prefix: str) -> OwnLinks:
    return OwnLinks(prefix)


def _widened(text: str, start: int, end: int) -> Edit[str]:
    """Returns the edit that removes the link at `text[start:end]` and the text that belongs to it.

    This text is the link that contains it, the rest of its URL after the token, and one pair of brackets around it.
    """
    near = text[max(0, start - _REACH) : start]
    run = near[len(near.rstrip(_URL)) :]
    scheme = _SCHEME.search(run)
    rest = (_WRAPPER_REST if scheme else _REST).match(text, end, end + _REACH)
    if scheme:
        start -= len(run) - scheme.start()
    if rest:
        end = rest.end()
    for opening, closing in (("<", ">"), ("(", ")"), ("[", "]"), ("&lt;", "&gt;")):
        if text.endswith(opening, 0, start) and text.startswith(closing, end):
            return Edit(start - len(opening), end + len(closing), "")
    return Edit(start, end, "")
