"""What every test shares: real peers fail in CI when they are missing; outside they skip and say so."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import scanners, scores

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


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before the fixtures that start a peer."""
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
