"""Defines the occurrence of a hidden value in a text: an edit with the kind of the hidden value."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from relay.core.mail.edits import merge_ranges

HIDDEN: Final = "[hidden]"


class Occurrence(NamedTuple):
    """A hidden value at `text[start:end]` and its `replacement`.

    `kind` is "content-id", "address", "name" or "host".
    """

    start: int
    end: int
    replacement: str
    kind: str


_RANK: Final = {"content-id": 0, "address": 1, "name": 2, "host": 3}


def merged(found: Iterable[Occurrence]) -> list[Occurrence]:
    """Returns the occurrences sorted and without overlap.

    If occurrences overlap, the longest is kept. If they are equally long, a Content-ID is kept before an address,
    because it must equal the id of its part, then an address, a name and a host.
    """
    return merge_ranges(found, best=lambda each: (each.start - each.end, _RANK[each.kind]))
