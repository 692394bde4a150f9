"""uvicorn inside the daemon's event loop. The daemon keeps the control of signals, logs and the port.

`start()` opens the port before it returns, so that a port in use fails the start and not the first request.
"""

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from relay import config
from relay.edge.counters import ProcessCounters
from relay.edge.system import SystemClock
from relay.edge.web.connections import ServerConfig, WebConnections

_STOP_S = 5


class WebServer:
    """One listening socket for one ASGI application. Without `connections` it has the default limits."""

    def __init__(self, app: ASGIApp, host: str, port: int, connections: WebConnections | None = None) -> None:
        self._host, self._port = host, port
        self._server = _Server(
            ServerConfig(
                app,
                connections or _with_shipped_limits(),
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="error",  # a malformed request is not worth a log line, because anybody can send many
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=_STOP_S,
            )
        )
        self._listening: socket.socket | None = None
        self._serving: asyncio.Task[None] | None = None

    async def bind(self) -> int:
        """Opens the port and returns its number. Port 0 means any free port.

        Raises OSError with a text that names the fix. A second call returns the same number.
        """
        if self._listening is None:
            self._listening = await self._bound()
        port: int = self._listening.getsockname()[1]
        return port

    async def start(self) -> int:
        """Opens the port unless `bind` has opened it, starts to answer requests, and returns the port.

        Raises OSError with a text that names the fix.
        """
        port = await self.bind()
        assert self._listening is not None
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._listening]), name="web")
        await self._server.ready.wait()
        return port

    async def stop(self) -> None:
        """Finishes the running requests, then closes the port. It may be called twice, and before `start`."""
        if self._serving:
            self._server.should_exit = True
            await self._serving
            self._serving = None
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    async def _bound(self) -> socket.socket:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            family, _, _, _, address = found[0]
            return socket.create_server((str(address[0]), self._port), family=family)
        except OSError as error:
            why = "the port is in use" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
            raise OSError(
                error.errno, f"web: cannot listen on {self._host} port {self._port}: {why}; choose another host or port"
            ) from error


def _with_shipped_limits() -> WebConnections:
    return WebConnections(config.Web(), config.Networks(), ProcessCounters(SystemClock()), lambda _reason: None)


class _Server(uvicorn.Server):
    def __init__(self, settings: ServerConfig) -> None:
        super().__init__(settings)
        self.ready = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Installs no signal handlers, because `relay.app` handles the signals and stops all parts in its own order."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()
