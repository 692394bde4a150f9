"""The store: one interface (`relay.ports.Store`) with two engines, SQLite and PostgreSQL."""

from pathlib import Path

from relay.ports import Clock, EventLog, Ids, StoreError, Unlogged
from relay.store.availability import Availability
from relay.store.crypto import MasterKeys
from relay.store.engine import Engine
from relay.store.sqlite import SqliteEngine
from relay.store.store import SqlStore

__all__ = ["SqlStore", "connect"]


def connect(
    url: str, data_dir: Path, master: MasterKeys, clock: Clock, ids: Ids, *, event_log: EventLog | None = None
) -> SqlStore:
    """Returns the store that the URL names, not opened yet.

    The URL is `sqlite:FILE`, with FILE relative to `data_dir`, or `postgresql://...`. Without an event log the store
    reports nothing. Raises StoreError for any other URL and if the driver is not installed.
    """
    event_log = event_log or Unlogged()
    return SqlStore(_engine(url, data_dir, clock, Availability(clock, event_log)), master, clock, ids, event_log)


def _engine(url: str, data_dir: Path, clock: Clock, availability: Availability) -> Engine:
    scheme, _, rest = url.partition(":")
    if scheme == "sqlite" and rest:
        return SqliteEngine(data_dir / rest, clock, availability)
    if scheme in ("postgresql", "postgres"):
        try:
            from relay.store.postgres import PostgresEngine  # noqa: PLC0415 - asyncpg is an extra
        except ModuleNotFoundError as error:
            raise StoreError("`store` names PostgreSQL, whose driver is missing; install `relay[postgres]`") from error
        return PostgresEngine(url, clock, availability)
    raise StoreError("`store` is neither `sqlite:FILE` nor `postgresql://USER@HOST/DATABASE`")
