"""Health, readiness and metrics: what they answer, and what they never hold."""

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from relay.edge.web.app import build
from relay.edge.web.server import WebServer

Ready = Callable[[], Awaitable[str | None]]


async def _ready() -> str | None:
    return None


async def _store_full() -> str | None:
    return "store_full"


async def _broken() -> str | None:
    raise RuntimeError("seller@shop.example is not in the table")


def _client(*, ready: Ready = _ready, render: Callable[[], bytes] = lambda: b"") -> TestClient:
    return TestClient(build(observer_render=render, ready=ready))


# R-UI-11
def test_health_is_ok_while_the_process_is_up_whatever_the_store_does() -> None:
    for ready in (_ready, _store_full, _broken):
        answer = _client(ready=ready).get("/healthz")
        assert (answer.status_code, answer.text) == (200, "ok\n")


# R-UI-11
@pytest.mark.parametrize(
    ("ready", "status", "word"), [(_ready, 200, "ok"), (_store_full, 503, "store_full"), (_broken, 503, "internal")]
)
def test_readiness_says_in_one_word_why_not(ready: Ready, status: int, word: str) -> None:
    answer = _client(ready=ready).get("/readyz")
    assert (answer.status_code, answer.text) == (status, f"{word}\n")
    assert answer.headers["cache-control"] == "no-store"


# R-UI-11
def test_metrics_are_prometheus_text() -> None:
    registry = CollectorRegistry()
    Counter("relay_accepted", "Messages answered 250.", ["port"], registry=registry).labels("mx").inc(3)
    answer = _client(render=lambda: generate_latest(registry)).get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    samples = {
        (sample.name, sample.labels.get("port")): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert samples["relay_accepted_total", "mx"] == 3


# R-UI-11, privacy
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/seller@shop.example", "/"])
def test_no_answer_holds_an_address(path: str) -> None:
    answer = _client(ready=_broken).get(path, headers={"Referer": "http://x/?m=bob@mail.example"})
    assert "@" not in answer.text
    assert not any("@" in value for value in answer.headers.values())


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/no-such-page"])
def test_every_answer_carries_the_security_headers(path: str) -> None:
    headers = _client().get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "server" not in headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_the_pages_are_for_reading_only(method: str) -> None:
    assert _client().request(method, "/metrics").status_code == 405


async def _get(port: int, path: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


# R-UI-15
async def test_port_0_takes_a_free_port_and_says_which() -> None:
    server = WebServer(build(observer_render=lambda: b"", ready=_ready), "127.0.0.1", 0)
    port = await server.start()
    try:
        assert port > 0
        assert (await _get(port, "/healthz")).startswith(b"HTTP/1.1 200 OK\r\n")
    finally:
        await server.stop()
    with pytest.raises(ConnectionRefusedError):
        await _get(port, "/healthz")


async def test_a_port_in_use_is_a_clear_error_of_the_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = WebServer(build(observer_render=lambda: b"", ready=_ready), "127.0.0.1", port)
        with pytest.raises(OSError, match=rf"web: cannot listen on 127.0.0.1 port {port}: the port is in use"):
            await server.start()
        await server.stop()


async def test_an_unknown_host_is_a_clear_error_of_the_start() -> None:
    server = WebServer(build(observer_render=lambda: b"", ready=_ready), "256.1.1.1", 0)
    with pytest.raises(OSError, match=r"web: cannot listen on 256\.1\.1\.1 port 0"):
        await server.start()


# R-UI-11
async def test_the_daemon_keeps_its_own_signal_handlers() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    server = WebServer(build(observer_render=lambda: b"", ready=_ready), "127.0.0.1", 0)
    await server.start()
    try:
        assert {number: signal.getsignal(number) for number in before} == before
    finally:
        await server.stop()


async def test_a_request_under_way_is_answered_before_the_stop() -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def slow() -> str | None:
        asked.set()
        await go.wait()
        return None

    server = WebServer(build(observer_render=lambda: b"", ready=slow), "127.0.0.1", 0)
    port = await server.start()
    answer = asyncio.create_task(_get(port, "/readyz"))
    await asked.wait()
    stopping = asyncio.create_task(server.stop())
    await asyncio.sleep(0)
    go.set()
    assert (await answer).startswith(b"HTTP/1.1 200 OK\r\n")
    await stopping
