"""An installation: its data directory, and its opened store with the keys.

The daemon and every command use it. It is a module of its own, so that a command need not load the daemon.
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
    """Returns the data directory. `base` is the directory of the configuration file; relative paths start there."""
    return base / config.data_dir


@asynccontextmanager
async def opened(config: Config, base: Path, *, event_log: EventLog | None = None) -> AsyncIterator[Store]:
    """Opens the store with its keys and closes it at the end of the block.

    The store reports to the event log. Raises StoreError with cause and fix.
    """
    directory = data_dir(config, base)
    master = MasterKeys.load(directory / config.master_key)
    store = connect(config.store, directory, master, system.SystemClock(), system.SystemIds(), event_log=event_log)
    await store.open()
    try:
        yield store
    finally:
        await store.close()
