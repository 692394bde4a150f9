"""Finds the place in an HTML text where a browser shows the footer, whatever the writer left open.

An element that is not closed would swallow or hide it, and with it the reader's links to stop such mail and to report
it. The text is parsed as a browser parses it, with a probe in the place of the footer.
"""

import itertools
import re
from typing import Final, NamedTuple

import re2
from selectolax.lexbor import LexborHTMLParser, LexborNode

from relay.core.mail.html_depth import is_flat_enough

_CLOSABLE: Final = (
    "title|style|script|noscript|noframes|noembed|textarea|xmp|iframe|select|option|datalist|template|object|audio|video"
    "|canvas|svg|math|details|dialog"
)
_HIDING: Final = re.compile(f"{_CLOSABLE}|head|plaintext|frameset")
_CLOSING: Final = "".join(f"</{name}>" for name in _CLOSABLE.split("|"))
_STYLE: Final = re.compile(
    r"""
    display \s*:\s* none | visibility \s*:\s* (?: hidden | collapse ) | mso-hide \s*:\s* all | transparent
    | (?: opacity | font-size | line-height | height | width ) \s*:\s* 0 (?! [.\d]* [1-9] )
    | (?: left | top | right | bottom | text-indent ) \s*:\s* -\d{3}
    | clip | scale \s* \( \s* 0
    """,
    re.IGNORECASE | re.VERBOSE,
)
# A text without any of these shows what follows it. RE2 searches for all at once; `re` takes seventy times as long.
_SUSPECT: Final = re2.compile(
    rf"(?i)<(?:{_HIDING.pattern})\b|<!--|<!\[CDATA|\bhidden\b|mso-hide|transparent|-\d{{3}}|\bclip|scale|&#|\\"
    r"|\b(?:display|visibility|opacity|font-size|line-height|height|width)\s*:\s*(?:none|hidden|collapse|0)"
)
_BEGINNING: Final = re.compile(r"\ufeff?\s*(?:<\?xml[^>]*>\s*)?(?:<!doctype[^>]*>)?", re.IGNORECASE)


class FooterPlace(NamedTuple):
    """Where the footer goes: the offset in the text, and what is put before the footer to close open elements."""

    at: int
    closing: str


def place(text: str, at: int) -> FooterPlace | None:
    """Returns where a footer is shown, at `at` if possible, else at the beginning; None if it is shown nowhere."""
    if text.rfind("<", 0, at) < max(text.rfind(">", 0, at), 0) and not _is_suspect(text[:at]):
        return FooterPlace(at, "")
    beginning = FooterPlace(_end_of_doctype(text), "")
    if not is_flat_enough(text):
        return beginning
    for closing in ("", "-->", '">', "'>", _CLOSING, f"-->{_CLOSING}"):
        hiding = _hiding(text, FooterPlace(at, closing))
        if hiding is None:
            continue
        found = FooterPlace(at, closing + "".join(f"</{name}>" for name in hiding))
        if not hiding or _hiding(text, found) == ():
            return found
    return beginning if _hiding(text, beginning) == () else None


def _is_suspect(text: str) -> bool:
    return bool(_SUSPECT.search(text.encode("utf-8", "replace")))


def _end_of_doctype(text: str) -> int:
    match = _BEGINNING.match(text)
    return match.end() if match else 0


def _hiding(text: str, place: FooterPlace) -> tuple[str, ...] | None:
    """Returns the names of the elements to close, from the inside, so that the place is shown; None if it is lost."""
    name = next(name for number in itertools.count() if (name := f"probe{number}") not in text)
    probe = f'{place.closing}<div id="{name}">x</div>'
    node = LexborHTMLParser(text[: place.at] + probe + text[place.at :]).css_first(f"#{name}")
    if node is None:
        return None
    path: list[str] = []
    hidden = 0
    above = node.parent
    while above is not None and above.tag not in ("-document", "html", None):
        path.append(above.tag or "")
        if _is_hiding(above):
            hidden = len(path)
        above = above.parent
    return tuple(path[:hidden])


def _is_hiding(node: LexborNode) -> bool:
    attributes = node.attributes
    return (
        bool(_HIDING.fullmatch(node.tag or ""))
        or "hidden" in attributes
        or bool(_STYLE.search(attributes.get("style") or ""))
    )
