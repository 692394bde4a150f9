"""What the relay shows of itself: metrics with few-valued labels, and logs in which no address survives (R-UI-11)."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

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
    "bounces": Metric("Mails to a return path, by what they told.", ("outcome",)),
    "scans": Metric("Messages given to a scanner, by what it said.", ("scanner", "outcome")),
    "links": Metric("Uses of signed links, by what they are for and what came of it.", ("purpose", "outcome")),
    "settled": Metric("Attempts to send, by what the item became.", ("state", "kind")),
    "parked": Metric("Items that cannot be read and wait for a person."),
    "internal_errors": Metric("Errors that nobody foresaw; each has a log entry.", ("where",)),
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
            return _ADDRESS.sub(_REDACTED, str(value))


def configure_logging(log: Log) -> None:
    """One stream, standard error, for our own entries and those of the libraries; each redacted just before it is
    written, texts of exceptions included."""
    level = logging.getLevelNamesMapping()[log.level.upper()]
    enrich: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
    ]
    render: structlog.typing.Processor
    if log.format == "json":
        render = structlog.processors.JSONRenderer(ensure_ascii=False)
    else:
        render = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=enrich,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _redacted, render],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.captureWarnings(capture=True)
    # At INFO the SMTP server's library tells each command, the web server's its own coming and going, the web client's
    # each request.
    for library in ("mail", "uvicorn", "httpx2"):
        logging.getLogger(library).setLevel(max(level, logging.WARNING))
    structlog.configure(
        processors=[*enrich, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )


def _redacted(_: Any, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: redact(value) for key, value in entry.items()}
