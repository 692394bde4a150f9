"""What every test shares: real peers fail in CI when they are missing; outside they skip and say so."""

import os
import shutil
from pathlib import Path

import pytest

_PROGRAMS = {
    "postfix": "/usr/sbin/postfix",
    "postgresql": "/usr/lib/postgresql",
    "dovecot": "/usr/sbin/dovecot",
    "clamd": "/usr/sbin/clamd",
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "soak" not in (config.option.markexpr or ""):
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("soak")])
        items[:] = [item for item in items if not item.get_closest_marker("soak")]


@pytest.fixture(autouse=True)
def _peers(request: pytest.FixtureRequest) -> None:
    for marker in request.node.iter_markers("peer"):
        for name in marker.args:
            path = _PROGRAMS.get(name)
            if (Path(path).exists() if path else shutil.which(name)) or os.environ.get("CI"):
                continue
            pytest.skip(f"{name} is not installed")
