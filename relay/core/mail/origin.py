"""Finds the place in a text as written (the source) from which a piece of its decoded text (the view) was read."""

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Origin:
    """Maps the characters of a view to the characters of its source.

    The pieces of the source that are decoded to another text are added in order. Every other character of the source
    is the same in the view.
    """

    _view: list[int] = field(default_factory=list)
    _source: list[int] = field(default_factory=list)

    def add(self, start: int, end: int, *, width: int) -> None:
        """Adds a piece of the source: `source[start:end]` is decoded to `width` characters of the view.

        Each of these characters is mapped to the whole piece.
        """
        at = start if not self._view else self._view[-1] + start - self._source[-1]
        self._view += (at, at + width)
        self._source += (start, end)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Returns the span (start, end) of the source from which `view[start:end]` was read.

        The span of the view must have at least one character.
        """
        return self._piece(start)[0], self._piece(end - 1)[1]

    def _piece(self, at: int) -> tuple[int, int]:
        before = bisect_right(self._view, at) - 1
        if before < 0:
            return at, at + 1
        if before % 2 == 0:  # inside a piece: each piece has two entries, its start and its end
            return self._source[before], self._source[before + 1]
        source = self._source[before] + at - self._view[before]
        return source, source + 1


def origin_of(pattern: re.Pattern[str], value: Callable[[re.Match[str]], str], text: str) -> Origin:
    """Returns the map from the view `pattern.sub(value, text)` to its source `text`."""
    origin = Origin()
    for match in pattern.finditer(text):
        new = value(match)
        if new != match[0]:
            origin.add(match.start(), match.end(), width=len(new))
    return origin
