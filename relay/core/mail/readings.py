"""The readings of a text: what a person, or a program that looks for addresses, reads once its layers are resolved.

A reading remembers its steps, so that a span of it is led back to the text as it was written. The ways below are data:
policy reads by the way of a person (`SHOWN`), scrubbing and the search for own links by all of them.
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
SHOWN: Final[Way] = (FOLDED_FOR_PERSON,)
"""Plain text as a person reads it."""
SHOWN_HTML: Final[Way] = (BLOCKS_AND_TITLES, ENTITIES)
"""What comes before `SHOWN` in HTML: a block is a line, and a title, which a style sheet may show, is one too."""


class Step(NamedTuple):
    """A span of a reading one step below: `text[start:end]` reads as the span above it by `layer`, None for a step of
    edits."""

    layer: Layer | None
    text: str
    start: int
    end: int


@dataclass(slots=True)
class _Below:
    text: str
    layer: Layer | None
    origin: Origin | None  # made only when something is led back


class Reading:
    """One text on its way through layers. `source` is the text as written, `text` what is read so far."""

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
        """Replaces spans of the text, sorted, for whoever reads it from here on."""
        origin = Origin()
        for start, end, replacement in edits:
            origin.add(start, end, width=len(replacement))
        self._below.append(_Below(self.text, None, origin))
        self.text = apply_edits(self.text, edits)

    def span(self, start: int, end: int, *, depth: int = 0) -> tuple[int, int]:
        """Leads a span of the text, at least one character long, back to the source, or to the text as it was at a
        depth."""
        for step in self.steps(start, end, depth=depth):
            start, end = step.start, step.end
        return start, end

    def steps(self, start: int, end: int, *, depth: int = 0) -> Iterator[Step]:
        """Yields the span on each step of its way back, as `span` has it."""
        for below in reversed(self._below[depth:]):
            if below.origin is None:
                assert below.layer is not None
                below.origin = origin_of(below.layer.uneven or below.layer.pattern, below.layer.value, below.text)
            start, end = below.origin.span(start, end)
            yield Step(below.layer, below.text, start, end)


def readings(text: str, ways: Ways) -> Iterator[Reading]:
    """Yields a reading after each layer that changed its text, the last ones at its end; the text as written is not
    among them. A reading goes on growing while the next ones are asked for."""
    for way in ways:
        reading = Reading(text)
        for layer in way:
            if reading.through(layer):
                yield reading
            elif layer is way[0] and way is not ways[0]:
                break
