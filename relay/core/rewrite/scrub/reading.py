"""The readings of a text: what it says once each layer is resolved as a client would. Each layer reads the one below; a
hit is led back to the text itself.
"""

from collections.abc import Sequence
from typing import Final

from relay.core.mail.origin import origin_of
from relay.core.mail.readings import (
    BLOCKS,
    CDATA,
    CSS,
    ENTITIES,
    ESCAPES,
    FLOWED,
    FOLDED,
    FOLDS,
    PERCENT,
    QUOTED_PRINTABLE,
    TAG,
    TAGS,
    UNSEEN,
    Layer,
)
from relay.core.rewrite.scrub.find import HiddenValues
from relay.core.rewrite.scrub.occurrence import Occurrence, merged

Ways = Sequence[Sequence[Layer]]

PLAIN: Final[Ways] = ((ENTITIES, PERCENT, ENTITIES, ESCAPES, FOLDED), (QUOTED_PRINTABLE, FOLDED))
"""The first way is always read; another one only where its first layer changes the text, for else it says no more."""
DELSP: Final[Ways] = (*PLAIN, (FLOWED, ENTITIES, PERCENT, ESCAPES, FOLDED))
HTML: Final[Ways] = (
    *PLAIN,
    (TAGS, ENTITIES, FOLDED),
    (BLOCKS, ENTITIES, FOLDED),
    (UNSEEN, TAGS, ENTITIES, FOLDED),
    (UNSEEN, BLOCKS, ENTITIES, FOLDED),
    (CDATA, TAGS, ENTITIES, FOLDED),
    (QUOTED_PRINTABLE, TAGS, ENTITIES, FOLDED),
    (CSS, FOLDED),
)
CARDS: Final[Ways] = (*PLAIN, (FOLDS, ENTITIES, PERCENT, ESCAPES, FOLDED), (QUOTED_PRINTABLE, FOLDS, FOLDED))

# An override shows what follows it backwards (UAX #9); so do `<bdo>` and its style.
_OVERRIDES: Final = ("\u202e", "\u2067", "\u202b")
_OVERRIDE_ENTITIES: Final = ("&#8238", "&#x202e")


def search(
    text: str, secrets: HiddenValues, ways: Ways, *, whole: bool = True, label: bool = False
) -> list[Occurrence]:
    """Hits of every reading, as spans of `text`. Tags that stand inside an address are kept after its alias."""
    found = _search(text, secrets, ways, whole=whole, label=label)
    if (not text.isascii() or "&" in text or "<" in text) and _may_run_backwards(text):
        mirrored = _search(text[::-1], secrets, ways, whole=whole, label=label)
        length = len(text)
        found += (Occurrence(length - hit.end, length - hit.start, hit.replacement[::-1], hit.kind) for hit in mirrored)
    return merged(found) if len(found) > 1 else found


def _may_run_backwards(text: str) -> bool:
    low = text.lower()
    if "bdo" in low or "bidi-override" in low:
        return True
    if "&" in low and any(sign in low for sign in _OVERRIDE_ENTITIES):
        return True
    return not text.isascii() and any(sign in text for sign in _OVERRIDES)


def _search(text: str, secrets: HiddenValues, ways: Ways, *, whole: bool, label: bool) -> list[Occurrence]:
    found = secrets.find(text, whole=whole, label=label)
    for way in ways:
        below: list[tuple[Layer, str]] = []
        view = text
        for layer in way:
            above = layer.read(view)
            if above != view:
                below.append((layer, view))
                view = above
                found += _led_back(secrets.find(view, whole=whole, label=label), below)
            elif layer is way[0] and way is not ways[0]:
                break
    return found


def _led_back(hits: list[Occurrence], below: Sequence[tuple[Layer, str]]) -> list[Occurrence]:
    for layer, text in reversed(below) if hits else ():
        origin = origin_of(layer.pattern, layer.value, text)
        spans = [origin.span(hit.start, hit.end) for hit in hits]
        hits = [
            Occurrence(
                start,
                end,
                hit.replacement + (_tags_between(text[start:end]) if layer in (TAGS, BLOCKS, UNSEEN) else ""),
                hit.kind,
            )
            for hit, (start, end) in zip(hits, spans, strict=True)
        ]
    return hits


def _tags_between(text: str) -> str:
    return "".join(match[0] for match in TAG.finditer(text))
