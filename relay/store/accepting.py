"""The write of an acceptance: records, events, queue items and notices of one transaction, all or none (R-IN-03)."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Final

from relay.core.model.event import EventType
from relay.core.model.item import INITIAL_STATES
from relay.core.model.message import MessageState
from relay.core.model.reason import ReasonCode
from relay.core.model.sender import Sender, SenderState
from relay.ports import Acceptance, MessageRecord, OutgoingNotice, OvertakenError, OwnerRequest, WaitLimit
from relay.steps.offload import THREAD_BYTES, offload
from relay.store.base import Base, StorePart, to_us
from relay.store.contents import (
    BODY,
    EVENT,
    MESSAGE,
    MESSAGE_KEY,
    STRANGER_BODY,
    SealedContents,
    SharedBody,
    encode_detail,
    event_row,
    seal_notice,
    seal_record,
    seal_shared,
    whole,
)
from relay.store.crypto import Key, Vault
from relay.store.engine import Engine, Work
from relay.store.holder_keys import SqlHolderKeys
from relay.store.holds import SqlHolds
from relay.store.items import ITEM, item_row
from relay.store.limits import MISUSE, QUOTA_MARK, QUOTA_USE, misuse_row
from relay.store.notice_log import NOTICE_SENT
from relay.store.requests import REQUEST, request_row
from relay.store.senders import SealedSender, SqlSenders, domain_hash_of, seal_entry
from relay.store.signatures import SIGNATURE_TAKEN, mark_of
from relay.store.statements import Table, insert, spread

SIGNING_DOMAIN_WAIT: Final = Table("signing_domain_wait", ("message_id", "party_id", "domain_hash"))
_SENDER_ID: Final = MESSAGE.columns.index("sender_id")
_STATE: Final = MESSAGE.columns.index("state")
_RECEIVED_AT: Final = MESSAGE.columns.index("received_at")

SqlRow = tuple[object, ...]


class _OvertakenError(Exception):
    """Raised inside a transaction if a concurrent one has changed a value on which the judgement was based.

    A limit was reached, a signature was accepted, or another node has asked the owner the question.
    """


@dataclass(slots=True)
class Rows:
    """Rows for each table, ready to be written together with the rows of other transactions."""

    senders: list[SqlRow] = field(default_factory=list)
    messages: list[SqlRow] = field(default_factory=list)
    keys: list[SqlRow] = field(default_factory=list)
    bodies: list[SqlRow] = field(default_factory=list)
    items: list[SqlRow] = field(default_factory=list)
    events: list[SqlRow] = field(default_factory=list)
    uses: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    marked: set[tuple[str, str, str, str]] = field(default_factory=set)
    limits: dict[tuple[str, str, str], int] = field(default_factory=dict)
    misuse: list[SqlRow] = field(default_factory=list)
    told: dict[tuple[str, str], int] = field(default_factory=dict)
    requests: dict[str, OwnerRequest] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    wait_limits: list[WaitLimit] = field(default_factory=list)
    signatures: list[tuple[bytes, str, str]] = field(default_factory=list)
    domain_waits: list[SqlRow] = field(default_factory=list)
    stranger_bodies: list[SqlRow] = field(default_factory=list)
    report: Callable[[], None] | None = None
    """A function that is called after the rows are committed."""

    def add(self, contents: SealedContents) -> None:
        self.keys.append(contents.key)
        self.bodies.extend(contents.bodies)

    def add_waits(self, record: MessageRecord, vault: Vault) -> None:
        """Adds the rows for later changes of a record.

        These are the deletion of a stranger's content, and the release after the confirmation of a signing domain.
        """
        if record.stranger_body_until is not None:
            self.stranger_bodies.append((record.id, to_us(record.stranger_body_until)))
        if record.signing_domain and set(record.detail.reason_codes) == {ReasonCode.SENDER_UNPROVEN}:
            domain_hash = vault.address_hash(record.marketplace_id, record.signing_domain)
            self.domain_waits.append((record.id, record.author_id, domain_hash))

    def add_notice(
        self, notice: OutgoingNotice, vault: Vault, holder: Key, *, owner: str = "", lease_until: int = 0
    ) -> None:
        """Adds the item and the encrypted content of a notice. `holder` is the key of the notice's holder."""
        item, holder_id = notice.item, notice.key_holder_id
        self.items.append(item_row(item, holder_id, holder, owner=owner, lease_until=lease_until))
        self.add(seal_notice(item.id, holder_id, notice.content, vault, holder))


class SqlAcceptances(StorePart):
    def __init__(self, base: Base, holder_keys: SqlHolderKeys, holds: SqlHolds, senders: SqlSenders) -> None:
        super().__init__(base)
        self._holder_keys = holder_keys
        self._holds = holds
        self._senders = senders

    async def add(self, acceptance: Acceptance, *, must_know: bool = False) -> None:
        try:
            load_bytes = sum(map(_size_bytes, acceptance.records))
            rows = await self._rows(acceptance, load_bytes)
            await self._engine.write_together(self._add_all, rows, heavy=load_bytes > THREAD_BYTES, must_know=must_know)
        except _OvertakenError as error:
            raise OvertakenError("a quota or a place was used up meanwhile, or a signature was taken") from error

    async def _rows(self, acceptance: Acceptance, load_bytes: int) -> Rows:
        """Returns the encrypted rows of an acceptance.

        `load_bytes` is the size of all records together. If it is big, the encryption runs in a thread. Raises
        ValueError for an item in a state in which no new item can be.
        """
        rows = Rows(report=partial(self._event_log.accepted, acceptance))
        holders = {
            holder_id: await self._holder_keys.of(holder_id)
            for holder_id in {record.key_holder_id for record in acceptance.records}
            | {notice.key_holder_id for notice in acceptance.notices}
        }
        hashes: dict[str, bytes] = {}
        bodies = await self._shared_bodies(acceptance.records)
        rows.bodies += [body.row for body in bodies.values()]
        records = {record.id: record for record in acceptance.records}
        for record in acceptance.records:
            holder = holders[record.key_holder_id]
            body = bodies.get(id(record.original))
            contents = await offload(load_bytes, seal_record, record, self._vault, holder, body)
            rows.add(contents)
            hashes[record.id] = contents.hash
            rows.messages.append(self._message_row(record, contents.hash, body))
            rows.add_waits(record, self._vault)
        lease_until = to_us(acceptance.lease_until)
        for item in acceptance.items:
            if item.state not in INITIAL_STATES:
                raise ValueError(f"a new item cannot be {item.state}")
            record = records[item.message_id]
            holder_id = record.key_holder_id
            rows.items.append(
                item_row(item, holder_id, holders[holder_id], owner=acceptance.owner, lease_until=lease_until)
            )
        for notice in acceptance.notices:
            holder = holders[notice.key_holder_id]
            rows.add_notice(notice, self._vault, holder, owner=acceptance.owner, lease_until=lease_until)
        for event in acceptance.events:
            covered = hashes.get(event.message_id, b"") if event.type is EventType.RECEIVED else b""
            rows.events.append(event_row(event, covered))
        for use in acceptance.uses:
            key = use.scope.value, use.subject_id, use.day
            if use.mark:
                rows.marked.add((*key, use.mark))
            else:
                rows.uses[key] += use.amount
            if use.limit:
                rows.limits[key] = use.limit
        rows.signatures += [
            (mark_of(taken.use, self._vault), taken.use.pair_id, taken.message_id) for taken in acceptance.signatures
        ]
        rows.misuse += [misuse_row(self._ids.new(), misuse) for misuse in acceptance.misuse]
        rows.told.update({(told.party_id, told.topic): to_us(told.at) for told in acceptance.told})
        rows.requests.update({request.subject_id: request for request in acceptance.requests})
        rows.asked += acceptance.asked
        rows.wait_limits += acceptance.wait_limits
        seen_at = {record.sender_id: record.received_at for record in acceptance.records}
        for sender in acceptance.new_senders:
            rows.senders.append(await self._sender_row(sender, seen_at.get(sender.id)))
        return rows

    async def _shared_bodies(self, records: Sequence[MessageRecord]) -> dict[int, SharedBody]:
        """Returns an encrypted body for each content that several records share (R-IN-06).

        The keys of the result are the `id()` of the content's bytes object.
        """
        if len(records) < 2:
            return {}
        shared: dict[int, SharedBody] = {}
        uses = Counter(id(record.original) for record in records if record.original)
        for record in records:
            original, key = record.original, id(record.original)
            if uses[key] > 1 and key not in shared:
                shared[key] = await offload(len(original), seal_shared, self._ids.new(), original, self._vault)
        return shared

    async def _sender_row(self, sender: Sender, seen_at: datetime | None) -> SqlRow:
        """Returns the row of a new sender, whose wait begins at the time of their message.

        Raises ValueError if the party does not exist.
        """
        party = await self._first("sender_owner", sender.party_id)
        if party is None:
            raise ValueError("there is no such party")
        key = self._vault.holder(sender.party_id, party["wrapped"])
        address_hash = self._vault.address_hash(party["marketplace_id"], sender.address)
        sealed = seal_entry(sender.id, SealedSender(sender.address, sender.label, sender.added_by), key)
        flags = (int(sender.is_domain), int(sender.shared))
        changed_at = to_us(seen_at or self._clock.now())
        domain_hash = domain_hash_of(self._vault, party["marketplace_id"], sender.address)
        return (sender.id, sender.party_id, address_hash, sealed, *flags, sender.state.value, changed_at, domain_hash)

    def _message_row(self, record: MessageRecord, content_hash: bytes, body: SharedBody | None) -> SqlRow:
        own_id = whole(record.original_message_id)
        detail = record.detail
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
            record.kind.value,
            record.state.value,
            record.automatic.value,
            detail.action.value if detail.action else "",
            int(detail.to_operator),
            to_us(record.received_at),
            len(record.original) if detail.size_bytes is None else detail.size_bytes,
            record.policy_version,
            self._vault.message_id_hash(record.pair_id, own_id) if own_id and record.pair_id else None,
            content_hash,
            encode_detail(detail),
            body.id if body else None,
        )

    def _add_all(self, batch: Sequence[Rows]) -> Work[Sequence[None]]:
        """Writes the rows of all waiting transactions, with one statement for each table. Raises _OvertakenError."""
        messages = [row for rows in batch for row in rows.messages]
        new_senders = [row for rows in batch for row in rows.senders]
        entered: dict[object, object] = {}
        if new_senders:
            entered = yield from self._enter_new(new_senders)
            messages = [
                (*row[:_SENDER_ID], entered.get(row[_SENDER_ID], row[_SENDER_ID]), *row[_SENDER_ID + 1 :])
                for row in messages
            ]
        yield from insert(MESSAGE, messages)
        yield from _take(batch)
        yield from insert(SIGNING_DOMAIN_WAIT, [row for rows in batch for row in rows.domain_waits])
        yield from insert(STRANGER_BODY, [row for rows in batch for row in rows.stranger_bodies])
        yield from insert(MESSAGE_KEY, [row for rows in batch for row in rows.keys])
        yield from insert(BODY, [row for rows in batch for row in rows.bodies])
        yield from insert(ITEM, [row for rows in batch for row in rows.items])
        yield from insert(EVENT, [row for rows in batch for row in rows.events])
        report(self._engine, batch)
        yield from self._resolve_late(messages)
        yield from self._ask(batch, entered)
        yield from self._bound(batch, entered)
        yield from _count(batch)
        return [None] * len(batch)

    def _enter_new(self, senders: Sequence[SqlRow]) -> Work[dict[object, object]]:
        """Adds new senders, and returns the id of each stored entry by the id of the new sender.

        The two ids differ if another message has added the sender before.
        """
        entered = {}
        for row in sorted(senders, key=lambda row: row[1:3]):  # sorted, so that two nodes never wait for each other
            yield self._sql["add_sender"], row
            entry = yield self._sql["sender_entry"], row[1:3]
            entered[row[0]] = entry[0]["id"]
        return entered

    def _ask(self, batch: Sequence[Rows], entered: Mapping[object, object]) -> Work[None]:
        """Writes new questions to owners, and marks the questions that these transactions ask.

        Raises _OvertakenError if another node has already asked one of them.
        """
        requests: dict[str, SqlRow] = {}
        for request in (request for rows in batch for request in rows.requests.values()):
            subject_id = str(entered.get(request.subject_id, request.subject_id))
            requests.setdefault(subject_id, request_row(replace(request, subject_id=subject_id)))
        yield from insert(REQUEST, [row for _, row in sorted(requests.items())])
        asked = sorted(subject_id for rows in batch for subject_id in rows.asked)
        if asked and len((yield spread(self._sql["asked"], (to_us(self._clock.now()),), asked))) < len(asked):
            raise _OvertakenError  # another node has put the question

    def _bound(self, batch: Sequence[Rows], entered: Mapping[object, object]) -> Work[None]:
        """Applies the limits of mail that waits for an owner. Raises _OvertakenError if one is exceeded."""
        limits = {}
        for limit in (limit for rows in batch for limit in rows.wait_limits):
            sender_id = str(entered.get(limit.sender_id, limit.sender_id))
            limits[limit.party_id, sender_id] = replace(limit, sender_id=sender_id)
        for _, limit in sorted(limits.items()):  # sorted, so that two nodes never wait for each other
            if not (yield from self._senders.bound(limit)):
                raise _OvertakenError

    def _resolve_late(self, messages: Sequence[SqlRow]) -> Work[None]:
        """Releases or returns mail whose sender was decided on between the judgement and this commit.

        The entry of a retired sender who writes again becomes pending.
        """
        held: dict[str, object] = {}
        for row in messages:
            if row[_STATE] == MessageState.HELD and row[_SENDER_ID] is not None:
                held.setdefault(str(row[_SENDER_ID]), row[_RECEIVED_AT])
        if held:
            for sender in (yield spread(self._sql["lock_senders"], (), sorted(held))):
                if sender["state"] == SenderState.RETIRED:
                    yield self._sql["unretire_sender"], (sender["id"], held[sender["id"]])
                yield from self._holds.resolve([sender["id"]], SenderState(sender["state"]), None)


def report(engine: Engine, written: Sequence[Rows]) -> None:
    """Registers the reports of the written rows with the engine, which calls them after the commit."""
    for rows in written:
        if rows.report is not None:
            engine.after_commit(rows.report)


def _take(batch: Sequence[Rows]) -> Work[None]:
    """Stores the signatures, sorted, so that two nodes never wait for each other.

    Raises _OvertakenError if one of them is stored already, or is twice in the batch. The engine then writes each
    transaction of the batch alone.
    """
    taken = sorted(row for rows in batch for row in rows.signatures)
    if len((yield from insert(SIGNATURE_TAKEN, taken))) < len(taken):
        raise _OvertakenError


def _size_bytes(record: MessageRecord) -> int:
    """Returns the size of the content that is stored with a record."""
    return len(record.original) + len(record.stranger_body)


def _count(batch: Sequence[Rows]) -> Work[None]:
    """Writes the quota use, the points of misuse and the notice log.

    This is the last step, because all messages of a busy seller lock the same row. The rows are unique and sorted, so
    that two nodes never wait for each other. Raises _OvertakenError if a limit is exceeded; the engine then writes each
    transaction of the batch alone.
    """
    uses: Counter[tuple[str, str, str]] = Counter()
    limits: dict[tuple[str, str, str], int] = {}
    told: dict[tuple[str, str], int] = {}
    for rows in batch:
        uses.update(rows.uses)
        limits.update(rows.limits)
        told.update(rows.told)
    for row in (yield from insert(QUOTA_MARK, sorted({mark for rows in batch for mark in rows.marked}))):
        uses[row["scope"], row["subject_id"], row["day"]] += 1
    counted = yield from insert(QUOTA_USE, [(*key, used) for key, used in sorted(uses.items())])
    for scope, subject_id, day, used in counted:
        if used > limits.get((scope, subject_id, day), used):
            raise _OvertakenError
    yield from insert(MISUSE, [row for rows in batch for row in rows.misuse])
    yield from insert(NOTICE_SENT, [(*key, at) for key, at in sorted(told.items())])
