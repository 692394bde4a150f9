"""Metrics whose labels have few values, and logs from which every mail address is removed (R-UI-11)."""

import json
import logging
import re
import sys
import traceback
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

import msgspec
import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, Info, ProcessCollector, generate_latest

from relay import __version__
from relay.config import Log

# ---------------------------------------------------------------- metrics

_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Metric:
    """The help text of a metric and the names of its labels."""

    help: str
    labels: tuple[str, ...] = ()


COUNTERS: Final[Mapping[str, Metric]] = {
    "smtp_in_connections": Metric("Connections accepted, by kind of port.", ("port",)),
    "smtp_in_refused": Metric("Connections refused or ended by a limit, by its name.", ("port", "reason")),
    "web_refused": Metric("Connections to the web server that a limit ended, by its name.", ("reason",)),
    "smtp_in_answers": Metric("Answers after DATA, by class of code.", ("port", "code")),
    "smtp_in_unknown_recipients": Metric("RCPT commands for addresses that do not exist.", ("port",)),
    "authentications": Metric("Mails without a login, by method and its result.", ("method", "result")),
    "delivery_attempts": Metric(
        "Transactions with other servers, by outcome and phase of their end.", ("outcome", "phase")
    ),
    "delivery_connections": Metric("Connections made to other servers, by TLS version.", ("tls",)),
    "delivery_lanes": Metric(
        "Lanes that shrank to one after a time-out, and that a quick answer opened again.", ("lane", "change")
    ),
    "delivery_cuts": Metric("Slow deliveries that were cut off, because there were too many of them at once."),
    "bounces": Metric(
        "Mails to a return path, by the confirmed reason that they gave or why they changed nothing.", ("outcome",)
    ),
    "scans": Metric("Messages given to a scanner, by its result.", ("scanner", "outcome")),
    "links": Metric("Uses of signed links, by purpose and outcome.", ("purpose", "outcome")),
    "messages": Metric("Records that were accepted, by action.", ("action",)),
    "verdicts": Metric("Reasons and warnings of accepted records; `none` for a record without.", ("action", "reason")),
    "refusals": Metric("Recipients that were refused at RCPT or after DATA.", ("stage", "reason")),
    "deliveries": Metric("Attempts to send, by the item's new state and the reason.", ("kind", "state", "reason")),
    "notices": Metric("Notices that were queued.", ("type", "reason")),
    "sign_ins": Metric("AUTH commands with a user name and a password.", ("outcome",)),
    "parked": Metric("Items that cannot be read and need a person."),
    "store_put_off": Metric(
        "Operations of the store that failed for now, by SQLSTATE class or SQLite's name.", ("code",)
    ),
    "heavy_work": Metric("Pieces of work on heavy mail given to worker processes, by outcome.", ("outcome",)),
    "heavy_workers_started": Metric("Worker processes for heavy mail that were started."),
    "internal_errors": Metric("Unforeseen errors; each has a log entry with its traceback.", ("where",)),
}
DURATIONS: Final[Mapping[str, Metric]] = {
    "smtp_in_commit_seconds": Metric("Time from the final dot to the durable answer."),
    "heavy_work_wait_seconds": Metric("Time that a piece of work on heavy mail waits for a worker process."),
    "heavy_work_seconds": Metric("Time of one piece of work on heavy mail in its worker process."),
    "delivery_seconds": Metric("Time of one attempt to send, from look-up to answer."),
}


class PrometheusObserver:
    """Implements `ports.Observer`.

    A metric that is not in the tables raises KeyError, and an unknown label raises ValueError. A test checks that every
    name in the code is in the tables.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        Info("relay_build", "The running version.", registry=self._registry).info({"version": __version__})
        self._counters = {
            name: Counter(f"relay_{name}", metric.help, metric.labels, registry=self._registry)
            for name, metric in COUNTERS.items()
        }
        # In prometheus-client it takes longer to find the counter for some labels than to increase it.
        self._children: dict[tuple[str, tuple[tuple[str, str], ...]], Counter] = {}
        self._durations = {
            name: Histogram(f"relay_{name}", metric.help, metric.labels, buckets=_BUCKETS_S, registry=self._registry)
            for name, metric in DURATIONS.items()
        }

    def count(self, metric: str, **labels: str) -> None:
        child = self._children.get(key := (metric, tuple(labels.items())))
        if child is None:
            counter = self._counters[metric]
            child = self._children[key] = counter.labels(**labels) if labels else counter
        child.inc()

    def duration_s(self, metric: str, seconds: float) -> None:
        self._durations[metric].observe(seconds)

    def render(self) -> bytes:
        """Returns the metrics page in Prometheus' text format."""
        return generate_latest(self._registry)


# ---------------------------------------------------------------- logs

_REDACTED: Final = "<address>"
_TOKEN: Final = r"[^\s@＠<>()\[\],;:\"\\]"  # noqa: S105 - a pattern
# The pattern is possessive and anchored at a token's start, so that a text without a match costs one pass.
_ADDRESS: Final = re.compile(
    rf'(?:"[^"\n]{{0,64}}"|(?<!{_TOKEN})(?>(?:(?!%40){_TOKEN})+))(?>(?:(?:@|＠|%40){_TOKEN}++)+)', re.IGNORECASE
)


def redact(value: Any) -> Any:
    """Returns `value` without the tokens that look like a mail address, at any depth of lists and mappings.

    An object of any other type becomes text.
    """
    if isinstance(value, str):
        # Searching for an at sign takes far less time than the pattern, and most texts have no at sign.
        holds_one = "@" in value or "＠" in value or "%40" in value
        return _ADDRESS.sub(_REDACTED, value) if holds_one else str(value)
    match value:
        case None | bool() | int() | float():
            return value
        case bytes():
            return redact(value.decode("utf-8", "backslashreplace"))
        case Mapping():
            return {redact(key): redact(one) for key, one in value.items()}
        case list() | tuple() | set() | frozenset():
            return [redact(one) for one in value]
        case _:
            return redact(str(value))


RESERVED: Final = frozenset({"event", "level", "at", "exception", "location"})
"""The keys that the processors below set. A log call must not use them, because its value would be lost."""


def configure_logging(log: Log, stream: TextIO | None = None) -> None:
    """Writes the log entries of the relay and of its libraries to `stream`, without mail addresses.

    `stream` is standard error by default. The addresses are removed in the last step, so that they are also removed
    from the texts of exceptions.
    """
    stream = stream or sys.stderr
    level = logging.getLevelNamesMapping()[log.level.upper()]
    enrich: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _traced,
    ]
    render: structlog.typing.Processor
    if log.format == "json":
        render = structlog.processors.JSONRenderer(serializer=_json)
    else:
        render = structlog.dev.ConsoleRenderer(colors=stream.isatty())
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=enrich,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _redacted, render],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    # Below WARNING the libraries log the data that they carry: commands, requests and answers.
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
    logging.captureWarnings(capture=True)
    # asyncpg logs a traceback for each failed connection; the store logs once that the server is unavailable.
    logging.getLogger("asyncpg").setLevel(logging.CRITICAL)
    # The relay's own entries do not use the libraries' handler, because it takes as long as all other steps together.
    structlog.configure(
        processors=[*enrich, _redacted, render],
        logger_factory=structlog.WriteLoggerFactory(stream),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )


def _redacted(_: Any, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Returns the entry without mail addresses, and with time, level and event first.

    People read a log entry in this order.
    """
    first = {key: redact(entry.pop(key, None)) for key in ("at", "level", "event")}
    return first | {key: redact(value) for key, value in entry.items()}


def _json(entry: Any, **_: Any) -> str:
    try:
        return msgspec.json.encode(entry).decode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return json.dumps(entry)


# ---------------------------------------------------------------- tracebacks

_QUOTED: Final = re.compile(r"""['"].*['"]""")
"""Matches from the first quote to the last one, so that an apostrophe between them does not end the match early."""
_NAMES_CODE: Final = (AttributeError, TypeError, NameError, ImportError)
"""Errors whose quoted texts are names in the source code. The quoted texts of other errors may come from a mail."""
_LONGEST_CHAIN: Final = 10
_PACKAGE: Final = Path(__file__).parents[1]


def _traced(_: Any, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Returns the entry with its exception as text.

    `exception` is the traceback, and `location` the innermost line of the relay's code in it.
    """
    error = entry.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        entry["exception"] = "\n".join(reversed([*_chain(error)]))
        entry["location"] = _location(error)
    return entry


def _chain(error: BaseException | None) -> Iterator[str]:
    """Yields the tracebacks of an exception and of its causes, without data from mail.

    The outermost exception is first.
    """
    for _ in range(_LONGEST_CHAIN):
        if error is None:
            return
        frames = "".join(traceback.format_tb(error.__traceback__))
        yield f"Traceback (most recent call last):\n{frames}{type(error).__qualname__}: {_words(error)}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _words(error: BaseException) -> str:
    """Returns the first line of an exception's text, without quoted parts.

    Other lines are left out, because a database's error has the values of a row there.
    """
    try:
        line = next(iter(str(error).splitlines()), "")
    except Exception:  # noqa: BLE001 - an exception that cannot be shown is shown without its text
        return ""
    return line if isinstance(error, _NAMES_CODE) else _QUOTED.sub("<quoted>", line)


def _location(error: BaseException) -> str:
    """Returns the innermost frame of this package as file, line and function.

    If the package has no frame in the traceback, the result is the innermost frame of all.
    """
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)] or frames
    if not ours:
        return ""
    path = Path(ours[-1].filename)
    shown = path.relative_to(_PACKAGE.parent) if path.is_relative_to(_PACKAGE) else Path(path.name)
    return f"{shown}:{ours[-1].lineno} {ours[-1].name}"
