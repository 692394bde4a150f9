"""Sealing what an older relay has left in clear in the store: domains of recipients, addresses of clients, hosts.

It is done when the store is opened, in transactions of a limited size. Work that is cut off goes on where it was;
several processes that open the store at once take turns.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple, cast

import msgspec
from msgspec import structs

from relay.core import redact
from relay.core.destination import is_name, name_of
from relay.core.model.event import AttemptData, EventType
from relay.ports import ServerAnswer, StoreUnavailableError
from relay.store.base import Base, StorePart
from relay.store.contents import (
    BODY,
    MESSAGE_KEY,
    event_of,
    event_row,
    message_key,
    open_meta,
    seal_answer,
    seal_meta,
)
from relay.store.crypto import UnreadableError
from relay.store.engine import Row, Work
from relay.store.statements import insert

_BATCH: Final = 500
"""Rows that one transaction reads; other processes wait for it."""
_FAILED: Final = frozenset({EventType.DEFERRED, EventType.BOUNCED})


class _Table(NamedTuple):
    """`rows` is the name of the query for the next rows. `seal` seals a row, and returns whether it had to."""

    subject: str
    rows: str
    seal: Callable[[Row], Work[bool]]


class SqlUnsealed(StorePart):
    def __init__(self, base: Base) -> None:
        super().__init__(base)
        self._tables = (
            _Table("item", "unsealed_items", self._seal_destination),
            _Table("message", "unsealed_messages", self._seal_client),
            _Table("event", "unsealed_events", self._seal_hosts),
        )

    async def seal(self) -> None:
        """Seals everything that is left, and then frees the disk space of the replaced values.

        If the disk space cannot be freed now, for example because the disk is full, the next process that opens the
        store tries again.
        """
        left = await self._left()
        for table in self._tables:
            while table.subject in left and await self._engine.write(partial(self._seal_some, table)):
                pass
        if "disk" in await self._left():
            with suppress(StoreUnavailableError):
                await self._engine.compact()
                await self._engine.write(partial(self._end, "disk"))

    async def _left(self) -> set[str]:
        return {row["subject"] for row in await self._read("unsealed")}

    def _seal_some(self, table: _Table) -> Work[bool]:
        """Seals the next rows. Returns whether there may be more."""
        locked = yield self._sql["lock_unsealed"], (table.subject,)
        if not locked:
            return False
        rows = yield self._sql[table.rows], (locked[0]["after_id"], _BATCH)
        if not rows:
            yield from self._end(table.subject)
            return False
        is_changed = False
        for row in rows:
            is_changed |= yield from table.seal(row)
        if is_changed:
            yield self._sql["left_on_disk"], ()
        yield self._sql["sealed_up_to"], (table.subject, rows[-1]["id"])
        return True

    def _end(self, subject: str) -> Work[None]:
        yield self._sql["all_sealed"], (subject,)

    def _seal_destination(self, row: Row) -> Work[bool]:
        if is_name(row["destination"]):
            return False
        name = name_of(self._vault.secret("destination"), row["destination"])
        yield self._sql["set_destination"], (row["id"], name)
        return True

    def _seal_client(self, row: Row) -> Work[bool]:
        """Moves the client's address from the detail to the sealed part; without its key it is not kept."""
        detail = msgspec.json.decode(row["detail"], type=dict[str, Any])
        client_ip = detail.pop("client_ip", None)
        if client_ip is None:
            return False
        yield self._sql["set_detail"], (row["id"], msgspec.json.encode(detail).decode())
        if row["sealed"] is not None and row["wrapped_key"] is not None:
            with suppress(UnreadableError):
                key = message_key(row["id"], row, self._vault)
                meta = structs.replace(open_meta(row["id"], row["sealed"], key), client_ip=client_ip)
                yield self._sql["set_meta"], (row["id"], seal_meta(row["id"], meta, key))
        return True

    def _seal_hosts(self, row: Row) -> Work[bool]:
        event = event_of(row)
        said = cast("AttemptData", event.data).get("text", "")
        data = cast("AttemptData", {**event.data, "text": redact.without_hosts(said)})
        if data["text"] == said:
            return False
        mended = event_row(replace(event, data=data))
        yield self._sql["set_event_data"], (event.id, mended[4], mended[5])
        if event.type in _FAILED:
            yield from self._keep_answer(row, ServerAnswer(host="", ip="", text=said))
        return True

    def _keep_answer(self, row: Row, answer: ServerAnswer) -> Work[None]:
        holder_id = row["key_holder_id"]
        with suppress(UnreadableError):
            holder = self._vault.holder(holder_id, row["wrapped"])
            sealed = seal_answer(row["id"], holder_id, answer, self._vault, holder)
            yield from insert(MESSAGE_KEY, [sealed.key])
            yield from insert(BODY, sealed.bodies)
