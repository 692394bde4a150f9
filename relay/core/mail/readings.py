"""Reads a text through several layers (`layers`), one after the other.

A way is a sequence of layers. The policy reads a text by the way in which a person sees it (`SHOWN`, `SHOWN_HTML`). The
search for addresses and for the relay's own links reads it by all ways of its kind (`PLAIN`, `HTML`, ...). A reading
remembers its steps, so a span of the decoded text can be mapped to a span of the text as written.
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
"""The ways of plain text.

The first of several ways is always read. Each other way is read only if its first layer changes the text, because
otherwise it finds nothing that the first way has not found.
"""
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
"""The layers of HTML that are read before `SHOWN`. Each block (such as a paragraph) becomes a line of its own."""


class Step(NamedTuple):
    """One step of mapping a span of a reading to the text as written.

    `text` is the text before this step of the reading, and `text[start:end]` is the piece from which the span was read.
    `layer` is the layer of this step, None if the step was edits.
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

    `source` is the text as written. `text` is the text after the layers that it was read through until now.
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
        """Reads the text through one more layer. Returns whether this changed the text."""
        above = layer.read(self.text)
        if above == self.text:
            return False
        self._below.append(_Below(self.text, layer, None))
        self.text = above
        return True

    def edit(self, edits: Sequence[Edit[str]]) -> None:
        """Makes edits of the text, as one step. They must be sorted and must not overlap."""
        origin = Origin()
        for start, end, replacement in edits:
            origin.add(start, end, width=len(replacement))
        self._below.append(_Below(self.text, None, origin))
        self.text = apply_edits(self.text, edits)

    def span(self, start: int, end: int, *, depth: int = 0) -> tuple[int, int]:
        """Returns the span (start, end) of the source from which `text[start:end]` was read.

        The span of the text must have at least one character. With `depth`, the result is a span of the text as it was
        after that number of steps, instead of the source.
        """
        for step in self.steps(start, end, depth=depth):
            start, end = step.start, step.end
        return start, end

    def steps(self, start: int, end: int, *, depth: int = 0) -> Iterator[Step]:
        """Yields the steps that map `text[start:end]` to the text as it was after `depth` steps, the last one first."""
        for below in reversed(self._below[depth:]):
            if below.origin is None:
                assert below.layer is not None
                below.origin = origin_of(below.layer.uneven or below.layer.pattern, below.layer.value, below.text)
            start, end = below.origin.span(start, end)
            yield Step(below.layer, below.text, start, end)


def readings(text: str, ways: Ways) -> Iterator[Reading]:
    """Yields a reading each time that a layer has changed its text; the text as written is not yielded.

    The same object is yielded again after its next layer. So the caller must use the text of a reading before it gets
    the next reading.
    """
    for way in ways:
        is_first = way is ways[0]
        if not is_first and not way[0].sign(text):
            continue
        reading = Reading(text)
        for layer in way:
            if layer.sign(reading.text) and reading.through(layer):
                yield reading
            elif layer is way[0] and not is_first:
                break
