"""A store with one buyer and one seller, and short ways to build the values that a test stores."""

import hashlib
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from relay import store
from relay.core.bounce.keeping import ReportLimits
from relay.core.mail.edits import Edit
from relay.core.model.event import Event, EventData, EventType, ReportData
from relay.core.model.item import Hold, Item, ItemKind, ItemState
from relay.core.model.kind import Kind
from relay.core.model.message import MessageState
from relay.core.model.pair import Pair
from relay.core.model.party import Role
from relay.core.rewrite.plan import Change
from relay.ports import (
    Acceptance,
    MessageRecord,
    OutgoingNotice,
    RecordDetail,
    Report,
    ReportSource,
    Settlement,
    Store,
)
from relay.store import SqlStore
from relay.store.crypto import MasterKeys
from relay.store.engine import Row, Work
from tests.support.claims import claimed
from tests.support.fakes import ManualClock

START = datetime(2026, 3, 1, 9, 0, 0, 123456, tzinfo=UTC)
SECRET = bytes(range(32))
BUYER = "Hanako.Buyer@mail.example"
SELLER = "shop@seller.example"


class RisingIds:
    def __init__(self, prefix: str = "0") -> None:
        self._prefix = prefix
        self._last = 0

    def new(self) -> str:
        self._last += 1
        return f"{self._prefix}{self._last:025}"

    def entropy(self, size: int) -> bytes:
        return os.urandom(size)


@dataclass
class Database:
    """A database. Each `node` is a separate store on it, as another process would open it."""

    url: str
    directory: Path
    clock: ManualClock = field(default_factory=lambda: ManualClock(START))
    master: MasterKeys = field(default_factory=lambda: MasterKeys([SECRET]))
    _nodes: int = 0

    @property
    def is_sqlite(self) -> bool:
        return self.url.startswith("sqlite")

    @property
    def file(self) -> Path:
        return self.directory / self.url.removeprefix("sqlite:")

    def unopened(self) -> SqlStore:
        self._nodes += 1
        return store.connect(self.url, self.directory, self.master, self.clock, RisingIds(str(self._nodes)))

    @asynccontextmanager
    async def node(self) -> AsyncIterator[SqlStore]:
        node = self.unopened()
        await node.open()
        try:
            yield node
        finally:
            await node.close()


@dataclass
class StoreEnv:
    """A store with the marketplace `m`, and a buyer and a seller who are a pair."""

    database: Database
    store: SqlStore
    pair: Pair
    ids: RisingIds

    @classmethod
    async def of(cls, database: Database, node: SqlStore) -> "StoreEnv":
        return cls(database, node, await make_pair(node), RisingIds("w"))

    def record(
        self,
        author: Role = Role.SELLER,
        *,
        pair: Pair | None = None,
        state: MessageState = MessageState.QUEUED,
        **more: Any,
    ) -> MessageRecord:
        pair = pair or self.pair
        record = MessageRecord(
            id=self.ids.new(),
            marketplace_id=pair.marketplace_id,
            key_holder_id=pair.side(author).party.id,
            pair_id=pair.id,
            author_id=pair.side(author).party.id,
            author_role=author,
            recipient_id=pair.side(author.other).party.id,
            sender_id=None,
            order_id=None,
            kind=Kind.OTHER,
            state=state,
            received_at=self.database.clock.now(),
            mail_from=SELLER,
            subject="ご注文について",
            original_message_id="original-1@seller.example",
            original=b"Subject: x\r\n\r\nConfidential body of the message.\r\n",
            header=b"Subject: x\r\n",
            edits=(Edit(3, 5, b"\xff\x00"),),
            changes=(Change("address", "1.2", 3, 5, "scrub"),),
            policy_version="builtin-1",
            detail=RecordDetail(tls=True, size_bytes=48),
        )
        return replace(record, **more)

    def item(self, record: MessageRecord, state: ItemState = ItemState.QUEUED, **more: Any) -> Item:
        item = Item(
            id=self.ids.new(),
            message_id=record.id,
            marketplace_id=record.marketplace_id,
            kind=ItemKind.RELAY,
            state=state,
            recipient_id=record.recipient_id,
            address=None,
            destination="mail.example",
            queued_at=record.received_at,
            due_at=record.received_at,
        )
        if state is ItemState.HELD:
            item = replace(item, hold=Hold.DECISION, awaits_sender=True, due_at=record.received_at + timedelta(days=14))
        return replace(item, **more)

    def notice(
        self, record: MessageRecord, address: str = SELLER, content: bytes = b"could not deliver\r\n"
    ) -> OutgoingNotice:
        item = self.item(record, kind=ItemKind.NOTICE, recipient_id=None, address=address, destination="seller.example")
        return OutgoingNotice(item=item, key_holder_id=record.key_holder_id, content=content)

    def report(
        self, item: Item, type_: EventType = EventType.BOUNCED, content: bytes = b"it bounced\r\n", **more: Any
    ) -> Report:
        """Returns a report about an item with room for two; `notice` is whether it comes with a notice."""
        data = ReportData(by="report", size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        event = Event(
            id=self.ids.new(), message_id=item.message_id, at=self.database.clock.now(), type=type_, data=data
        )
        notice_event = None
        if more.get("notice") is not None:
            word = "reported_undeliverable" if type_ is EventType.REPORTED_UNDELIVERABLE else "refused"
            notice_event = self.event(item.message_id, EventType.NOTICE_QUEUED, notice="n", type="t", reason=word)
        source = ReportSource(client_ip="192.0.2.9", helo="mx.evil.example", mail_from="", names=("a.evil.example",))
        given = {"limits": ReportLimits(reports=2, size_bytes=1_000), "notice_event": notice_event} | more
        return Report(item_id=item.id, event=event, content=content, source=source, **given)

    def event(self, record_id: str, type_: EventType = EventType.RECEIVED, **data: str | int) -> Event:
        return Event(
            id=self.ids.new(),
            message_id=record_id,
            at=self.database.clock.now(),
            type=type_,
            data=cast("EventData", data),
        )

    def acceptance(self, record: MessageRecord, *items: Item, **more: Any) -> Acceptance:
        acceptance = Acceptance(
            records=(record,),
            events=(self.event(record.id),),
            items=items,
            owner="node-1",
            lease_until=self.database.clock.now() + timedelta(seconds=300),
        )
        return replace(acceptance, **more)

    async def accepted(self, record: MessageRecord, state: ItemState = ItemState.QUEUED) -> Item:
        """Stores a record with its queue item, and returns the item."""
        item = self.item(record, state)
        await self.store.acceptances.add(self.acceptance(record, item))
        return item

    def ended(self, item: Item, state: ItemState, **more: Any) -> Settlement:
        """Returns the settlement of an attempt by node-1."""
        made = Settlement(item=item, owner="node-1", state=state, due_at=self.database.clock.now(), events=())
        return replace(made, **more)

    async def claim(self, owner: str = "node-1", *, limit: int = 10, node: Store | None = None) -> list[Item]:
        queue = (node or self.store).queue
        return await claimed(queue, owner, self.database.clock.now(), limit=limit, lease_s=300, horizon_s=864_000)

    async def drained(self) -> list[list[Item]]:
        """Claims and delivers until nothing is due, and returns the items of each claim."""
        rounds = []
        while claimed := await self.claim(limit=50):
            rounds.append(claimed)
            for item in claimed:
                assert await self.store.queue.settle(self.ended(item, ItemState.ACCEPTED))
        return rounds


async def execute(node: SqlStore, sql: str, *params: object) -> None:
    """Runs one statement in a transaction of its own."""

    def work() -> Work[None]:
        yield sql, params

    await node.base.engine.write(work)


async def select(node: SqlStore, sql: str, *params: object) -> Sequence[Row]:
    """The rows of a query of the test's own, past the parts of the store."""
    return await node.base.engine.read(sql, *params)


async def make_pair(node: Store, marketplace: str = "m", buyer: str = "b-1", seller: str = "s-1") -> Pair:
    a = await node.parties.put(marketplace, Role.BUYER, buyer, mailbox=BUYER, locale="ja", display_name="花子")
    b = await node.parties.put(marketplace, Role.SELLER, seller, mailbox=SELLER, locale="en", display_name="Shop")
    domains = {Role.BUYER: "market.example", Role.SELLER: "m.market.example"}
    return await node.pairs.put(marketplace, a.id, b.id, domains)
