"""Reads the record and the queue after a crash, and checks that they are complete and in order."""

from dataclasses import dataclass

from relay.core.model.event import EventType
from relay.ports import StoredMessage
from relay.store import SqlStore
from relay.store.contents import event_row
from relay.store.crypto import content_hash, identity
from tests.support.daemon import Relay
from tests.support.load import TOKEN
from tests.support.narrowing import not_none


@dataclass(frozen=True)
class RecordState:
    message_id: str
    state: str
    events: tuple[EventType, ...]


async def read(relay: Relay) -> dict[str, RecordState]:
    """Returns the records by token. Asserts that each can be opened, matches its hashes, and has its events in order."""
    entries = {}
    async with relay.opened() as store:
        for summary in await store.records.messages(limit=1_000_000):
            stored = await store.records.message(summary.id)
            assert stored is not None, "a record does not open"
            await _check_hashes(store, stored)
            events = stored.events
            assert [event.at for event in events] == sorted(event.at for event in events)
            assert [event.type for event in events[:2]] == [EventType.RECEIVED, EventType.QUEUED]
            token = not_none(TOKEN.search(stored.original))[0].decode()
            assert token not in entries, "one message, two records"
            entries[token] = RecordState(summary.id, summary.state, tuple(event.type for event in events))
    return entries


async def item_states(relay: Relay) -> dict[str, int]:
    async with relay.opened() as store:
        rows = await store.base.engine.read("SELECT state, COUNT(*) AS items FROM item GROUP BY state")
        return {row["state"]: row["items"] for row in rows}


async def _check_hashes(store: SqlStore, stored: StoredMessage) -> None:
    """Asserts the salted hash of the content, and the leaf hash of each event."""
    message_id = stored.summary.id
    message = not_none(await store.base.first("summary", message_id))
    sealed = not_none(await store.base.first("content", message_id))
    holder = store.base.vault.holder(sealed["holder_id"], sealed["wrapped"])
    secret = holder.open(identity("message_key", message_id), sealed["wrapped_key"])
    assert content_hash(secret, stored.original) == message["content_hash"]
    leaves = [row["leaf_hash"] for row in await store.base.read("history", message_id)]
    covered = {EventType.RECEIVED: message["content_hash"]}
    assert [event_row(event, covered.get(event.type, b""))[-1] for event in stored.events] == leaves
