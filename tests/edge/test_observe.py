"""Metrics that are declared, and logs in which no address survives (R-UI-11)."""

import ast
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from relay.edge.observe import COUNTERS, DURATIONS, PrometheusObserver, redact
from tests.support.narrowing import not_none

ROOT = Path(__file__).parents[2]
TALKATIVE = """
import logging, warnings
import structlog
from relay.config import Log
from relay.edge.observe import configure_logging
configure_logging(Log(format={form!r}, level="debug"))
log = structlog.get_logger()
log.info("mail", to="alice@private.example", peers=["Bob <bob@private.example>", {{"x": b"carol@private.example"}}])
log.warning("positional %s", "dave@private.example")
try:
    try:
        raise ValueError("erin@private.example")
    except ValueError as error:
        raise RuntimeError("no such mailbox: frank@private.example") from error
except RuntimeError:
    log.exception("failed", item="0f3a")
    logging.getLogger("library").exception("failed for %s", "grace@private.example")
logging.getLogger("library").warning("to %s", ("heidi@private.example",))
logging.getLogger("mail.log").info("RCPT TO:<ivan@private.example>")
warnings.warn("judy@private.example")
structlog.contextvars.bind_contextvars(sender="mallory@private.example")
log.error("bound")
"""


def _written(form: str) -> str:
    done = subprocess.run([sys.executable, "-c", TALKATIVE.format(form=form)], capture_output=True, check=True)
    assert done.stdout == b"", "standard output belongs to the ready line"
    return done.stderr.decode()


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_address_reaches_the_log_by_any_way(form: str) -> None:
    written = _written(form)
    assert "private" not in written
    assert written.count("<address>") >= 8


def test_a_log_line_is_one_json_object_with_its_words_kept() -> None:
    entries = [json.loads(line) for line in _written("json").splitlines()]
    first, failed = entries[0], next(entry for entry in entries if entry.get("item"))
    assert (first["event"], first["level"], first["to"]) == ("mail", "info", "<address>")
    assert first["at"].endswith("Z")
    assert failed["item"] == "0f3a"
    assert "RuntimeError: no such mailbox: <address>" in failed["exception"]


@pytest.mark.parametrize(
    "text",
    [
        "a.b+c@d.example",
        "Alice<alice@d.example>",
        "o'brien@d.example",
        "mailto:a%2Bb%40d.example?subject=x",
        '"john smith"@d.example',
        "山田@例え.jp",
        "a＠d.example",
        "a..b@docomo.ne.jp",
        "x=a@d.example",
        "a@b@c.example",
        "postgresql://user:secret@d.example/name",
        "RCPT TO:<a@d.example> SIZE=3",
        "(a@d.example)",
    ],
)
def test_what_looks_like_an_address_is_replaced(text: str) -> None:
    cleaned = redact(text)
    assert "<address>" in cleaned
    for secret in ("d.example", "brien", "alice@", "smith", "例え", "docomo", "c.example", "secret"):
        assert secret not in cleaned


@given(st.from_regex(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,20}", fullmatch=True), st.sampled_from([" ", "<", "to:", "("]))
def test_no_local_part_survives(local: str, before: str) -> None:
    assert redact(f"{before}{local}@host.example and more") == f"{before}<address> and more"


def test_what_is_no_address_stays() -> None:
    entry = {
        "port": 25,
        "ok": True,
        "none": None,
        "at": "2026-01-01T00:00:00Z",
        "text": "550 5.1.1 no @ here",
        "f": 0.5,
    }
    assert redact(entry) == entry


def test_a_long_text_costs_one_pass() -> None:
    # Quadratic, this would run into the test's time limit.
    redact("a" * 3_000_000 + " " + '"' * 300_000)


# ---------------------------------------------------------------- metrics


def _used(method: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Metric and label names in the calls `....observer.<method>("name", ...)` of the whole relay."""
    for path in (ROOT / "relay").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method):
                continue
            if re.search(r"observer$", ast.unparse(node.func.value)):
                assert isinstance(node.args[0], ast.Constant), f"{path}: a metric's name is a literal"
                name, labels = node.args[0].value, [keyword.arg for keyword in node.keywords]
                assert isinstance(name, str)
                yield name, tuple(not_none(label) for label in labels)


def test_every_metric_that_is_counted_is_declared_with_its_labels() -> None:
    used = set(_used("count"))
    assert used, "the search finds nothing"
    assert {(name, frozenset(labels)) for name, labels in used} == {
        (name, frozenset(metric.labels)) for name, metric in COUNTERS.items()
    }
    assert {name for name, _ in _used("duration_s")} == set(DURATIONS)


def test_a_misspelt_metric_or_label_raises() -> None:
    observer = PrometheusObserver()
    with pytest.raises(KeyError):
        observer.count("deliverys", state="accepted", kind="relay", reason="none")
    with pytest.raises(ValueError):
        observer.count("deliveries", stat="accepted", kind="relay", reason="none")
    with pytest.raises(KeyError):
        observer.duration_s("deliveries", 1)


def test_what_is_counted_is_on_the_page_with_our_prefix() -> None:
    observer = PrometheusObserver()
    observer.count("deliveries", state="accepted", kind="relay", reason="none")
    observer.count("deliveries", state="accepted", kind="relay", reason="none")
    observer.count("parked")
    observer.duration_s("smtp_in_commit_seconds", 0.02)
    samples = {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(observer.render().decode())
        for sample in family.samples
    }
    assert samples["relay_deliveries_total", frozenset({"accepted", "relay", "none"})] == 2
    assert samples["relay_parked_total", frozenset()] == 1
    assert samples["relay_smtp_in_commit_seconds_count", frozenset()] == 1
    assert ("relay_build_info", frozenset({"0.1.0"})) in samples


def test_two_observers_do_not_meet() -> None:
    one, other = PrometheusObserver(), PrometheusObserver()
    one.count("parked")
    assert b"relay_parked_total 0.0" in other.render()


def test_logging_is_left_as_it_was_by_importing() -> None:
    assert logging.getLogger("mail.log").level == logging.NOTSET
