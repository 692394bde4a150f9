"""Defines the occurrence of a hidden value in a text: an edit with the kind of the hidden value."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from relay.core.mail.edits import merge_ranges

HIDDEN: Final = "[hidden]"


class Occurrence(NamedTuple):
    """A hidden value at `text[start:end]` and its `replacement`.

    `kind` is "link", "content-id", "address", "name" or "host".
    """

    start: int
    end: int
    replacement: str
    kind: str


_RANK: Final = {"link": 0, "content-id": 1, "address": 2, "name": 3, "host": 4}


def merged(found: Iterable[Occurrence]) -> list[Occurrence]:
    """Returns the occurrences sorted and without overlap.

    If occurrences overlap, the longest is kept. If they are equally long, a link is kept first, then a Content-ID,
    because it must equal the id of its part, then an address, a name and a host.
    """
    return merge_ranges(found, best=lambda each: (each.start - each.end, _RANK[each.kind]))
