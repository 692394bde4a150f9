"""What a search yields: a stretch of a text that must not pass, and what takes its place."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

HIDDEN: Final = "[hidden]"


@dataclass(frozen=True, slots=True, order=True)
class Occurrence:
    """`text[start:end]` is a secret; `what` names its kind for the record."""

    start: int
    end: int
    replacement: str
    what: str


_RANK: Final = {"content-id": 0, "address": 1, "name": 2, "host": 3}


def merged(hits: Iterable[Occurrence]) -> list[Occurrence]:
    """Sorted, without overlap: of two that overlap the longer one wins, and of two alike the id, which must
    stay that of its part, then the address."""
    kept: list[Occurrence] = []
    for hit in sorted(hits, key=lambda h: (h.start, -h.end)):
        if not kept or hit.start >= kept[-1].end:
            kept.append(hit)
            continue
        last = kept[-1]
        best = min((last, hit), key=lambda h: (h.start - h.end, _RANK[h.what]))
        kept[-1] = Occurrence(last.start, max(last.end, hit.end), best.replacement, best.what)
    return kept


def replaced(text: str, hits: Iterable[Occurrence]) -> str:
    pieces: list[str] = []
    at = 0
    for hit in hits:
        pieces += (text[at : hit.start], hit.replacement)
        at = hit.end
    return "".join((*pieces, text[at:]))
