"""The town alive: its mailboxes' server in this process, the real daemon in its own, the record open beside it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from relay.core.mail.address import fold
from relay.demo import market
from relay.demo.cast import CAST, OPERATOR, OPERATOR_MAILBOX
from relay.demo.daemon import DemoDaemon, ReadyPorts
from relay.demo.mailboxes import Post
from relay.demo.market import Market
from relay.demo.sink import Sink
from relay.installation import opened
from relay.ports import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    town: Market
    ports: ReadyPorts
    sink: Sink
    daemon: DemoDaemon
    post: Post
    store: Store


@asynccontextmanager
async def alive(directory: Path, wanted: market.DemoPorts) -> AsyncIterator[Life]:
    """Starts everything, and stops it at the end. Raises TownError, StoreError, DaemonError, OSError."""
    boxes = {fold(character.mailbox): character.ref for character in CAST} | {OPERATOR_MAILBOX: OPERATOR}
    gone = frozenset(fold(character.mailbox) for character in CAST if character.gone)
    async with AsyncExitStack() as stack:
        sink = Sink(directory / "mailboxes", boxes, gone)
        sink_port = await sink.start(wanted.sink)
        stack.push_async_callback(sink.stop)
        place = await market.found(directory, replace(wanted, sink=sink_port))
        daemon = DemoDaemon(place.config_path, directory / "daemon.log")
        stack.push_async_callback(daemon.stop)
        await daemon.run("keys", "generate", "dkim")
        ports = await daemon.start()
        store = await stack.enter_async_context(opened(place.config, directory))
        yield Life(town=place, ports=ports, sink=sink, daemon=daemon, post=Post(place, ports), store=store)
