"""Sender lists, what a flip does to held mail, and opt-outs."""

from collections.abc import Sequence

import msgspec

from relay.core.address import fold, fold_domain
from relay.core.model.event import Event, EventType
from relay.core.model.kind import Kind
from relay.core.model.message import MessageState
from relay.core.model.optout import OptOut
from relay.core.model.sender import Sender, SenderState
from relay.store.base import Base, from_us, to_us
from relay.store.contents import EVENT, event_row
from relay.store.crypto import Key, UnreadableError, Vault, identity
from relay.store.engine import Row, Work
from relay.store.statements import insert, values


class Entry(msgspec.Struct, array_like=True, frozen=True):
    """The sealed half of a sender's row: its personal data."""

    address: str
    label: str
    added_by: str


def entry_of(sender_id: str, sealed: bytes, key: Key) -> Entry:
    return msgspec.json.decode(key.open(identity("sender", sender_id), sealed), type=Entry)


def seal_entry(sender_id: str, entry: Entry, key: Key) -> bytes:
    return key.seal(identity("sender", sender_id), msgspec.json.encode(entry))


def sender_of(row: Row, key: Key) -> Sender:
    """From a `sender` row. Raises UnreadableError."""
    entry = entry_of(row["id"], row["sealed"], key)
    return Sender(
        id=row["id"],
        party_id=row["party_id"],
        address=entry.address,
        state=SenderState(row["state"]),
        label=entry.label,
        added_by=entry.added_by,
        shared=bool(row["shared"]),
    )


def fold_entry(address: str) -> str:
    """`local@domain` or `@domain`, folded. Raises AddressError."""
    return "@" + fold_domain(address[1:]) if address.startswith("@") else fold(address)


class SenderVerbs(Base):
    async def put_sender(
        self,
        party_id: str,
        address: str,
        state: SenderState,
        *,
        label: str = "",
        added_by: str = "",
        shared: bool = False,
    ) -> Sender:
        folded = fold_entry(address)

        def put() -> Work[Sender]:
            return (
                yield from self._enter_sender(party_id, folded, state, label=label, added_by=added_by, shared=shared)
            )

        return await self._engine.write(put)

    def _enter_sender(
        self,
        party_id: str,
        folded: str,
        state: SenderState,
        *,
        label: str = "",
        added_by: str = "",
        shared: bool = False,
    ) -> Work[Sender]:
        owner = yield self._sql["sender_owner"], (party_id,)
        if not owner:
            raise ValueError("there is no such party")
        key = self._vault.holder(party_id, owner[0]["wrapped"])
        address_hash = self._vault.address_hash(owner[0]["marketplace_id"], folded)
        now = to_us(self._clock.now())
        known = yield self._sql["sender_entry"], (party_id, address_hash)
        if not known:
            sender_id = self._ids.new()
            sealed = seal_entry(sender_id, Entry(folded, label, added_by), key)
            is_domain = int(folded.startswith("@"))
            yield (
                self._sql["add_sender"],
                (sender_id, party_id, address_hash, sealed, is_domain, int(shared), state.value, now),
            )
        else:
            sender_id = known[0]["id"]
            old = entry_of(sender_id, known[0]["sealed"], key)
            entry = Entry(folded, label or old.label, added_by or old.added_by)
            shared = shared or bool(known[0]["shared"])
            sealed = seal_entry(sender_id, entry, key)
            yield self._sql["change_sender"], (sender_id, state.value, sealed, int(shared), now)
            if known[0]["state"] != state:
                yield from self._resolve_held(sender_id, state)
        rows = yield self._sql["sender_entry"], (party_id, address_hash)
        return sender_of(rows[0], key)

    def _resolve_held(self, sender_id: str, state: SenderState) -> Work[None]:
        """Approval releases what was held for the sender, in the order it came; a block returns it (R-SND-02)."""
        if state not in (SenderState.APPROVED, SenderState.BLOCKED):
            return
        held = yield self._sql["held_for_sender"], (sender_id,)
        yield from self._move_held(held, {"sender": state.value}, released=state is SenderState.APPROVED)

    async def release_hold(self, message_id: str, by: str) -> bool:
        def release() -> Work[bool]:
            held = yield self._sql["held"], (message_id,)
            return (yield from self._move_held(held, {"by": by}, released=True)) > 0

        return await self._engine.write(release)

    def _move_held(self, held: Sequence[Row], data: dict[str, str | int], *, released: bool) -> Work[int]:
        """Held items on their way, or back, with their messages and an event each; how many."""
        move = self._sql["release_held" if released else "return_held"]
        now = self._clock.now()
        messages: list[tuple[str, str]] = []
        events: list[Event] = []
        for number, row in enumerate(held):
            # One microsecond apart, so that they leave in that order.
            if (yield move, (row["id"], to_us(now) + number) if released else (row["id"],)):
                messages.append((row["message_id"], MessageState.QUEUED if released else MessageState.RETURNED))
                events.append(
                    Event(
                        id=self._ids.new(),
                        message_id=row["message_id"],
                        at=now,
                        type=EventType.RELEASED if released else EventType.RETURNED,
                        data=data,
                    )
                )
        if messages:
            yield values(self._sql["settle_messages"], ("TEXT", "TEXT"), messages)
            yield from insert(EVENT, [event_row(event) for event in events])
        return len(messages)

    async def senders(self, party_id: str) -> Sequence[Sender]:
        return _readable(await self._read("senders", party_id), self._vault)

    async def listed_elsewhere(self, marketplace_id: str, party_id: str, address: str) -> bool:
        address_hash = self._vault.address_hash(marketplace_id, address)
        return bool(await self._read("listed_elsewhere", address_hash, party_id))

    async def pending_senders(self, party_id: str) -> int:
        return int((await self._read("pending_senders", party_id))[0]["pending"])

    async def put_opt_out(self, opt_out: OptOut, *, out: bool) -> None:
        row = (
            opt_out.buyer_id,
            opt_out.seller_id or "",
            opt_out.kind.value if opt_out.kind else "",
            int(out),
            opt_out.source,
            to_us(opt_out.changed_at),
        )

        def put() -> Work[None]:
            yield self._sql["put_opt_out"], row
            yield self._sql["log_opt_out"], (self._ids.new(), *row)

        await self._engine.write(put)

    async def opt_outs(self, buyer_id: str, seller_id: str) -> Sequence[OptOut]:
        return [
            OptOut(
                buyer_id=row["buyer_id"],
                seller_id=row["seller_id"] or None,
                kind=Kind(row["kind"]) if row["kind"] else None,
                source=row["source"],
                changed_at=from_us(row["changed_at"]),
            )
            for row in await self._read("opt_outs", buyer_id, seller_id)
        ]


def _readable(rows: Sequence[Row], vault: Vault) -> Sequence[Sender]:
    """The entries that still open; those of an erased party are known by their hash alone."""
    senders = []
    for row in rows:
        try:
            senders.append(sender_of(row, vault.holder(row["party_id"], row["wrapped"])))
        except UnreadableError:
            continue
    return senders
