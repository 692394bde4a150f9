"""The store's part for sender lists: the addresses that may write for a party.

An entry changes its state and is never deleted (R-SND-01, R-SND-03).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import msgspec

from relay.core.mail.address import fold, fold_entry
from relay.core.model.facts import Waiting
from relay.core.model.sender import DECIDED_STATES, Sender, SenderState
from relay.core.public_suffixes import organizational_domain
from relay.ports import Pending, Places, WaitLimit
from relay.store.base import Base, StorePart, from_us, to_us
from relay.store.crypto import Key, UnreadableError, Vault, identity
from relay.store.engine import Row, Work
from relay.store.holds import SqlHolds
from relay.store.statements import spread


class SealedSender(msgspec.Struct, array_like=True, frozen=True):
    """The personal data in a sender's row, which is stored encrypted."""

    address: str
    label: str
    added_by: str


def entry_of(sender_id: str, sealed: bytes, key: Key) -> SealedSender:
    return msgspec.json.decode(key.open(identity("sender", sender_id), sealed), type=SealedSender)


def seal_entry(sender_id: str, entry: SealedSender, key: Key) -> bytes:
    return key.seal(identity("sender", sender_id), msgspec.json.encode(entry))


_STATES: Final = {state.value: state for state in SenderState}


def sender_of(row: Row, key: Key) -> Sender:
    """Returns the sender of a row of the table `sender`. Raises UnreadableError if it cannot be decrypted."""
    entry = entry_of(row["id"], row["sealed"], key)
    return Sender(
        id=row["id"],
        party_id=row["party_id"],
        address=entry.address,
        state=_STATES[row["state"]],
        label=entry.label,
        added_by=entry.added_by,
        shared=bool(row["shared"]),
        was_retired=bool(row["was_retired"]),
    )


def domain_hash_of(vault: Vault, marketplace_id: str, address: str) -> bytes:
    """Returns the keyed hash of an address's organizational domain (the registered domain).

    `address` is a folded address, a folded domain, or `@domain`.
    """
    domain = address.rpartition("@")[2]
    return vault.address_hash(marketplace_id, f"@{organizational_domain(domain) or domain}")


class _Unit(NamedTuple):
    """Unlisted senders that take one place together.

    They are all senders of one organizational domain, or one address at a provider of mailboxes.
    """

    domain: bytes
    sender_ids: tuple[str, ...]
    held: int
    mails: int
    size_bytes: int


_Units = dict[tuple[bytes, bytes], _Unit]


class PendingPlaces:
    """Counts the unlisted senders of one party by the places that they take (R-SND-02)."""

    def __init__(self, vault: Vault, marketplace_id: str, places: Places) -> None:
        self._number = places.number
        self._own = domain_hash_of(vault, marketplace_id, fold(places.mailbox)) if places.mailbox else b""
        self._providers = {domain_hash_of(vault, marketplace_id, name) for name in places.providers}

    def key(self, domain_hash: bytes | None, address_hash: bytes) -> tuple[bytes, bytes]:
        """Returns the key of the unit (`_Unit`) that an entry belongs to.

        An entry without a domain is a unit of its own.
        """
        domain = bytes(domain_hash or address_hash)
        return domain, bytes(address_hash) if domain in self._providers else b""

    def by_domain(self, key: tuple[bytes, bytes]) -> bool:
        return not key[1]

    def units(self, rows: Sequence[Row]) -> _Units:
        """Returns the units (`_Unit`) by key from rows of the query `unlisted`, the longest waiting first."""
        units: _Units = {}
        for row in rows:
            key = self.key(row["domain_hash"], row["address_hash"])
            known = units.get(key, _Unit(key[0], (), 0, 0, 0))
            units[key] = _Unit(
                key[0],
                (*known.sender_ids, row["id"]),
                known.held + row["held"],
                known.mails + row["mails"],
                known.size_bytes + row["size_bytes"],
            )
        return units

    def to_give_way(self, units: _Units, key: tuple[bytes, bytes]) -> Sequence[_Unit] | None:
        """Returns the units that must give way so that the unit `key` gets a place; None if it cannot get one.

        A unit is a group of senders that take one place together. The units of other domains that have waited longest
        give way. Units at the domain of the party's own mailbox never give way, and one place is kept for them.
        """
        others = [(other, unit) for other, unit in units.items() if unit.held and other != key]
        strangers = [(other, unit) for other, unit in others if unit.domain != self._own]
        is_own = key[0] == self._own
        kept = self._number - (0 if is_own or not self._own else 1)
        excess = max(len(strangers) + (not is_own) - kept, len(others) + 1 - self._number, 0)
        giving = [unit for other, unit in strangers if unit.domain != key[0]][:excess]
        return giving if len(giving) == excess else None


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
            domain_hash = domain_hash_of(self._vault, owner["marketplace_id"], folded)
            yield (
                self._sql["add_sender"],
                (sender_id, party_id, address_hash, sealed, is_domain, int(shared), state.value, now, domain_hash),
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

    def retire_mailbox(self, party_id: str, folded: str) -> Work[None]:
        """Retires the approved entry of a former mailbox, unless somebody has added the address as a sender too."""
        owner, key = yield from self._owner(party_id)
        rows = yield self._sql["sender_entry"], (party_id, self._vault.address_hash(owner["marketplace_id"], folded))
        for row in rows:
            entry = sender_of(row, key)
            if entry.state is SenderState.APPROVED and entry.added_by == "mailbox":
                yield from self._flip([entry.id], SenderState.RETIRED, None)

    def _owner(self, party_id: str) -> Work[tuple[Row, Key]]:
        rows = yield self._sql["sender_owner"], (party_id,)
        if not rows:
            raise ValueError("there is no such party")
        return rows[0], self._vault.holder(party_id, rows[0]["wrapped"])

    async def flip_many(
        self, party_id: str, addresses: Sequence[str], state: SenderState, *, by: str, with_notice: bool = False
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
            # The ids are sorted, so that two transactions never wait for each other.
            changed = yield from self._change_states(sorted({row["id"] for row in entries}), state)
            if with_notice and state is SenderState.BLOCKED:
                yield from self._holds.refuse_all(changed, by)
            elif with_notice and state is SenderState.RETIRED:
                pending = [row["id"] for row in entries if row["state"] == SenderState.UNKNOWN]
                yield from self._holds.refuse_all(pending, by)
            yield from self._holds.resolve(changed, state, by)
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
        """Changes the state of the entries, and releases or returns their held mail."""
        changed = yield from self._change_states(sender_ids, state)
        yield from self._holds.resolve(changed, state, by)

    def _change_states(self, sender_ids: Sequence[str], state: SenderState) -> Work[list[str]]:
        """Changes the state of the entries, and returns the ids of all entries that are decided by this.

        A decision on a domain also decides the pending addresses of that domain, and their entries are retired. A
        change to the present state changes nothing.
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
        return meant

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

    async def of_party(self, party_id: str) -> Sequence[Sender]:
        return _readable(await self._read("senders", party_id), self._vault)

    async def confirm_domain(self, party_id: str, domain: str, *, confirmed: bool, by: str) -> bool:
        def write() -> Work[bool]:
            owner, key = yield from self._owner(party_id)
            domain_hash, now = self._domain_hash(owner["marketplace_id"], domain), to_us(self._clock.now())
            if confirmed:
                sealed = key.seal(_domain_identity(party_id, domain_hash), domain.encode())
                yield self._sql["add_signing_domain"], (party_id, domain_hash, sealed, now)
            changed = yield self._sql["confirm_signing_domain"], (party_id, domain_hash, int(confirmed), now)
            if changed and confirmed:
                yield from self._holds.release_for_domain(party_id, domain_hash, by)
            return bool(changed)

        return await self._engine.write(write)

    async def has_confirmed(self, party_id: str, domains: Sequence[str]) -> bool:
        owner = await self._first("sender_owner", party_id)
        if owner is None or not domains:
            return False
        hashes = [self._domain_hash(owner["marketplace_id"], domain) for domain in domains]
        sql, params = spread(self._sql["confirmed_domain"], (party_id,), hashes)
        return bool(await self._engine.read(sql, *params))

    async def confirmed_domains(self, party_id: str) -> Sequence[str]:
        domains = []
        for row in await self._read("signing_domains", party_id):
            try:
                key = self._vault.holder(party_id, row["wrapped"])
                domains.append(key.open(_domain_identity(party_id, row["domain_hash"]), row["sealed"]).decode())
            except UnreadableError:
                continue
        return sorted(domains)

    def _domain_hash(self, marketplace_id: str, domain: str) -> bytes:
        return self._vault.address_hash(marketplace_id, domain)

    async def listed_elsewhere(self, marketplace_id: str, party_id: str, address: str) -> bool:
        address_hash = self._vault.address_hash(marketplace_id, address)
        return bool(await self._read("listed_elsewhere", address_hash, party_id))

    async def waiting(self, marketplace_id: str, party_id: str, address: str, places: Places) -> Waiting:
        counted = PendingPlaces(self._vault, marketplace_id, places)
        key = counted.key(
            domain_hash_of(self._vault, marketplace_id, address), self._vault.address_hash(marketplace_id, address)
        )
        units = counted.units(await self._read("unlisted", party_id, to_us(places.since)))
        mine = units.get(key)
        return Waiting(
            has_place=counted.to_give_way(units, key) is not None,
            mails=mine.mails if mine else 0,
            size_bytes=mine.size_bytes if mine else 0,
            by_domain=counted.by_domain(key),
        )

    async def unproven(self, sender_id: str) -> Waiting:
        [row] = await self._read("unproven", sender_id)
        return Waiting(mails=row["mails"], size_bytes=row["size_bytes"], by_domain=False)

    def bound(self, limit: WaitLimit) -> Work[bool]:
        """Returns whether the mail of a sender is within its limits, and makes room for an unlisted sender.

        To make room, held mail of other unlisted senders is returned. The mail of the transaction is already written
        and is counted. A sender about whom the party has decided needs no place, and only its unproven mail is limited.
        """
        party = yield self._sql["lock_party"], (limit.party_id,)
        state = yield self._sql["state_of_sender"], (limit.sender_id,)
        if state[0]["state"] != SenderState.UNKNOWN:
            [row] = yield self._sql["unproven"], (limit.sender_id,)
            return bool(row["mails"] <= limit.mails and row["size_bytes"] <= limit.size_bytes)
        counted = PendingPlaces(self._vault, party[0]["marketplace_id"], limit.places)
        units = counted.units((yield self._sql["unlisted"], (limit.party_id, to_us(limit.places.since))))
        key, mine = next((key, unit) for key, unit in units.items() if limit.sender_id in unit.sender_ids)
        giving = counted.to_give_way(units, key)
        if giving is None or mine.mails > limit.mails or mine.size_bytes > limit.size_bytes:
            return False
        yield from self._holds.give_way([sender_id for unit in giving for sender_id in unit.sender_ids])
        return True

    async def listed_by_counterpart(self, marketplace_id: str, party_id: str, address: str) -> bool:
        whole = address[address.rindex("@") :]
        hashes = (self._vault.address_hash(marketplace_id, one) for one in (address, whole))
        return bool(await self._read("listed_by_counterpart", party_id, *hashes))

    async def mend(self) -> None:
        """Adds the missing values to entries of earlier versions, and removes the effect of entries at alias domains.

        Earlier versions accepted entries at the domains of aliases (R-OUT-08). Such an entry becomes one that was never
        decided on, so that it does not count as an address of the party. Its held mail is due to be returned, and a
        party with that address as its mailbox has no mailbox any more.
        """
        while await self._engine.write(self._mend_some):
            pass

    def _mend_some(self) -> Work[bool]:
        rows = yield self._sql["senders_of_older_relay"], ()
        if not rows:
            return False
        own = {row["domain"] for row in (yield self._sql["alias_domains"], ())}
        for row in rows:
            found = _readable([row], self._vault)
            domain_hash = domain_hash_of(self._vault, row["marketplace_id"], found[0].address) if found else b""
            yield self._sql["set_domain_hash"], (row["id"], domain_hash)
            if found and found[0].address.rpartition("@")[2] in own:
                yield self._sql["disown_sender"], (row["id"],)
                yield self._sql["disown_mailbox"], (row["party_id"], row["address_hash"])
                yield from self._holds.give_way([row["id"]])
        return True


def _domain_identity(party_id: str, domain_hash: bytes) -> bytes:
    return identity("signing_domain", party_id, domain_hash.hex())


def _readable(rows: Sequence[Row], vault: Vault) -> Sequence[Sender]:
    """Returns the entries that can be decrypted.

    For an erased party only hashes are left, so its entries are missing.
    """
    senders = []
    for row in rows:
        try:
            senders.append(sender_of(row, vault.holder(row["party_id"], row["wrapped"])))
        except UnreadableError:
            continue
    return senders
