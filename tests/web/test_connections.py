"""R-IN-06, R-UI-11, R-UI-15: connections to the web server that do nothing cost little and keep nobody from an answer."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from relay.config import Networks, Web
from relay.edge.counters import ProcessCounters
from relay.edge.web.app import build
from relay.edge.web.connections import WebConnections
from relay.edge.web.server import WebServer
from tests.support.fakes import LoopClock

GET = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"
BIG = b"x" * 8_000_000
UNFINISHED = {
    "nothing": b"",
    "half a head": b"GET /healthz HTTP/1.1\r\nHost",
    "half a body": b"POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nx",
    "an answer": GET % b"healthz",
    "an unread answer": GET % b"big",
    "half a second request": GET % b"healthz" + b"GET /he",
    "half a second body": GET % b"healthz" + b"POST /form HTTP/1.1\r\nContent-Length: 9\r\n\r\nx",
}


class Client:
    """A connection from an address of the loopback network, with a small receive buffer."""

    def __init__(self, port: int, address: str, content: bytes = b"") -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_304)
        self.socket.bind((address, 0))
        self.socket.connect(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.send(content)

    def send(self, content: bytes) -> None:
        self.socket.sendall(content)

    async def rest(self) -> bytes:
        """Returns all that comes until the server closes the connection."""
        rest = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := await asyncio.get_running_loop().sock_recv(self.socket, 65_536):
                rest += piece
        return rest


class Site:
    """A web server with limits, and its clients. `handled` are the paths that were answered by the application."""

    def __init__(self, limits: dict[str, Any], networks: Networks) -> None:
        self.refused: list[str] = []
        self.handled: list[str] = []
        self.counters = ProcessCounters(LoopClock())
        connections = WebConnections(Web(**limits), networks, self.counters, self.refused.append)
        routes = (Route("/big", self._big), Route("/form", self._form, methods=["POST"]), Route("/wait", self._wait))
        app = build(observer_render=lambda: b"metrics", ready=self._ready, links=routes)
        self.server = WebServer(app, "127.0.0.1", 0, connections)
        self.port = 0
        self.go = asyncio.Event()
        self._clients: list[Client] = []

    def connect(self, address: str = "127.0.0.1", content: bytes = b"") -> Client:
        client = Client(self.port, address, content)
        self._clients.append(client)
        return client

    async def ask(self, path: str, address: str = "127.0.0.1") -> bytes:
        """Returns the status line of an answer."""
        content = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        return (await self.connect(address, content).rest()).partition(b"\r\n")[0]

    async def settle(self, count: int) -> None:
        """Waits until the server has this many connections and has seen all that they have sent."""
        async with asyncio.timeout(20):
            while self.counters.taken("web", "") != count:
                await asyncio.sleep(0.005)
        for _ in range(20):
            await asyncio.sleep(0.001)

    def close(self) -> None:
        self.go.set()
        for client in self._clients:
            client.socket.close()

    async def _ready(self) -> None:
        return None

    async def _big(self, _: Request) -> Response:
        self.handled.append("/big")
        return Response(BIG)

    async def _form(self, request: Request) -> Response:
        self.handled.append("/form")
        return Response(await request.body())

    async def _wait(self, _: Request) -> Response:
        self.handled.append("/wait")
        await self.go.wait()
        return Response(b"done")


Open = Callable[..., Any]


@pytest.fixture
async def serve() -> AsyncIterator[Open]:
    async with contextlib.AsyncExitStack() as stack:

        async def opened(*, networks: Networks | None = None, **limits: Any) -> Site:
            site = Site(limits, networks or Networks())
            site.port = await site.server.start()
            stack.push_async_callback(site.server.stop)
            stack.callback(site.close)
            return site

        yield opened


@pytest.mark.parametrize("content", UNFINISHED.values(), ids=UNFINISHED)
@pytest.mark.parametrize("clients", [1, 40])
async def test_a_flood_of_idle_connections_starves_no_health_check(serve: Open, clients: int, content: bytes) -> None:
    site = await serve(connections=30, connections_per_client=20)
    for number in range(80):
        site.connect(f"127.0.1.{number % clients}", content)
        if number % 10 == 9:  # the backlog of the listening socket is as long
            await asyncio.sleep(0)
    for path in ("/healthz", "/readyz", "/metrics"):
        for address in ("127.0.0.1", "127.0.1.0"):
            assert await site.ask(path, address) == b"HTTP/1.1 200 OK"
    assert site.counters.taken("web", "") <= 30
    assert "connections" in site.refused


async def test_a_client_above_its_limit_loses_its_own_oldest_connection(serve: Open) -> None:
    site = await serve(connections=30, connections_per_client=2)
    other = site.connect("127.0.0.2")
    await site.settle(1)
    own = []
    for number in range(4):
        own.append(site.connect("127.0.0.1"))
        await site.settle(min(number + 2, 3))
    assert [await client.rest() for client in own[:2]] == [b"", b""]
    for client in (other, *own[2:]):
        client.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await client.rest()).startswith(b"HTTP/1.1 200")


async def test_requests_under_way_are_not_given_up(serve: Open) -> None:
    site = await serve(connections=3, connections_per_client=2)
    waiting = [site.connect(f"127.0.0.{host}", b"GET /wait HTTP/1.0\r\n\r\n") for host in (1, 1, 2)]
    async with asyncio.timeout(20):
        while len(site.handled) < 3:
            await asyncio.sleep(0.005)
    assert await site.connect("127.0.0.1").rest() == b""
    assert await site.connect("127.0.0.3").rest() == b""
    site.go.set()
    for client in waiting:
        assert (await client.rest()).endswith(b"done")


async def test_trusted_networks_and_front_hosts_have_no_limit(serve: Open) -> None:
    networks = Networks(trusted=("127.0.0.2/32",), front_hosts=("127.0.0.3/32",))
    site = await serve(connections=2, connections_per_client=1, networks=networks)
    free = [site.connect(f"127.0.0.{2 + number % 2}") for number in range(10)]
    await site.settle(10)
    assert site.refused == []
    for client in free:
        client.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await client.rest()).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("limit", "content", "reasons"),
    [
        ("head_s", UNFINISHED["nothing"], ["head"]),
        ("head_s", UNFINISHED["half a head"], ["head"]),
        ("head_s", UNFINISHED["half a second request"], ["head"]),
        ("body_s", UNFINISHED["half a body"], ["body"]),
        ("body_s", UNFINISHED["half a second body"], ["body"]),
        ("answer_s", GET % b"wait", ["answer"]),
        ("idle_s", UNFINISHED["an answer"], []),
    ],
)
async def test_each_step_has_its_own_time(serve: Open, limit: str, content: bytes, reasons: list[str]) -> None:
    site = await serve(**{limit: 0.05})
    await site.connect(content=content).rest()
    await site.settle(0)
    assert site.refused == reasons


@pytest.mark.parametrize(
    "content",
    [b"GET /he", GET % b"healthz", b"POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\nhe"],
    ids=["within a head", "between requests", "within a body"],
)
async def test_a_byte_now_and_then_lengthens_no_step(serve: Open, content: bytes) -> None:
    site = await serve(head_s=0.1, idle_s=0.1, body_s=0.1)
    client = site.connect(content=content)
    rest = asyncio.create_task(client.rest())
    with contextlib.suppress(OSError):
        while not rest.done():
            client.send(b"a" if content.endswith(b"e") else b"\r\n")
            await asyncio.sleep(0.01)
    await rest


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_a_client_that_does_not_read_its_answer_is_gone(serve: Open, version: str) -> None:
    site = await serve(answer_s=0.2)
    site.connect(content=f"GET /big HTTP/{version}\r\nHost: x\r\n\r\n".encode())
    async with asyncio.timeout(20):
        while site.handled != ["/big"] or server_sides(site.port):
            await asyncio.sleep(0.005)
    assert site.counters.taken("web", "") == 0
    assert site.refused == ["answer"]


def server_sides(port: int) -> int:
    """Counts the open sockets of accepted connections of this port."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] != "0A" and row[9] != "0" for row in rows)


async def test_a_pipeline_of_requests_is_short(serve: Open) -> None:
    site = await serve()
    client = site.connect(content=GET % b"wait" * 1_000)
    assert b"wait" not in await client.rest()
    assert len(site.handled) <= 1


@pytest.mark.parametrize("pattern", [b"x\r\nA: " + b"x" * 50, b"x" * 50], ids=["many fields", "one field"])
async def test_a_head_without_end_is_not_kept(serve: Open, pattern: bytes) -> None:
    site = await serve()
    client = site.connect(content=b"GET / HTTP/1.1\r\nB: ")
    with contextlib.suppress(OSError):
        for _ in range(2_000):
            await asyncio.get_running_loop().sock_sendall(client.socket, pattern * 20)
    await client.rest()
    assert site.refused == ["head"]


async def test_requests_of_a_small_pipeline_are_answered_in_order(serve: Open) -> None:
    site = await serve()
    client = site.connect(content=GET % b"healthz" + GET % b"readyz" + b"GET /metrics HTTP/1.0\r\n\r\n")
    assert (await client.rest()).count(b"HTTP/1.1 200 OK") == 3
