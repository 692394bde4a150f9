"""The SMTP server of the relay on the loopback interface, in a thread of its own, with an intake that records."""

import asyncio
import concurrent.futures
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import uvloop

from relay.config import Listener, Networks, SmtpLimits
from relay.core.model.message import Incoming, Peer
from relay.core.model.reply import Reply
from relay.edge.counters import ProcessCounters
from relay.edge.smtp_in import DataSpace, Guard, MemoryByteBudget, SmtpIn
from tests.support.fakes import CountingObserver, ManualClock
from tests.support.log import CapturedLog

LoopKind = Literal["asyncio", "uvloop"]
Kind = Literal["mx", "submission", "lmtp"]
Tls = Literal["none", "starttls", "implicit"]

T = TypeVar("T")

TAKEN = Reply(250, "2.0.0", "taken")
UNKNOWN = Reply(550, "5.1.1", "unknown alias")
NO_RELAYING = Reply(550, "5.7.1", "no relaying")


def wait_until(condition: Callable[[], bool]) -> None:
    """Waits for a state of the server that no answer shows."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "the expected state never came"
        time.sleep(0.02)


class RecordingIntake:
    """An intake that accepts all of shop.example but local parts that begin with `unknown`. `answer` can be replaced."""

    def __init__(self) -> None:
        self.messages: list[Incoming] = []
        self.peers: list[Peer] = []
        self.senders: list[str] = []
        self.recipients: list[str] = []
        self.logins = {("seller", "right"): "party-1"}
        self.remembered: dict[tuple[str, str], str] = {}
        self.asked: list[str] = []
        self.checks: list[str] = []
        self.login_gate: asyncio.Event | None = None
        self.answer: Callable[[Incoming], Sequence[Reply]] = lambda incoming: [TAKEN] * len(incoming.rcpt_to)
        self.fault: Exception | None = None
        self.fault_at: str = ""
        self.gate: asyncio.Event | None = None
        self.begun = threading.Event()
        self.begun_bytes: list[int] = []

    async def remembered_login(self, username: str, password: str) -> str | None:
        self.asked.append(username)
        return self.remembered.get((username, password))

    async def login(self, username: str, password: str) -> str | None:
        self.checks.append(username)
        if self.login_gate is not None:
            await self.login_gate.wait()
        self._fail_at("login")
        return self.logins.get((username, password))

    async def mail_from(self, peer: Peer, address: str) -> Reply:
        self._fail_at("mail")
        self.peers.append(peer)
        self.senders.append(address)
        return Reply(250, "2.1.0", "sender noted")

    async def rcpt_to(self, peer: Peer, mail_from: str, address: str) -> Reply:
        self._fail_at("rcpt")
        self.recipients.append(address)
        local_part, _, domain = address.rpartition("@")
        if domain != "shop.example":
            return NO_RELAYING
        return UNKNOWN if local_part.startswith("unknown") else Reply(250, "2.1.5", "recipient noted")

    async def data(self, incoming: Incoming) -> Sequence[Reply]:
        self.begun_bytes.append(len(incoming.content))
        self.begun.set()
        if self.gate is not None:
            await self.gate.wait()
        self._fail_at("data")
        self.messages.append(incoming)
        return self.answer(incoming)

    def _fail_at(self, where: str) -> None:
        if self.fault is not None and self.fault_at == where:
            raise self.fault


class SmtpInEnv:
    """Listeners of the relay's SMTP server in a loop of their own, with the clock, counters and log that they use."""

    def __init__(self, loop_kind: LoopKind) -> None:
        self.loop = uvloop.new_event_loop() if loop_kind == "uvloop" else asyncio.new_event_loop()
        self.loop_faults: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _, context: self.loop_faults.append(context))
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self.intake = RecordingIntake()
        self.clock = ManualClock()
        self.observer = CountingObserver()
        self.log = CapturedLog()
        self.listeners: list[SmtpIn] = []
        self.counters = ProcessCounters(self.clock)
        self.guard: Guard | None = None
        self.budget = MemoryByteBudget()
        self.spool_dir = Path(tempfile.gettempdir())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine in the edge's loop and waits for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout=30)

    def begin(self, work: Coroutine[Any, Any, T]) -> "concurrent.futures.Future[T]":
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def close_gate(self) -> None:
        """Makes the commit of each further message wait for `open_gate`."""
        self.intake.gate = asyncio.Event()

    def open_gate(self) -> None:
        assert self.intake.gate is not None
        self.loop.call_soon_threadsafe(self.intake.gate.set)

    def close(self) -> None:
        for listener in self.listeners:
            self.run(listener.stop(0))
        self.run(self.loop.shutdown_asyncgens())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(timeout=30)
        self.loop.close()
        assert self.loop_faults == []

    def open(
        self,
        kind: Kind = "mx",
        tls: Tls = "none",
        *,
        context: ssl.SSLContext | None = None,
        limits: SmtpLimits | None = None,
        networks: Networks | None = None,
        proxy_protocol: bool = False,
    ) -> int:
        """Opens a listener and returns its port. All listeners share the guard of the first one."""
        limits, networks = limits or SmtpLimits(), networks or Networks()
        self.guard = self.guard or Guard(limits=limits, networks=networks, counters=self.counters)
        listener = SmtpIn(
            listener=Listener(kind=kind, port=0, tls=tls, proxy_protocol=proxy_protocol),
            limits=limits,
            networks=networks,
            hostname="mx.shop.example",
            tls=context,
            intake=self.intake,
            clock=self.clock,
            observer=self.observer,
            guard=self.guard,
            space=DataSpace(limits, self.spool_dir, self.budget, self.clock),
        )
        self.listeners.append(listener)
        return self.run(listener.start())
