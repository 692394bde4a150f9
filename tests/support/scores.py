"""Precision and recall of the content rules over the golden table, gathered while its test runs."""

from collections import Counter, defaultdict
from collections.abc import Iterator

_SEEN: defaultdict[str, Counter[tuple[bool, bool]]] = defaultdict(Counter)


def note(rule: str, *, harmful: bool, found: bool) -> None:
    _SEEN[rule][harmful, found] += 1


def lines() -> Iterator[str]:
    """One per rule that was tried: of what it found how much is harmful, of what is harmful how much it found."""
    for rule, seen in sorted(_SEEN.items()):
        right, wrong, missed = seen[True, True], seen[False, True], seen[True, False]
        precision = right / (right + wrong) if right + wrong else 1.0
        recall = right / (right + missed) if right + missed else 1.0
        yield f"{rule:24} {sum(seen.values()):3} cases  precision {precision:.2f}  recall {recall:.2f}"
