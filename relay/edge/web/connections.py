"""The connections of the web server: their time limits, and the places that they take (R-IN-06, R-UI-11).

uvicorn limits only the time between two requests, and answers 503 to everybody while too many connections are open,
although they may send nothing. Here each step of a connection has its own time, and when the places are taken, a
connection that waits for its client gives its place up. So a flood of idle connections keeps nobody from an answer.
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
    """The steps of a connection, by the names of their time limits."""

    HEAD = "head"
    BODY = "body"
    ANSWER = "answer"
    IDLE = "idle"


class WebConnections:
    """All connections of a web server, and the limits for them. `count_refusal` gets the reason of each end."""

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
        """The key of the client of each connection, None for a client without limits; the oldest connection first."""

    def enter(self, connection: "WebConnection") -> bool:
        """Gives the connection a place, which may end another one. Returns False when no place can be given.

        A client above its limit loses its own oldest connection that waits. Above the limit of all, the client with the
        most connections loses one.
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
        """Takes the place back; does nothing when the connection has none."""
        if connection in self._open:
            self._counters.free("web_client", self._open.pop(connection) or "")
            self._counters.free("web", "")

    def renew(self, connection: "WebConnection") -> None:
        """Makes the connection the youngest: a request was answered."""
        if connection in self._open:
            self._open[connection] = self._open.pop(connection)

    def _end_one_of(self, client: str | None, newest: "WebConnection") -> bool:
        """Ends a connection that waits, of the client or of the one with the most. Returns False if there is none."""
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
    """uvicorn's configuration of a server whose connections have our limits."""

    def __init__(self, app: Any, connections: WebConnections, **settings: Any) -> None:
        # uvicorn's own limits are put out of the way: ours are narrower.
        super().__init__(app, http=WebConnection, timeout_keep_alive=int(connections.limits.idle_s) + 60, **settings)
        self.connections = connections


class WebConnection(HttpToolsProtocol):
    """One connection. A step that takes too long aborts it, whether its client reads or not."""

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
        """Whether the client has to do something next: to send, or to read."""
        return self._step is not _Step.ANSWER or self.flow.write_paused or self.transport.is_closing()

    def end(self, reason: str) -> None:
        """Closes the connection at once, and counts the reason."""
        self._all.count_refusal(reason)
        self._all.leave(self)
        self.transport.abort()

    def _begin(self, step: _Step) -> None:
        """Begins a step and its time."""
        self._step, self._head_bytes = step, 0
        if self._timer is not None:
            self._timer.cancel()
        limit_s: float = getattr(self._all.limits, f"{step}_s")
        self._timer = self.loop.call_later(limit_s, self._run_out)

    def _follow(self) -> None:
        """Begins the step that the connection is in now, if it is another one. The newest request decides.

        A connection that is closing keeps the time of its last step, until the client has taken the answer.
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
        """Begins a request. Raises ValueError, which ends the connection, when too many wait for their turn."""
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
