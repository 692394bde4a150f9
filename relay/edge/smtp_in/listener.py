"""One listener: it opens its port, creates sessions, and closes without losing a running transaction."""

import asyncio
import ssl

from relay import config, ports
from relay.edge.smtp_in.connection import Hangup, ListenerContext
from relay.edge.smtp_in.guard import Guard
from relay.edge.smtp_in.proxy import Acceptor
from relay.edge.smtp_in.session import ServerSession
from relay.edge.smtp_in.space import DataSpace


class SmtpIn:
    """A listener for SMTP or LMTP.

    The constructor raises ValueError if the listener needs TLS from the first byte and has no TLS context.
    """

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
        space: DataSpace,
    ) -> None:
        if listener.tls == "implicit" and tls is None:
            raise ValueError(f"the {listener.kind} listener on port {listener.port} needs a certificate")
        self._server: asyncio.Server | Acceptor | None = None
        self._context = ListenerContext(
            listener=listener,
            limits=limits,
            plain_auth=networks.plain_auth,
            hostname=hostname,
            tls=tls,
            intake=intake,
            clock=clock,
            observer=observer,
            guard=guard,
            space=space,
        )

    async def start(self) -> int:
        """Opens the port and returns its number. Raises OSError if the port cannot be opened."""
        listener = self._context.listener
        if listener.proxy_protocol or listener.tls == "implicit":
            self._server = Acceptor(self._context, lambda client: ServerSession(self._context, client))
        else:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: ServerSession(self._context), listener.host, listener.port, backlog=1024
            )
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self, grace_s: float) -> None:
        """Closes the port, ends all sessions and waits for them.

        Idle sessions get a 421 at once, and other sessions at the end of their transaction. Sessions that still exist
        after `grace_s` seconds are closed without a reply. Running commits are always awaited.
        """
        if self._server is None:
            return
        self._server.close()
        for session in tuple(self._context.sessions):
            session.end(Hangup("stopping", "421 4.3.2 shutting down, try again later"))
        tasks = {task for session in self._context.sessions if (task := session.task)}
        if tasks:
            _, unfinished = await asyncio.wait(tasks, timeout=grace_s)
            for session in tuple(self._context.sessions) if unfinished else ():
                session.cut()
            if unfinished:
                await asyncio.wait(unfinished)
        if self._context.commits:
            await asyncio.wait(self._context.commits)
        self._server = None

    def use_tls(self, tls: ssl.SSLContext) -> None:
        """Replaces the TLS context for future handshakes, after a reload of the configuration."""
        self._context.tls = tls
