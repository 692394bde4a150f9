"""An installation: its data directory, and its store with the keys, open. Here the daemon begins, and every command
beside it; a room of its own, so that such a command does not load the daemon.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from relay.config import Config
from relay.edge import system
from relay.ports import EventLog, Store
from relay.store import connect
from relay.store.crypto import MasterKeys


def data_dir(config: Config, base: Path) -> Path:
    """`base` is the configuration file's directory; relative paths start from it."""
    return base / config.data_dir


@asynccontextmanager
async def opened(config: Config, base: Path, *, event_log: EventLog | None = None) -> AsyncIterator[Store]:
    """The store with its keys, open; it reports to the event log. Raises StoreError with cause and fix."""
    directory = data_dir(config, base)
    master = MasterKeys.load(directory / config.master_key)
    store = connect(config.store, directory, master, system.SystemClock(), system.SystemIds(), event_log=event_log)
    await store.open()
    try:
        yield store
    finally:
        await store.close()
