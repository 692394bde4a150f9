"""Public test suites that lie beside the project: found by RELAY_SUITES alone, demanded by RELAY_REQUIRE_SUITES."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml


def suite(path: str) -> list[Any]:
    """The documents of a YAML suite; skips where RELAY_SUITES does not lead to it, fails in CI."""
    suites = os.environ.get("RELAY_SUITES")
    if not suites or not (Path(suites) / path).is_file():
        if os.environ.get("RELAY_REQUIRE_SUITES"):
            pytest.fail(f"RELAY_SUITES does not lead to {path}")
        pytest.skip("RELAY_SUITES is not set")
    return list(yaml.load_all((Path(suites) / path).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))
