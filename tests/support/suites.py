"""Finds the public test suites that are no part of the project, and names those that did not run.

RELAY_SUITES names a folder that holds all of them. The SPF suite is also in pyspf's source distribution, from which
`make test` takes it into `.venv/suites`. With RELAY_SUITES or RELAY_REQUIRE_SUITES a suite that is missing fails its
tests; without, its tests skip, and the last lines of the run name it.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

_FETCHED = Path(__file__).parents[2] / ".venv" / "suites"
_MISSING = "this public suite is missing: "


def locate(path: str) -> Path:
    """Returns the file or folder at `path`, whose first part is the name of a suite."""
    given = os.environ.get("RELAY_SUITES")
    for folder in (Path(given), _FETCHED) if given else (_FETCHED,):
        if (folder / path).exists():
            return folder / path
    if given or os.environ.get("RELAY_REQUIRE_SUITES"):
        pytest.fail(f"{path} is neither in the folder that RELAY_SUITES names ({given}) nor in .venv/suites")
    pytest.skip(_MISSING + path.partition("/")[0])


def suite(path: str) -> list[Any]:
    """Returns the documents of a YAML suite."""
    return list(yaml.load_all(locate(path).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))


def closing_line(skipped: Iterable[pytest.TestReport]) -> str:
    """Returns the line that names the suites which are missing, or an empty text where none is."""
    reasons = (str(report.longrepr[2]) for report in skipped if isinstance(report.longrepr, tuple | list))
    missing = sorted({reason.partition(_MISSING)[2] for reason in reasons if _MISSING in reason})
    if not missing:
        return ""
    return f"public suites that did not run: {', '.join(missing)} (RELAY_SUITES names the folder that holds them)"
