"""Edits of a text or of octets: ranges that are replaced, one function that applies them and one that merges them."""

from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import Any, Generic, NamedTuple, Protocol, Self, TypeVar

T = TypeVar("T", str, bytes)
T_co = TypeVar("T_co", str, bytes, covariant=True)


class Edit(NamedTuple, Generic[T]):
    """Replaces `source[start:end]` by `replacement`; an insertion if `start == end`.

    Edits of one source do not overlap.
    """

    start: int
    end: int
    replacement: T


class Replacing(Protocol[T_co]):
    """An edit, or a named tuple that begins with the three fields of one."""

    @property
    def start(self) -> int: ...

    @property
    def end(self) -> int: ...

    @property
    def replacement(self) -> T_co: ...

    def __getitem__(self, index: Any, /) -> Any: ...


class Range(Protocol):
    """A named tuple whose first two fields are `start` and `end`."""

    @property
    def start(self) -> int: ...

    @property
    def end(self) -> int: ...

    def _replace(self, *, start: int, end: int) -> Self: ...


R = TypeVar("R", bound=Range)
E = TypeVar("E", bound="Replacing[str] | Replacing[bytes]")


def in_order(edits: Iterable[E]) -> list[E]:
    """Returns the edits by their place. Those of one place stay in the order in which they were made."""
    return sorted(edits, key=itemgetter(0, 1))


def moved(edits: Iterable[Edit[T]], offset: int) -> list[Edit[T]]:
    """Returns edits of a section as edits of the source in which that section begins at `offset`."""
    return [Edit(start + offset, end + offset, replacement) for start, end, replacement in edits]


def apply_edits(source: T, edits: Iterable[Replacing[T]]) -> T:
    """Returns the source after its edits, in whatever order they are given. Raises ValueError when edits overlap."""
    return source[:0].join(pieces(source, edits, 0, len(source)))


def pieces(source: T, edits: Iterable[Replacing[T]], start: int, end: int) -> Iterator[T]:
    """Yields the pieces of `source[start:end]` after its edits; octets as views, so that joining copies them once.

    Raises ValueError when edits overlap or leave the range.
    """
    view = _view(source)
    for edit in in_order(edits):
        if not start <= edit.start <= edit.end <= end:
            raise ValueError("edits overlap or leave their section")
        yield view[start : edit.start]
        yield edit.replacement
        start = edit.end
    yield view[start:end]


def _view(source: str | bytes) -> Any:
    return memoryview(source) if isinstance(source, bytes) else source


def merge_ranges(ranges: Iterable[R], *, best: Callable[[R], Any] = lambda _: 0) -> list[R]:
    """Returns the ranges sorted and without overlap.

    Of ranges that overlap, directly or through others, the one with the least `best` is kept and takes the place of
    them all; without `best`, or between equals, it is the one that begins first, then the longest.
    """
    merged: list[R] = []
    together: list[R] = []
    end = 0
    for each in sorted(ranges, key=lambda each: (each.start, -each.end)):
        if together and each.start >= end:
            merged.append(_merged(together, end, best))
            together = []
        end = max(end, each.end) if together else each.end
        together.append(each)
    if together:
        merged.append(_merged(together, end, best))
    return merged


def _merged(together: list[R], end: int, best: Callable[[R], Any]) -> R:
    return together[0] if len(together) == 1 else min(together, key=best)._replace(start=together[0].start, end=end)
