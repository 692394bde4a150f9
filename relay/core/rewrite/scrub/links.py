"""Replaces a whole link whose host must be hidden, because a link without its host leads nowhere.

The placeholder names the link in its place (R-REW-01, R-REW-08).
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final

from relay.core.rewrite.scrub.occurrence import Occurrence, merged

LINK: Final = "link"
"""The kind of an occurrence that covers a link."""

_END: Final = r"\s<>\"'「」『』（）【】、。，．…"
_LABEL: Final = "[A-Za-z0-9-]{1,63}+"
_LINK: Final = re.compile(
    rf"""
    (?: https? | ftp ) :[/\\]{{1,3}} [^{_END}]{{1,2000}}+
    | (?<! [A-Za-z0-9@._%+/-] ) {_LABEL} (?: \. {_LABEL} ){{1,8}} (?: : [0-9]{{2,5}} )? / [^{_END}]*+
    | (?<! [A-Za-z0-9@._%+/-] ) www (?: \. {_LABEL} ){{2,8}}
    """,
    re.IGNORECASE | re.VERBOSE,
)
_SENTENCE_END: Final = ".,;:!?)]"
_TAG: Final = re.compile(r"<(a|area|img)\b(?>(?:[^<>\"']++|\"[^\"]*+\"|'[^']*+')*)>", re.IGNORECASE)
_A_END: Final = re.compile(r"</a\s*+>", re.IGNORECASE)


def whole(text: str, hits: list[Occurrence], placeholder: str, *, is_html: bool) -> list[Occurrence]:
    """Returns the occurrences, with a whole link in place of each host that stands in a link.

    In HTML a link is the tag of an anchor or a picture; the text of the anchor stays. `placeholder` is put in place of
    each link, but once for an anchor whose text is the link too.
    """
    at_hosts = [hit.start for hit in hits if hit.kind == "host"]
    if not at_hosts:
        return hits
    links = list(_of_text(text, at_hosts, placeholder))
    if is_html:
        links += _of_tags(text, links, at_hosts, placeholder)
    return merged(hits + links) if links else hits


def _of_text(text: str, at_hosts: Sequence[int], placeholder: str) -> Iterator[Occurrence]:
    for match in _LINK.finditer(text):
        end = match.start() + len(match[0].rstrip(_SENTENCE_END))
        if _has_any(at_hosts, match.start(), end):
            yield Occurrence(match.start(), end, placeholder, LINK)


def _of_tags(text: str, links: Sequence[Occurrence], at_hosts: Sequence[int], placeholder: str) -> Iterator[Occurrence]:
    at_links = [link.start for link in links]
    for tag in _TAG.finditer(text):
        if not _has_any(at_hosts, tag.start(), tag.end()):
            continue
        closing = _A_END.search(text, tag.end()) if tag[1] in "aA" else None
        is_named = closing is not None and _has_any(at_links, tag.end(), closing.start())
        yield Occurrence(tag.start(), tag.end(), "" if is_named else placeholder, LINK)


def _has_any(places: Sequence[int], start: int, end: int) -> bool:
    """Returns whether one of the sorted `places` lies in the range."""
    at = bisect_left(places, start)
    return at < len(places) and places[at] < end
