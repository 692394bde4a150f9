"""An installation: its data directory, and its opened store with the keys.

The daemon and every command use this module. It is separate from `relay.app`, so that a command need not load the
daemon.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from relay.config import Config
from relay.edge import system
from relay.ports import EventLog, Store
from relay.store import connect
from relay.store.crypto import MasterKeys


def data_dir(config: Config, base: Path) -> Path:
    """Returns the data directory. A relative path begins at `base`, the directory of the configuration file."""
    return base / config.data_dir


def private_paths(config: Config, config_path: Path, directory: Path) -> Iterator[Path]:
    """Yields the files and directories that only the account of the relay should be able to read; some may not exist.

    The configuration file is one of them, because the URL of a database may contain a password. The file of the master
    key is not, because `MasterKeys.load` refuses a file that others may read.
    """
    yield config_path
    yield directory
    passwords = [route.password_file for route in config.delivery.route]
    passwords += [scanner.password_file for scanner in config.scanner]
    for name in (config.tls.key, *passwords):
        if name:
            yield directory / name


@asynccontextmanager
async def opened(config: Config, base: Path, *, event_log: EventLog | None = None) -> AsyncIterator[Store]:
    """Opens the store with its keys, and closes it at the end of the block.

    The store reports to the event log. Raises StoreError with the cause and the fix.
    """
    directory = data_dir(config, base)
    master = MasterKeys.load(directory / config.master_key)
    store = connect(config.store, directory, master, system.SystemClock(), system.SystemIds(), event_log=event_log)
    await store.open()
    try:
        yield store
    finally:
        await store.close()
