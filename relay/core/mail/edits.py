"""Edits of a text or of octets: each replaces one range. The functions sort, move, apply and merge edits."""

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any, Generic, NamedTuple, Protocol, Self, TypeVar

T = TypeVar("T", str, bytes)
T_co = TypeVar("T_co", str, bytes, covariant=True)


class Edit(NamedTuple, Generic[T]):
    """Replaces `source[start:end]` by `replacement`; if `start == end`, inserts `replacement` there.

    Edits of the same source must not overlap.
    """

    start: int
    end: int
    replacement: T


class Replacing(Protocol[T_co]):
    """An `Edit`, or another named tuple whose first three fields are `start`, `end` and `replacement`."""

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
    """Returns the edits sorted by their start, then by their end; edits with the same range keep their order."""
    return sorted(edits, key=itemgetter(0, 1))


def moved(edits: Iterable[Edit[T]], offset: int) -> list[Edit[T]]:
    """Returns edits of a section of a source as edits of the source; the section begins at `offset`."""
    return [Edit(start + offset, end + offset, replacement) for start, end, replacement in edits]


def apply_edits(source: T, edits: Iterable[Replacing[T]]) -> T:
    """Returns the source after all edits, which may be given in any order. Raises ValueError if edits overlap."""
    return source[:0].join(pieces(source, edits, 0, len(source)))


def pieces(source: T, edits: Iterable[Replacing[T]], start: int, end: int) -> list[T]:
    """Returns the pieces of `source[start:end]` after the edits, in order.

    The unchanged pieces of octets are memory views, so that the octets are copied only when the caller joins the
    pieces. Raises ValueError if edits overlap, or if an edit is not within the range.
    """
    view = _view(source)
    found: list[T] = []
    for edit in in_order(edits):
        if not start <= edit.start <= edit.end <= end:
            raise ValueError("edits overlap or leave their section")
        found += (view[start : edit.start], edit.replacement)
        start = edit.end
    found.append(view[start:end])
    return found


def _view(source: str | bytes) -> Any:
    return memoryview(source) if isinstance(source, bytes) else source


def merge_ranges(ranges: Iterable[R], *, best: Callable[[R], Any] = lambda _: 0) -> list[R]:
    """Returns the ranges sorted, with each group of overlapping ranges merged into one range.

    Two ranges are in the same group if they overlap, or if a chain of overlapping ranges connects them. The merged
    range covers the whole group. Its other fields are those of the range for which `best` returns the smallest value.
    If several ranges have this value, the range that begins first counts; if several begin at the same place, the
    longest of them counts.
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
