"""`docs/observability.md` names every line of the log with its fields, and every metric with its labels (R-UI-11)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from relay.edge.observe import COUNTERS, DURATIONS, RESERVED
from relay.steps import event_log
from tests.support.log import documented

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/observability.md").read_text(encoding="utf-8")
_LEVELS = frozenset({"debug", "info", "warning", "error", "exception", "critical"})


def calls() -> Iterator[tuple[str, str | None, set[str], bool]]:
    """Yields (place, event, field names, has other fields) for each log call in `relay/`.

    The event is None if it is not a literal. Other fields are those whose names are known only at run time.
    """
    for path in (ROOT / "relay").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            if not re.fullmatch(rf"_?log(\.({'|'.join(_LEVELS)}))?", called) or not node.args:
                continue
            event = str(node.args[0].value) if isinstance(node.args[0], ast.Constant) else None
            names = {keyword.arg for keyword in node.keywords if keyword.arg}
            open_ended = any(keyword.arg is None for keyword in node.keywords)
            yield f"{path.name}:{node.lineno}", event, names, open_ended


def test_every_line_is_on_the_page_and_the_page_names_no_other() -> None:
    made = {event for _, event, _, _ in calls() if event} | set(event_log.LINES.values())
    assert made == set(documented())


def test_every_field_of_a_line_is_on_the_page() -> None:
    fields = documented()
    for place, event, names, _ in calls():
        if event is not None:
            assert names - {"exc_info"} <= fields[event], place


def test_no_line_has_a_field_of_its_own_that_the_processors_fill() -> None:
    """It would be lost, or hide theirs."""
    for place, _, names, _ in calls():
        assert not names & RESERVED, place


def test_every_metric_is_on_the_page_with_its_labels_and_the_page_names_no_other() -> None:
    table = PAGE.partition("## Metrics")[2]
    rows = dict(re.findall(r"^\| `(\w+)` \|([^|]*)\|", table, re.MULTILINE))
    shown = {name: tuple(re.findall(r"`(\w+)`", labels)) for name, labels in rows.items()}
    assert shown.pop("build_info") == ("version",)
    assert shown == {name: metric.labels for name, metric in {**COUNTERS, **DURATIONS}.items()}
