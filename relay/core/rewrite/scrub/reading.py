"""The readings of a text: what it says once entities, percent-encoding, invisible characters, soft line ends and tags
are resolved as a client would. Each layer reads the one below; a hit is led back to the text itself.
"""

import html.entities
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from relay.core.rewrite.encodings import origin_of
from relay.core.rewrite.scrub.find import Hit, Secrets, merged


@dataclass(frozen=True, slots=True)
class Layer:
    """`pattern.sub(value, text)` is the next reading. `value` gives "", one character or the match as it is. `sign`
    is in every text that the layer changes."""

    pattern: re.Pattern[str]
    value: Callable[[re.Match[str]], str]
    sign: Callable[[str], bool]


_AT_SIGNS: Final = "@\uff20\ufe6b"
_INVISIBLE: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0"
)
_FULL_WIDTH: Final = {chr(code + 0xFEE0): chr(code) for code in range(0x21, 0x7F)} | {
    "\ufe6b": "@",
    "\u3002": ".",  # IDNA takes these two for a dot (UTS 46)
    "\uff61": ".",
}
_IS_INVISIBLE: Final = re.compile(f"[{_INVISIBLE}]")
# HTML5 names of printable ASCII and of characters that do not show; all others cannot be part of an address.
_NAMED: Final = {
    name: char
    for name, char in html.entities.html5.items()
    if len(char) == 1 and ("!" <= char <= "~" or _IS_INVISIBLE.match(char))
}
_NAMES: Final = "|".join(map(re.escape, sorted(_NAMED, key=len, reverse=True)))


def _entity(match: re.Match[str]) -> str:
    if match[3]:
        return _NAMED[match[3]]
    code = int(match[1]) if match[1] else int(match[2], 16)
    return chr(code) if code < 0x110000 else match[0]


def _tags_between(text: str) -> str:
    return "".join(_TAG.findall(text))


# A comment without an end goes on to the end of the text, as the HTML standard has it; so the search stays linear.
_TAG: Final = re.compile(r"<!--(?:-?>|.*?(?:--!?>|\Z))|<[^<>]*>", re.DOTALL)
_FLOWED: Final = Layer(re.compile(r" \r?\n>* ?"), lambda _: "", lambda text: " \r\n" in text)  # RFC 3676 §4, DelSp
_TAGS: Final = Layer(_TAG, lambda _: "", lambda text: "<" in text)
_ENTITIES: Final = Layer(
    re.compile(rf"&(?:#(?:0*([1-9][0-9]{{0,6}})|[xX]0*([1-9a-fA-F][0-9a-fA-F]{{0,5}}));?|({_NAMES}))"),
    _entity,
    lambda text: "&" in text,
)
# `%2540` is `%40` encoded once more, as links inside links are.
_PERCENT: Final = Layer(
    re.compile(r"%(?:25)*([0-7][0-9A-Fa-f])"), lambda match: chr(int(match[1], 16)), lambda text: "%" in text
)
_FOLDED: Final = Layer(
    re.compile(rf"[{_INVISIBLE}]+|[\uff01-\uff5e\ufe6b\u3002\uff61]"),
    lambda match: _FULL_WIDTH.get(match[0], ""),
    lambda text: not text.isascii(),
)

PLAIN: Final = ((_ENTITIES, _PERCENT, _FOLDED),)
FLOWED: Final = ((_FLOWED, _ENTITIES, _PERCENT, _FOLDED),)
HTML: Final = ((_ENTITIES, _PERCENT, _FOLDED), (_TAGS, _ENTITIES, _FOLDED))


_AT_ENTITY: Final = re.compile(
    r"&(?:#0*(?:64|37|65312|65131)(?![0-9])|#x0*(?:40|25|ff20|fe6b)(?![0-9a-f])|commat|percnt)", re.IGNORECASE
)
_AT_PERCENT: Final = re.compile(r"%(?:25)*+40")


def _may_hide_address(text: str) -> bool:
    """Every address has an at sign, which every layer leaves in one of these forms."""
    if any(sign in text for sign in _AT_SIGNS):
        return True
    if ("%40" in text or "%25" in text) and _AT_PERCENT.search(text):
        return True
    return "&" in text and bool(_AT_ENTITY.search(text))


def search(text: str, secrets: Secrets, ways: Sequence[Sequence[Layer]], *, whole: bool = True) -> list[Hit]:
    """Hits of every reading, as spans of `text`. Tags that stand inside an address are kept after its alias."""
    found = secrets.find(text, whole=whole)
    if not secrets.content_ids and not _may_hide_address(text):
        return found
    for way in ways:
        below: list[tuple[Layer, str]] = []
        view = text
        for layer in way:
            if not layer.sign(view):
                continue
            above = layer.pattern.sub(layer.value, view)
            if above == view:
                continue
            below.append((layer, view))
            view = above
            hits = secrets.find(view, whole=whole)
            if hits:
                found += _led_back(hits, below)
    if len(found) < 2:
        return found
    return merged(found)


def _led_back(hits: list[Hit], below: Sequence[tuple[Layer, str]]) -> list[Hit]:
    for layer, text in reversed(below):
        origin = origin_of(layer.pattern, layer.value, text)
        spans = [origin.span(hit.start, hit.end) for hit in hits]
        hits = [
            Hit(start, end, hit.replacement + (_tags_between(text[start:end]) if layer is _TAGS else ""), hit.what)
            for hit, (start, end) in zip(hits, spans, strict=True)
        ]
    return hits
