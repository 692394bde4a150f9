"""The connections of the web server: their time limits, and the number of open connections (R-IN-06, R-UI-11).

uvicorn limits only the time between two requests. While too many connections are open it answers 503 to everybody,
although these connections may send nothing. Here each step of a connection has a time limit of its own. If all places
are taken, a connection that waits for its client loses its place. Therefore a flood of idle connections does not keep
other clients from an answer.
"""

import asyncio
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from relay import config, ports
from relay.core.networks import client_key
from relay.edge.clients import ClientNetworks, limit_silence, peer_address

_HEAD_BYTES: Final = 65_536
_PIPELINED: Final = 8


class _Step(StrEnum):
    """The steps of a connection, with the names of their time limits."""

    HEAD = "head"
    BODY = "body"
    ANSWER = "answer"
    IDLE = "idle"


class WebConnections:
    """All connections of a web server, and their limits.

    `count_refusal` is called with the reason when one is ended.
    """

    def __init__(
        self,
        limits: config.Web,
        networks: config.Networks,
        counters: ports.Counters,
        count_refusal: Callable[[str], None],
    ) -> None:
        self.limits = limits
        self.count_refusal = count_refusal
        self._clients = ClientNetworks(networks)
        self._counters = counters
        self._open: dict[WebConnection, str | None] = {}
        """The key of the client of each connection, None for a client without limits.

        The oldest connection is first.
        """

    def enter(self, connection: "WebConnection") -> bool:
        """Gives the connection a place, and ends another connection if necessary. Returns False if there is no place.

        A client above its own limit loses its oldest waiting connection. If the limit for all clients is exceeded, the
        client with the most connections loses one.
        """
        client = peer_address(connection.transport)
        key = None if self._clients.is_free(client) else client_key(client)
        self._open[connection] = key
        of_client = self._counters.take("web_client", key or "")
        in_all = self._counters.take("web", "")
        if key is None:
            return True
        if of_client > self.limits.connections_per_client:
            return self._end_one_of(key, connection)
        if in_all > self.limits.connections:
            return self._end_one_of(None, connection)
        return True

    def leave(self, connection: "WebConnection") -> None:
        """Frees the place of the connection. Does nothing if it has no place."""
        if connection in self._open:
            self._counters.free("web_client", self._open.pop(connection) or "")
            self._counters.free("web", "")

    def renew(self, connection: "WebConnection") -> None:
        """Makes the connection the youngest one, because a request on it was answered."""
        if connection in self._open:
            self._open[connection] = self._open.pop(connection)

    def _end_one_of(self, client: str | None, newest: "WebConnection") -> bool:
        """Ends a waiting connection of the client, and returns True. Returns False if there is none.

        If `client` is None, it ends a connection of the client with the most connections.
        """
        waiting = [
            one
            for one, key in self._open.items()
            if key is not None and (client is None or key == client) and one is not newest and one.waits
        ]
        if not waiting:
            return False
        max(waiting, key=lambda one: self._counters.taken("web_client", self._open[one] or "")).end("connections")
        return True


class ServerConfig(uvicorn.Config):
    """The uvicorn configuration of a server whose connections have the limits of `WebConnections`."""

    def __init__(self, app: Any, connections: WebConnections, **settings: Any) -> None:
        # uvicorn's own limit is set so high that it has no effect, because the limits here are stricter.
        super().__init__(app, http=WebConnection, timeout_keep_alive=int(connections.limits.idle_s) + 60, **settings)
        self.connections = connections


class WebConnection(HttpToolsProtocol):
    """One connection. A step that takes too long aborts the connection, whether its client reads or not."""

    def __init__(
        self,
        config: ServerConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._all = config.connections
        self._step = _Step.HEAD
        self._timer: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._receives = False

    @property
    def waits(self) -> bool:
        """Returns whether the connection waits for its client to send or to read."""
        return self._step is not _Step.ANSWER or self.flow.write_paused or self.transport.is_closing()

    def end(self, reason: str) -> None:
        """Closes the connection at once, and counts the reason."""
        self._all.count_refusal(reason)
        self._all.leave(self)
        self.transport.abort()

    def _begin(self, step: _Step) -> None:
        """Begins a step and starts its time limit."""
        self._step, self._head_bytes = step, 0
        if self._timer is not None:
            self._timer.cancel()
        limit_s: float = getattr(self._all.limits, f"{step}_s")
        self._timer = self.loop.call_later(limit_s, self._run_out)

    def _follow(self) -> None:
        """Begins the present step of the connection if it has changed. The newest request determines the step.

        A connection that is closing keeps the time limit of its last step until the client has read the answer.
        """
        newest: RequestResponseCycle | None = self.cycle
        if newest is not None and not newest.response_complete:
            step = _Step.BODY if newest.more_body else _Step.ANSWER
        elif self._receives:
            step = _Step.HEAD
        else:
            step = _Step.ANSWER if self.flow.write_paused else _Step.IDLE
        if step is not self._step and not self.transport.is_closing():
            self._begin(step)

    def _run_out(self) -> None:
        if self._step is _Step.IDLE:
            self.transport.abort()
        else:
            self.end(self._step)

    # ------------------------------------------------------------ called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast("asyncio.Transport", transport))
        limit_silence(transport, self._all.limits.answer_s)
        if self._all.enter(self):
            self._begin(_Step.HEAD)
        else:
            self.end("connections")

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._all.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._step is _Step.HEAD and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > _HEAD_BYTES:
                self.end("head")

    def resume_writing(self) -> None:
        super().resume_writing()
        self._follow()

    # ------------------------------------------------------------ called by the parser

    def on_message_begin(self) -> None:
        """Begins a request. Raises ValueError, which ends the connection, if too many requests wait for their turn."""
        if len(self.pipeline) >= _PIPELINED:
            raise ValueError("too many requests at once")
        super().on_message_begin()
        self._receives = True
        self._follow()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._follow()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._receives = False
        self._follow()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._all.renew(self)
        self._follow()
