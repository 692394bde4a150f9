"""One name means one thing: no two public classes of the relay have the same name."""

import ast
from collections import defaultdict
from pathlib import Path

RELAY = Path(__file__).parents[1] / "relay"


def test_no_two_classes_have_one_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted(RELAY.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(f"{path.relative_to(RELAY)}:{node.lineno}")
    assert {name: where for name, where in places.items() if len(where) > 1} == {}
