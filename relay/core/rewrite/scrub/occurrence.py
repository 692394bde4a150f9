"""An occurrence of a hidden value in a text, which is an edit with the kind of value that it hides."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from relay.core.mail.edits import merge_ranges

HIDDEN: Final = "[hidden]"


class Occurrence(NamedTuple):
    """`text[start:end]` is hidden by `replacement`. `kind` is "content-id", "address", "name" or "host"."""

    start: int
    end: int
    replacement: str
    kind: str


_RANK: Final = {"content-id": 0, "address": 1, "name": 2, "host": 3}


def merged(found: Iterable[Occurrence]) -> list[Occurrence]:
    """Returns the occurrences sorted and without overlap.

    Of those that overlap the longest is kept; of two equally long ones the Content-ID, which must stay that of its
    part, then the address.
    """
    return merge_ranges(found, best=lambda each: (each.start - each.end, _RANK[each.kind]))
