"""Precision and recall of the content rules over the golden table, computed from the properties of test reports."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator

import pytest

_PROPERTY = "content rule"


def note(record_property: Callable[[str, object], None], rule: str, *, harmful: bool, found: bool) -> None:
    record_property(_PROPERTY, (rule, harmful, found))


def lines(reports: Iterable[pytest.TestReport]) -> Iterator[str]:
    """Yields one line with precision and recall for each rule that was tried."""
    tried: defaultdict[str, Counter[tuple[bool, bool]]] = defaultdict(Counter)
    for report in reports:
        for name, value in report.user_properties:
            if name == _PROPERTY and isinstance(value, tuple | list):
                rule, harmful, found = value
                tried[rule][harmful, found] += 1
    for rule, seen in sorted(tried.items()):
        right, wrong, missed = seen[True, True], seen[False, True], seen[True, False]
        precision = right / (right + wrong) if right + wrong else 1.0
        recall = right / (right + missed) if right + missed else 1.0
        yield f"{rule:24} {sum(seen.values()):3} cases  precision {precision:.2f}  recall {recall:.2f}"
