"""The record, the directory and the queue: one interface (`relay.ports.Store`), two engines."""

from pathlib import Path

from relay.ports import Clock, EventLog, Ids, Store, StoreError
from relay.store.crypto import MasterKeys
from relay.store.sqlite import SqliteStore

__all__ = ["SqliteStore", "connect"]


def connect(
    url: str, data_dir: Path, master: MasterKeys, clock: Clock, ids: Ids, *, event_log: EventLog | None = None
) -> Store:
    """The store that the URL names, not yet open: `sqlite:FILE` (from `data_dir`) or `postgresql://...`. Without an
    event log it reports nothing. Raises StoreError."""
    scheme, _, rest = url.partition(":")
    if scheme == "sqlite" and rest:
        return SqliteStore(data_dir / rest, master, clock, ids, event_log=event_log)
    if scheme in ("postgresql", "postgres"):
        try:
            from relay.store.postgres import PostgresStore  # noqa: PLC0415 - asyncpg is an extra
        except ModuleNotFoundError as error:
            raise StoreError("`store` names PostgreSQL, whose driver is missing; install `relay[postgres]`") from error
        return PostgresStore(url, master, clock, ids, event_log=event_log)
    raise StoreError("`store` is neither `sqlite:FILE` nor `postgresql://USER@HOST/DATABASE`")
