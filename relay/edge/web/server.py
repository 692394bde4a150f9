"""uvicorn inside our own event loop: the daemon keeps its signals, its logs and its port.

`start()` binds before it returns, so that a port in use is an error of the start and not of the first request.
"""

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

_STOP_S = 5
_CONNECTIONS = 200


class WebServer:
    """One listening socket for one ASGI application."""

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._server = _Server(
            uvicorn.Config(
                app,
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=_CONNECTIONS,
                timeout_graceful_shutdown=_STOP_S,
            )
        )
        self._listening: socket.socket | None = None
        self._serving: asyncio.Task[None] | None = None

    async def bind(self) -> int:
        """The bound port; port 0 takes a free one. Raises OSError with a text that says what to change."""
        if self._listening is None:
            self._listening = await self._bound()
        port: int = self._listening.getsockname()[1]
        return port

    async def start(self) -> int:
        """Binds where that has not been done, and answers. Raises OSError as `bind`."""
        port = await self.bind()
        assert self._listening is not None
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._listening]), name="web")
        await self._server.ready.wait()
        return port

    async def stop(self) -> None:
        """Answers what is under way, then closes; safe to call twice or before `start`."""
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


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The process's signals belong to `relay.app`, which drains in its own order."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()
