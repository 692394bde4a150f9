"""What the tests of core say at their end."""

import pytest

from tests.support import scores


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = list(scores.lines())
    if lines:
        terminalreporter.section("content rules over tests/golden/policy")
        for line in lines:
            terminalreporter.write_line(line)
