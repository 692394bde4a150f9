"""Sender lists: who may write for a party. Entries are flipped, never deleted (R-SND-01, R-SND-03)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import msgspec

from relay.core.mail.address import fold, fold_domain
from relay.core.model.sender import DECIDED_STATES, Sender, SenderState
from relay.ports import Pending
from relay.store.base import Base, StorePart, from_us, to_us
from relay.store.crypto import Key, UnreadableError, Vault, identity
from relay.store.engine import Row, Work
from relay.store.holds import SqlHolds


class SealedSender(msgspec.Struct, array_like=True, frozen=True):
    """The encrypted values of a sender's row: its personal data."""

    address: str
    label: str
    added_by: str


def entry_of(sender_id: str, sealed: bytes, key: Key) -> SealedSender:
    return msgspec.json.decode(key.open(identity("sender", sender_id), sealed), type=SealedSender)


def seal_entry(sender_id: str, entry: SealedSender, key: Key) -> bytes:
    return key.seal(identity("sender", sender_id), msgspec.json.encode(entry))


def sender_of(row: Row, key: Key) -> Sender:
    """Returns the sender of a `sender` row. Raises UnreadableError."""
    entry = entry_of(row["id"], row["sealed"], key)
    return Sender(
        id=row["id"],
        party_id=row["party_id"],
        address=entry.address,
        state=SenderState(row["state"]),
        label=entry.label,
        added_by=entry.added_by,
        shared=bool(row["shared"]),
        was_retired=bool(row["was_retired"]),
    )


def fold_entry(address: str) -> str:
    """Returns the folded form of `local@domain` or `@domain`. Raises AddressError."""
    return "@" + fold_domain(address[1:]) if address.startswith("@") else fold(address)


class SqlSenders(StorePart):
    def __init__(self, base: Base, holds: SqlHolds) -> None:
        super().__init__(base)
        self._holds = holds

    async def put(
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

        def write() -> Work[Sender]:
            return (yield from self.enter(party_id, folded, state, label=label, added_by=added_by, shared=shared))

        return await self._engine.write(write)

    def enter(
        self,
        party_id: str,
        folded: str,
        state: SenderState,
        *,
        label: str = "",
        added_by: str = "",
        shared: bool = False,
    ) -> Work[Sender]:
        owner, key = yield from self._owner(party_id)
        address_hash = self._vault.address_hash(owner["marketplace_id"], folded)
        known = yield self._sql["sender_entry"], (party_id, address_hash)
        if not known:
            sender_id = self._ids.new()
            sealed = seal_entry(sender_id, SealedSender(folded, label, added_by), key)
            is_domain, now = int(folded.startswith("@")), to_us(self._clock.now())
            yield (
                self._sql["add_sender"],
                (sender_id, party_id, address_hash, sealed, is_domain, int(shared), state.value, now),
            )
            if is_domain:
                yield from self._flip([sender_id], state, None)
        else:
            sender_id = known[0]["id"]
            old = entry_of(sender_id, known[0]["sealed"], key)
            entry = SealedSender(folded, label or old.label, added_by or old.added_by)
            shared = shared or bool(known[0]["shared"])
            yield self._sql["change_sender"], (sender_id, seal_entry(sender_id, entry, key), int(shared))
            yield from self._flip([sender_id], state, None)
        rows = yield self._sql["sender_entry"], (party_id, address_hash)
        return sender_of(rows[0], key)

    def _owner(self, party_id: str) -> Work[tuple[Row, Key]]:
        rows = yield self._sql["sender_owner"], (party_id,)
        if not rows:
            raise ValueError("there is no such party")
        return rows[0], self._vault.holder(party_id, rows[0]["wrapped"])

    async def flip_many(
        self, party_id: str, addresses: Sequence[str], state: SenderState, *, by: str
    ) -> Sequence[Sender]:
        folded = [fold_entry(address) for address in addresses]

        def write() -> Work[Sequence[Sender]]:
            owner, key = yield from self._owner(party_id)
            entries: list[Row] = []
            for address in folded:
                address_hash = self._vault.address_hash(owner["marketplace_id"], address)
                found = yield self._sql["sender_entry"], (party_id, address_hash)
                if not found:
                    raise ValueError("the party's list has no such sender")
                entries += found
            # In one order, so that no two transactions wait for each other.
            yield from self._flip(sorted({row["id"] for row in entries}), state, by)
            return [replace(sender_of(row, key), state=state) for row in entries]

        return await self._engine.write(write)

    async def flip(self, sender_id: str, state: SenderState, *, by: str) -> Sender | None:
        def write() -> Work[Sender | None]:
            found = _readable((yield self._sql["sender"], (sender_id,)), self._vault)
            if not found:
                return None
            yield from self._flip([sender_id], state, by)
            return replace(found[0], state=state)

        return await self._engine.write(write)

    def _flip(self, sender_ids: Sequence[str], state: SenderState, by: str | None) -> Work[None]:
        """Changes the state of the entries, and releases or returns their held mail.

        Deciding on a domain also decides its pending addresses, which are retired. Setting the same state again changes
        nothing.
        """
        now = to_us(self._clock.now())
        meant = list(sender_ids)
        for sender_id in sender_ids:
            yield self._sql["flip_sender"], (sender_id, state.value, now)
            if state in DECIDED_STATES:
                rows = yield self._sql["pending_beside"], (sender_id,)
                whole = _readable([row for row in rows if row["id"] == sender_id], self._vault)
                for sender in _readable(rows, self._vault) if whole else ():
                    if sender.address.endswith(whole[0].address) and sender.id != sender_id:
                        yield self._sql["flip_sender"], (sender.id, SenderState.RETIRED.value, now)
                        meant.append(sender.id)
        yield from self._holds.resolve(meant, state, by)

    async def get(self, sender_id: str) -> Sender | None:
        found = _readable(await self._read("sender", sender_id), self._vault)
        return found[0] if found else None

    async def pending(self, party_id: str) -> Sequence[Pending]:
        rows = await self._read("pending", party_id)
        return [
            Pending(sender=sender, since=from_us(row["changed_at"]), held=row["held"])
            for row in rows
            for sender in _readable([row], self._vault)
        ]

    async def parties_due_for_digest(self, before: datetime) -> Sequence[str]:
        return [row["party_id"] for row in await self._engine.read_bulk(self._sql["waiting_parties"], to_us(before))]

    async def of_party(self, party_id: str) -> Sequence[Sender]:
        return _readable(await self._read("senders", party_id), self._vault)

    async def listed_elsewhere(self, marketplace_id: str, party_id: str, address: str) -> bool:
        address_hash = self._vault.address_hash(marketplace_id, address)
        return bool(await self._read("listed_elsewhere", address_hash, party_id))

    async def pending_count(self, party_id: str) -> int:
        return int((await self._read("pending_senders", party_id))[0]["pending"])


def _readable(rows: Sequence[Row], vault: Vault) -> Sequence[Sender]:
    """Returns the entries that can be decrypted; of an erased party only the hashes are left."""
    senders = []
    for row in rows:
        try:
            senders.append(sender_of(row, vault.holder(row["party_id"], row["wrapped"])))
        except UnreadableError:
            continue
    return senders
