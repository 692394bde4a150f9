"""One name means one thing: no two public classes of core are called alike."""

import ast
from collections import defaultdict
from pathlib import Path

CORE = Path(__file__).parents[2] / "relay" / "core"


def test_no_two_classes_of_core_have_one_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted(CORE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(f"{path.relative_to(CORE)}:{node.lineno}")
    assert {name: where for name, where in places.items() if len(where) > 1} == {}
