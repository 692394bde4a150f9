"""Hooks and fixtures that all tests share. Tests of a real peer that is not installed fail in CI and skip elsewhere.

Tests with one of the markers in `_ON_REQUEST` run only where the command names the marker (`-m more`).
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import scanners, scores, suites

_PROGRAMS = {
    "postfix": "/usr/sbin/postfix",
    "postgresql": "/usr/lib/postgresql",
    "dovecot": "/usr/sbin/dovecot",
    "clamd": "/usr/sbin/clamd",
    "mail readers": "tests/support/readers/node_modules",
}
_ON_REQUEST = ("more", "soak")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [name for name in _ON_REQUEST if name not in (config.option.markexpr or "")]
    deselected = {item for item in items if any(map(item.get_closest_marker, left_out))}
    config.hook.pytest_deselected(items=list(deselected))
    items[:] = [item for item in items if item not in deselected]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips tests of a missing peer before the fixtures that start it."""
    for marker in item.iter_markers("peer"):
        for name in marker.args:
            path = _PROGRAMS.get(name)
            if (Path(path).exists() if path else shutil.which(name)) or os.environ.get("CI"):
                continue
            pytest.skip(f"{name} is not installed")


@pytest.fixture(scope="session")
def clam() -> Iterator[scanners.Clamd]:
    with scanners.clamd() as running:
        yield running


@pytest.fixture(scope="session")
def rspamd_url() -> Iterator[str]:
    with scanners.rspamd() as url:
        yield url


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """From the reports, which come here from other processes too."""
    tried = (one for how in ("passed", "failed") for one in terminalreporter.getreports(how) if one.when == "call")
    lines = list(scores.lines(tried))
    if lines:
        terminalreporter.section("content rules over tests/golden/policy")
        for line in lines:
            terminalreporter.write_line(line)
    if missing := suites.closing_line(terminalreporter.getreports("skipped")):
        terminalreporter.write_line(missing)
