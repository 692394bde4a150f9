"""One listener: it opens its port, creates sessions, and closes without losing a running transaction."""

import asyncio
import ssl
from typing import Final

from relay import config, ports
from relay.edge.smtp_in.connection import Hangup, ListenerContext
from relay.edge.smtp_in.guard import Guard
from relay.edge.smtp_in.proxy import Acceptor
from relay.edge.smtp_in.session import ServerSession
from relay.edge.smtp_in.space import DataSpace

_LAST_WRITES_S: Final = 5
_LAST_REPLIES_S: Final = 1


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

        Idle sessions get a 421 at once, and other sessions get it at the end of their transaction. After `grace_s`
        seconds the commits that are not being written yet are cancelled, and their clients get a 451. Sessions that
        still exist after that are closed without a reply. So a stop takes at most a few seconds more than `grace_s`.
        """
        if self._server is None:
            return
        self._server.close()
        for session in tuple(self._context.sessions):
            session.end(Hangup("stopping", "421 4.3.2 shutting down, try again later"))
        if await self._unfinished(grace_s):
            await self._cancel_commits()
            await self._unfinished(_LAST_REPLIES_S)
            for session in tuple(self._context.sessions):
                session.cut()
            await self._cancel_commits()
            await self._unfinished(_LAST_REPLIES_S)
        self._server = None

    async def _unfinished(self, timeout_s: float) -> bool:
        """Waits for the sessions and the commits. Returns whether one of them still exists after `timeout_s`."""
        sessions = {task for session in self._context.sessions if (task := session.task)}
        tasks = sessions | self._context.commits
        return bool(tasks and (await asyncio.wait(tasks, timeout=timeout_s))[1])

    async def _cancel_commits(self) -> None:
        """Cancels the commits, and waits a moment. A commit that is being written to the store comes to its end."""
        commits = set(self._context.commits)
        for commit in commits:
            commit.cancel()
        if commits:
            await asyncio.wait(commits, timeout=_LAST_WRITES_S)

    def use_tls(self, tls: ssl.SSLContext) -> None:
        """Replaces the TLS context for future handshakes, after a reload of the configuration."""
        self._context.tls = tls
