"""What the relay shows of itself: metrics with few-valued labels, and logs in which no address survives (R-UI-11)."""

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
    help: str
    labels: tuple[str, ...] = ()


COUNTERS: Final[Mapping[str, Metric]] = {
    "smtp_in_connections": Metric("Connections taken, by kind of port.", ("port",)),
    "smtp_in_refused": Metric("Connections refused or ended by a limit, by its name.", ("port", "reason")),
    "smtp_in_answers": Metric("Answers after DATA, by class of code.", ("port", "code")),
    "smtp_in_unknown_recipients": Metric("RCPT commands for addresses that do not exist.", ("port",)),
    "authentications": Metric("Mails without a login, by method and what it found.", ("method", "result")),
    "delivery_attempts": Metric(
        "Transactions tried with other servers, by how and where they ended.", ("outcome", "phase")
    ),
    "delivery_connections": Metric("Connections made to other servers, by TLS version.", ("tls",)),
    "bounces": Metric("Mails to a return path, by the reason that they gave or why they were ignored.", ("outcome",)),
    "scans": Metric("Messages given to a scanner, by what it said.", ("scanner", "outcome")),
    "links": Metric("Uses of signed links, by what they are for and what came of it.", ("purpose", "outcome")),
    "messages": Metric("Records that were accepted, by what is done with them.", ("action",)),
    "verdicts": Metric("Reasons and warnings of accepted records; `none` for a record without.", ("action", "reason")),
    "refusals": Metric("Recipients that were refused at RCPT or after DATA.", ("stage", "reason")),
    "deliveries": Metric("Attempts to send, by what the item became and why.", ("kind", "state", "reason")),
    "notices": Metric("Notices that were queued.", ("type", "reason")),
    "sign_ins": Metric("AUTH commands with a user name and a password.", ("outcome",)),
    "parked": Metric("Items that cannot be read and wait for a person."),
    "store_put_off": Metric("Operations that the store could not do, by SQLSTATE class or SQLite's name.", ("code",)),
    "internal_errors": Metric("Errors that nobody foresaw; each has a log entry with its traceback.", ("where",)),
}
DURATIONS: Final[Mapping[str, Metric]] = {
    "smtp_in_commit_seconds": Metric("From the final dot to the durable answer."),
    "delivery_seconds": Metric("One attempt to send, from look-up to answer."),
}


class PrometheusObserver:
    """`ports.Observer`. A metric or label that the tables do not name raises KeyError or ValueError: a test finds every
    name that is used in them."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        Info("relay_build", "The running version.", registry=self._registry).info({"version": __version__})
        self._counters = {
            name: Counter(f"relay_{name}", metric.help, metric.labels, registry=self._registry)
            for name, metric in COUNTERS.items()
        }
        # Finding a labelled child takes prometheus-client longer than counting in it.
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
        """The page for the scraper, in Prometheus' text format."""
        return generate_latest(self._registry)


# ---------------------------------------------------------------- logs

_REDACTED: Final = "<address>"
_TOKEN: Final = r"[^\s@＠<>()\[\],;:\"\\]"  # noqa: S105 - a pattern
# Possessive and anchored at a token's start, so that a long text without a hit costs one pass.
_ADDRESS: Final = re.compile(
    rf'(?:"[^"\n]{{0,64}}"|(?<!{_TOKEN})(?>(?:(?!%40){_TOKEN})+))(?>(?:(?:@|＠|%40){_TOKEN}++)+)', re.IGNORECASE
)


def redact(value: Any) -> Any:
    """`value` with every token that looks like a mail address replaced, however deep; other objects become text."""
    if isinstance(value, str):
        # A look for an at sign costs far less than the pattern, and most texts have none.
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
"""The keys that the processors below fill: an entry's own value under one of them would be lost."""


def configure_logging(log: Log, stream: TextIO | None = None) -> None:
    """One stream, by default standard error, for our own entries and those of the libraries; each redacted just before
    it is written, texts of exceptions included."""
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
    # Below WARNING the libraries repeat what they carry: commands, requests, the other side's answers.
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
    logging.captureWarnings(capture=True)
    # Its pool tells each failed connection with a traceback; the store says once that the server is unavailable.
    logging.getLogger("asyncpg").setLevel(logging.CRITICAL)
    # Our own entries are written at once: the way through the libraries' handler costs as much as all the rest.
    structlog.configure(
        processors=[*enrich, _redacted, render],
        logger_factory=structlog.WriteLoggerFactory(stream),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )


def _redacted(_: Any, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The entry, redacted, with when, how grave and what first: that is how a log is read."""
    first = {key: redact(entry.pop(key, None)) for key in ("at", "level", "event")}
    return first | {key: redact(value) for key, value in entry.items()}


def _json(entry: Any, **_: Any) -> str:
    try:
        return msgspec.json.encode(entry).decode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return json.dumps(entry)


# ---------------------------------------------------------------- tracebacks

_QUOTED: Final = re.compile(r"""['"].*['"]""")
"""From the first quote to the last: an apostrophe between them must not end it early."""
_NAMES_CODE: Final = (AttributeError, TypeError, NameError, ImportError)
"""What these quote are names in our source; what others quote may come from a mail."""
_LONGEST_CHAIN: Final = 10
_PACKAGE: Final = Path(__file__).parents[1]


def _traced(_: Any, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Puts an exception into the entry: `exception` is its traceback, `location` the innermost line of ours in it."""
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
    """An exception and its causes, the outermost first, each as Python prints it but with words that tell no data."""
    for _ in range(_LONGEST_CHAIN):
        if error is None:
            return
        frames = "".join(traceback.format_tb(error.__traceback__))
        yield f"Traceback (most recent call last):\n{frames}{type(error).__qualname__}: {_words(error)}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _words(error: BaseException) -> str:
    """The first line of the text, as a database's detail is in those that follow, and without what it quotes."""
    try:
        line = next(iter(str(error).splitlines()), "")
    except Exception:  # noqa: BLE001 - an exception that cannot be shown is shown without its text
        return ""
    return line if isinstance(error, _NAMES_CODE) else _QUOTED.sub("<quoted>", line)


def _location(error: BaseException) -> str:
    """The innermost frame in this package, or of all where there is none: file, line, function."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)] or frames
    if not ours:
        return ""
    path = Path(ours[-1].filename)
    shown = path.relative_to(_PACKAGE.parent) if path.is_relative_to(_PACKAGE) else Path(path.name)
    return f"{shown}:{ours[-1].lineno} {ours[-1].name}"
