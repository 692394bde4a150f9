"""`accept`: record, events, queue items and notices of one transaction, all or nothing (R-IN-03)."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

from relay.core.model.event import EventType
from relay.core.model.message import MessageState
from relay.core.model.sender import Sender, SenderState
from relay.ports import Acceptance, MessageRecord, OutgoingNotice, OvertakenError
from relay.steps.offload import THREAD_BYTES, offload
from relay.store.base import to_us
from relay.store.contents import (
    BODY,
    EVENT,
    MESSAGE,
    MESSAGE_KEY,
    SealedContents,
    event_row,
    seal_notice,
    seal_record,
    to_json,
    whole,
)
from relay.store.crypto import Key
from relay.store.engine import Work
from relay.store.items import ITEM, item_row
from relay.store.limits import MISUSE, QUOTA_USE, misuse_row
from relay.store.notice_log import NOTICE_SENT
from relay.store.senders import SealedSender, SenderVerbs, seal_entry
from relay.store.statements import insert, spread

_SENDER_ID: Final = MESSAGE.columns.index("sender_id")
_STATE: Final = MESSAGE.columns.index("state")
_RECEIVED_AT: Final = MESSAGE.columns.index("received_at")

SqlRow = tuple[object, ...]


class _FullError(Exception):
    """A use has exceeded its limit."""


@dataclass(slots=True)
class Rows:
    """Rows by table, ready to be written together with those of others."""

    senders: list[SqlRow] = field(default_factory=list)
    messages: list[SqlRow] = field(default_factory=list)
    keys: list[SqlRow] = field(default_factory=list)
    bodies: list[SqlRow] = field(default_factory=list)
    items: list[SqlRow] = field(default_factory=list)
    events: list[SqlRow] = field(default_factory=list)
    uses: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    limits: dict[tuple[str, str, str], int] = field(default_factory=dict)
    misuse: list[SqlRow] = field(default_factory=list)
    told: dict[tuple[str, str], int] = field(default_factory=dict)
    report: Callable[[], None] | None = None
    """Is called once the rows are committed."""

    def add(self, contents: SealedContents) -> None:
        self.keys.append(contents.key)
        self.bodies.extend(contents.bodies)


class AcceptVerbs(SenderVerbs):
    async def accept(self, acceptance: Acceptance) -> None:
        try:
            rows = await self._rows(acceptance)
            heavy = sum(len(record.original) for record in acceptance.records) > THREAD_BYTES
            await self._engine.write_together(self._accept_all, rows, heavy=heavy)
        except _FullError as error:
            raise OvertakenError("a quota was used up meanwhile") from error

    async def _rows(self, acceptance: Acceptance) -> Rows:
        rows = Rows(report=partial(self._event_log.accepted, acceptance))
        holders = {
            holder_id: await self._holder(holder_id)
            for holder_id in {record.key_holder_id for record in acceptance.records}
            | {notice.key_holder_id for notice in acceptance.notices}
        }
        hashes: dict[str, bytes] = {}
        records = {record.id: record for record in acceptance.records}
        for record in acceptance.records:
            holder = holders[record.key_holder_id]
            contents = await offload(len(record.original), seal_record, record, self._vault, holder)
            rows.add(contents)
            hashes[record.id] = contents.hash
            rows.messages.append(self._message_row(record, contents.hash))
        lease_until = to_us(acceptance.lease_until)
        for item in acceptance.items:
            record = records[item.message_id]
            holder_id = record.key_holder_id
            rows.items.append(
                item_row(item, holder_id, holders[holder_id], owner=acceptance.owner, lease_until=lease_until)
            )
        for notice in acceptance.notices:
            self._add_notice(rows, notice, holders[notice.key_holder_id], acceptance.owner, lease_until)
        for event in acceptance.events:
            covered = hashes.get(event.message_id, b"") if event.type is EventType.RECEIVED else b""
            rows.events.append(event_row(event, covered))
        for use in acceptance.uses:
            key = use.scope, use.subject_id, use.day
            rows.uses[key] += 1
            if use.limit:
                rows.limits[key] = use.limit
        rows.misuse += [misuse_row(self._ids.new(), misuse) for misuse in acceptance.misuse]
        rows.told.update({(told.party_id, told.topic): to_us(told.at) for told in acceptance.told})
        seen_at = {record.sender_id: record.received_at for record in acceptance.records}
        for sender in acceptance.new_senders:
            rows.senders.append(await self._sender_row(sender, seen_at.get(sender.id)))
        return rows

    async def _sender_row(self, sender: Sender, seen_at: datetime | None) -> SqlRow:
        """An entry that waits since the message that brought it came."""
        party = await self._first("sender_owner", sender.party_id)
        if party is None:
            raise ValueError("there is no such party")
        key = self._vault.holder(sender.party_id, party["wrapped"])
        address_hash = self._vault.address_hash(party["marketplace_id"], sender.address)
        sealed = seal_entry(sender.id, SealedSender(sender.address, sender.label, sender.added_by), key)
        flags = (int(sender.is_domain), int(sender.shared))
        changed_at = to_us(seen_at or self._clock.now())
        return (sender.id, sender.party_id, address_hash, sealed, *flags, sender.state.value, changed_at)

    def _add_notice(
        self, rows: Rows, notice: OutgoingNotice, holder: Key, owner: str = "", lease_until: int = 0
    ) -> None:
        item, holder_id = notice.item, notice.key_holder_id
        rows.items.append(item_row(item, holder_id, holder, owner=owner, lease_until=lease_until))
        rows.add(seal_notice(item.id, holder_id, notice.content, self._vault, holder))

    def _message_row(self, record: MessageRecord, content_hash: bytes) -> SqlRow:
        own_id = whole(record.original_message_id)
        size = record.detail.get("size_bytes")
        return (
            record.id,
            record.marketplace_id,
            record.key_holder_id,
            record.pair_id,
            record.author_id,
            record.author_role and record.author_role.value,
            record.recipient_id,
            record.sender_id,
            record.order_id,
            str(record.kind),
            record.state.value,
            record.automatic.value,
            to_us(record.received_at),
            size if isinstance(size, int) else len(record.original),
            record.policy_version,
            self._vault.message_id_hash(record.pair_id, own_id) if own_id and record.pair_id else None,
            content_hash,
            to_json(record.detail),
        )

    def _accept_all(self, batch: Sequence[Rows]) -> Work[Sequence[None]]:
        """One statement per table for all that wait."""
        messages = [row for rows in batch for row in rows.messages]
        new_senders = [row for rows in batch for row in rows.senders]
        if new_senders:
            entered = yield from self._enter_new(new_senders)
            messages = [
                (*row[:_SENDER_ID], entered.get(row[_SENDER_ID], row[_SENDER_ID]), *row[_SENDER_ID + 1 :])
                for row in messages
            ]
        yield from insert(MESSAGE, messages)
        yield from insert(MESSAGE_KEY, [row for rows in batch for row in rows.keys])
        yield from insert(BODY, [row for rows in batch for row in rows.bodies])
        yield from insert(ITEM, [row for rows in batch for row in rows.items])
        yield from insert(EVENT, [row for rows in batch for row in rows.events])
        self._report(batch)
        yield from self._resolve_late(messages)
        yield from _count(batch)
        return [None] * len(batch)

    def _report(self, written: Sequence[Rows]) -> None:
        for rows in written:
            if rows.report is not None:
                self._engine.after_commit(rows.report)

    def _enter_new(self, senders: Sequence[SqlRow]) -> Work[dict[object, object]]:
        """New senders' ids to those of their entries: another message of the same writer may have come first."""
        entered = {}
        for row in sorted(senders, key=lambda row: row[1:3]):  # one order, so that no two nodes wait for each other
            yield self._sql["add_sender"], row
            entry = yield self._sql["sender_entry"], row[1:3]
            entered[row[0]] = entry[0]["id"]
        return entered

    def _resolve_late(self, messages: Sequence[SqlRow]) -> Work[None]:
        """The owner's word may have come between the decision to hold and this commit; no mail stays held for it. One
        who was retired and writes again is pending again."""
        held: dict[str, object] = {}
        for row in messages:
            if row[_STATE] == MessageState.HELD and row[_SENDER_ID] is not None:
                held.setdefault(str(row[_SENDER_ID]), row[_RECEIVED_AT])
        if held:
            for sender in (yield spread(self._sql["lock_senders"], (), sorted(held))):
                if sender["state"] == SenderState.RETIRED:
                    yield self._sql["unretire_sender"], (sender["id"], held[sender["id"]])
                yield from self._resolve_held([sender["id"]], SenderState(sender["state"]), {})


def _count(batch: Sequence[Rows]) -> Work[None]:
    """Last, for the rows of a busy seller's day are shared by all who write for him. One row a key, in one order.
    Raises _FullError, upon which each of the batch is written alone."""
    uses: Counter[tuple[str, str, str]] = Counter()
    limits: dict[tuple[str, str, str], int] = {}
    told: dict[tuple[str, str], int] = {}
    for rows in batch:
        uses.update(rows.uses)
        limits.update(rows.limits)
        told.update(rows.told)
    counted = yield from insert(QUOTA_USE, [(*key, used) for key, used in sorted(uses.items())])
    for scope, subject_id, day, used in counted:
        if used > limits.get((scope, subject_id, day), used):
            raise _FullError
    yield from insert(MISUSE, [row for rows in batch for row in rows.misuse])
    yield from insert(NOTICE_SENT, [(*key, at) for key, at in sorted(told.items())])
