"""One open door: listening, handing out sessions, and closing without losing what is under way."""

import asyncio
import ssl

from relay import config, ports
from relay.edge.smtp_in.connection import Hangup, ListenerContext
from relay.edge.smtp_in.guard import Guard
from relay.edge.smtp_in.proxy import Acceptor
from relay.edge.smtp_in.session import ServerSession


class SmtpIn:
    """Raises ValueError when the listener wants TLS from the first byte and there is no context for it."""

    def __init__(
        self,
        *,
        listener: config.Listener,
        limits: config.SmtpLimits,
        networks: config.Networks,
        hostname: str,
        tls: ssl.SSLContext | None,
        intake: ports.Intake,
        clock: ports.Clock,
        observer: ports.Observer,
        guard: Guard,
    ) -> None:
        if listener.tls == "implicit" and tls is None:
            raise ValueError(f"the {listener.kind} listener on port {listener.port} needs a certificate")
        self._server: asyncio.Server | Acceptor | None = None
        self._door = ListenerContext(
            listener=listener,
            limits=limits,
            plain_auth=networks.plain_auth,
            hostname=hostname,
            tls=tls,
            intake=intake,
            clock=clock,
            observer=observer,
            guard=guard,
        )

    async def start(self) -> int:
        """The bound port. Raises OSError when it cannot be had."""
        listener = self._door.listener
        if listener.proxy_protocol or listener.tls == "implicit":
            self._server = Acceptor(self._door, lambda client: ServerSession(self._door, client))
        else:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: ServerSession(self._door), listener.host, listener.port, backlog=1024
            )
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self, grace_s: float) -> None:
        """No new connections; idle sessions get a 421 at once, others when their transaction is over, and after
        `grace_s` none. Commits under way are waited for in any case."""
        if self._server is None:
            return
        self._server.close()
        for session in tuple(self._door.sessions):
            session.end(Hangup("stopping", "421 4.3.2 shutting down, try again later"))
        tasks = {task for session in self._door.sessions if (task := session.task)}
        if tasks:
            _, unfinished = await asyncio.wait(tasks, timeout=grace_s)
            for session in tuple(self._door.sessions) if unfinished else ():
                session.cut()
            if unfinished:
                await asyncio.wait(unfinished)
        if self._door.commits:
            await asyncio.wait(self._door.commits)
        self._server = None

    def use_tls(self, context: ssl.SSLContext) -> None:
        """For handshakes from now on (reload)."""
        self._door.tls = context
