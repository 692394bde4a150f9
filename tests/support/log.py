"""Captures the log as an operator reads it: JSON, through the processors that `relay serve` configures."""

import io
import json
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Literal

import structlog

from relay.config import Log
from relay.edge.observe import configure_logging


class CapturedLog:
    """The log lines so far."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    def lines(self, event: str | None = None, **fields: object) -> list[dict[str, Any]]:
        """Returns the entries of this event with these fields, the oldest first."""
        entries = [json.loads(line) for line in self.text.splitlines()]
        return [
            entry
            for entry in entries
            if event in (None, entry["event"]) and all(entry.get(name) == value for name, value in fields.items())
        ]


@contextmanager
def captured_log(level: Literal["debug", "info"] = "info") -> Iterator[CapturedLog]:
    """Captures the entries of the relay and of libraries. Restores the logging configuration at the end."""
    root, log = logging.getLogger(), CapturedLog()
    handlers, root_level = [*root.handlers], root.level
    driver = logging.getLogger("asyncpg")
    driver_level = driver.level
    for handler in handlers:  # pytest's own would be closed
        root.removeHandler(handler)
    configure_logging(Log(format="json", level=level), log.stream)
    structlog.configure(cache_logger_on_first_use=False)
    _forget_configured_loggers()
    try:
        yield log
    finally:
        structlog.reset_defaults()
        logging.captureWarnings(capture=False)
        for handler in [*root.handlers]:
            root.removeHandler(handler)
        for handler in handlers:
            root.addHandler(handler)
        root.setLevel(root_level)
        driver.setLevel(driver_level)


def _forget_configured_loggers() -> None:
    """Lets each logger of the relay take the present configuration.

    A command that configured the log in this process (`relay serve` in a test) has left loggers that keep the first one.
    """
    proxy = type(structlog.get_logger())
    for name, module in [*sys.modules.items()]:
        if name.startswith("relay"):
            for value in vars(module).values():
                if isinstance(value, proxy):
                    vars(value).pop("bind", None)


@cache
def documented() -> dict[str, frozenset[str]]:
    """Returns the fields of each event, as `docs/observability.md` names them."""
    page = (Path(__file__).parents[2] / "docs/observability.md").read_text(encoding="utf-8").partition("## Metrics")[0]
    rows = re.findall(r"^\| (`[^|]*) \| ((?:info|warning|error|debug)[^|]*) \|([^|]*)\|", page, re.MULTILINE)
    return {
        event: frozenset(re.findall(r"`([^`]+)`", fields))
        for events, _, fields in rows
        for event in re.findall(r"`([^`]+)`", events)
    }


def undocumented(log: CapturedLog) -> set[tuple[str, str]]:
    """Returns the (event, field) pairs of the log that the page does not name."""
    common = {"at", "level", "event", "exception", "location"}
    return {
        (line["event"], field)
        for line in log.lines()
        for field in line.keys() - common - documented().get(line["event"], frozenset())
    }
