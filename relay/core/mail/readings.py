"""Reads a text through its layers, as a person does, or a program that looks for addresses.

A reading remembers its steps, so that a span of the text that is read can be mapped to a span of the text as written. A
way is a list of layers. Policy reads by the way of a person (`SHOWN`, `SHOWN_HTML`); scrubbing and the search for own
links read by all ways of a kind of text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from relay.core.mail.edits import Edit, apply_edits
from relay.core.mail.layers import (
    BLOCKS,
    BLOCKS_AND_TITLES,
    CDATA,
    CSS,
    ENTITIES,
    ESCAPES,
    FLOWED,
    FOLDED,
    FOLDED_FOR_PERSON,
    FOLDS,
    PERCENT,
    QUOTED_PRINTABLE,
    TAGS,
    UNSEEN,
    Layer,
)
from relay.core.mail.origin import Origin, origin_of

Way = Sequence[Layer]
Ways = Sequence[Way]

PLAIN: Final[Ways] = ((ENTITIES, PERCENT, ENTITIES, ESCAPES, FOLDED), (QUOTED_PRINTABLE, FOLDED))
"""The first way is always read; another way only if its first layer changes the text, because else it adds nothing."""
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
SHOWN: Final[Way] = (FOLDED_FOR_PERSON,)
"""The layers of plain text as a person reads it."""
SHOWN_HTML: Final[Way] = (BLOCKS_AND_TITLES, ENTITIES)
"""The layers of HTML that come before `SHOWN`. A block is read as a line."""


class Step(NamedTuple):
    """One step when a span of a reading is mapped to the text as written: `text[start:end]` reads as the span after it.

    `layer` is the layer that was read in this step, None if edits were made instead.
    """

    layer: Layer | None
    text: str
    start: int
    end: int


@dataclass(slots=True)
class _Below:
    text: str
    layer: Layer | None
    origin: Origin | None  # made only when a span is mapped to the source


class Reading:
    """A text that is read through layers.

    `source` is the text as written, `text` is the text after the layers so far.
    """

    __slots__ = ("_below", "source", "text")

    def __init__(self, source: str) -> None:
        self.source = self.text = source
        self._below: list[_Below] = []

    @property
    def depth(self) -> int:
        """The number of steps that have changed the text."""
        return len(self._below)

    def through(self, layer: Layer) -> bool:
        """Reads the text through one more layer. Returns whether that changed it."""
        above = layer.read(self.text)
        if above == self.text:
            return False
        self._below.append(_Below(self.text, layer, None))
        self.text = above
        return True

    def edit(self, edits: Sequence[Edit[str]]) -> None:
        """Replaces spans of the text, which are sorted and do not overlap."""
        origin = Origin()
        for start, end, replacement in edits:
            origin.add(start, end, width=len(replacement))
        self._below.append(_Below(self.text, None, origin))
        self.text = apply_edits(self.text, edits)

    def span(self, start: int, end: int, *, depth: int = 0) -> tuple[int, int]:
        """Returns the span of the source that reads as a span of the text, which is at least one character long.

        With `depth`, returns the span in the text as it was at that depth.
        """
        for step in self.steps(start, end, depth=depth):
            start, end = step.start, step.end
        return start, end

    def steps(self, start: int, end: int, *, depth: int = 0) -> Iterator[Step]:
        """Yields each step that maps a span of the text to the text as written, the last layer first."""
        for below in reversed(self._below[depth:]):
            if below.origin is None:
                assert below.layer is not None
                below.origin = origin_of(below.layer.uneven or below.layer.pattern, below.layer.value, below.text)
            start, end = below.origin.span(start, end)
            yield Step(below.layer, below.text, start, end)


def readings(text: str, ways: Ways) -> Iterator[Reading]:
    """Yields a reading each time that a layer has changed its text.

    The text as written is not among them. The same object is yielded again after its next layer, so its text must be
    used before the generator is advanced.
    """
    for way in ways:
        is_first = way is ways[0]
        if not is_first and not way[0].sign(text):
            continue
        reading = Reading(text)
        for layer in way:
            if reading.through(layer):
                yield reading
            elif layer is way[0] and not is_first:
                break
