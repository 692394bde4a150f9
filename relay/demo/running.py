"""Runs the demo: the parties' mail server in this process, the daemon in its own process, and the store.

The store is opened by both processes at the same time.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from relay.core.mail.address import fold
from relay.demo import market
from relay.demo.daemon import DemoDaemon, ReadyPorts
from relay.demo.demo_parties import OPERATOR, OPERATOR_MAILBOX, PARTIES
from relay.demo.mailer import Mailer
from relay.demo.market import DemoMarket
from relay.demo.sink import Sink
from relay.installation import opened
from relay.ports import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningDemo:
    """The parts of a running demo. `store` is the daemon's store, opened a second time by this process."""

    market: DemoMarket
    ports: ReadyPorts
    sink: Sink
    daemon: DemoDaemon
    mailer: Mailer
    store: Store


@asynccontextmanager
async def running_demo(directory: Path, wanted: market.DemoPorts) -> AsyncIterator[RunningDemo]:
    """Starts the demo in `directory` and yields it; stops it at the end.

    Raises DemoSetupError, StoreError, DaemonError or OSError if a part of the demo cannot start.
    """
    mailboxes = {fold(demo_party.mailbox): demo_party.ref for demo_party in PARTIES} | {OPERATOR_MAILBOX: OPERATOR}
    gone = frozenset(fold(demo_party.mailbox) for demo_party in PARTIES if demo_party.gone)
    async with AsyncExitStack() as stack:
        sink = Sink(directory / "mailboxes", mailboxes, gone)
        sink_port = await sink.start(wanted.sink)
        stack.push_async_callback(sink.stop)
        demo_market = await market.set_up(directory, replace(wanted, sink=sink_port))
        daemon = DemoDaemon(demo_market.config_path, directory / "daemon.log")
        stack.push_async_callback(daemon.stop)
        await daemon.run("keys", "generate", "dkim")
        ports = await daemon.start()
        store = await stack.enter_async_context(opened(demo_market.config, directory))
        yield RunningDemo(
            market=demo_market, ports=ports, sink=sink, daemon=daemon, mailer=Mailer(demo_market, ports), store=store
        )
