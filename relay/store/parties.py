"""The store's part for parties and their mailboxes."""

from collections.abc import Sequence

import msgspec

from relay.core.mail.address import fold
from relay.core.model.party import Party, PartySettings, PartyState, Role, SettingsUpdate
from relay.core.model.sender import SenderState
from relay.store.base import Base, StorePart, to_us
from relay.store.crypto import Key, UnreadableError, Vault, identity
from relay.store.engine import Row, Work
from relay.store.senders import SqlSenders


def name_of(party_id: str, sealed: bytes, key: Key) -> str:
    return key.open(identity("party", party_id), sealed).decode() if sealed else ""


def party_of(row: Row, vault: Vault) -> Party:
    """Returns the party of a row of the table `party`. The column `wrapped` is the encrypted key of the party.

    The name of an erased party is empty.
    """
    try:
        name = name_of(row["id"], row["sealed_name"], vault.holder(row["id"], row["wrapped"]))
    except UnreadableError:
        name = ""
    return named_party(row["id"], row, name)


def named_party(party_id: str, row: Row, name: str) -> Party:
    """Returns the party of a row with the columns of a party. `name` is its decrypted name."""
    return Party(
        id=party_id,
        marketplace_id=row["marketplace_id"],
        role=Role(row["role"]),
        external_ref=row["external_ref"],
        state=PartyState(row["state"]),
        locale=row["locale"],
        display_name=name,
        settings=_settings_of(row),
    )


def _settings_of(row: Row) -> PartySettings:
    return msgspec.json.decode(row["settings"], type=PartySettings)


class SqlParties(StorePart):
    def __init__(self, base: Base, senders: SqlSenders) -> None:
        super().__init__(base)
        self._senders = senders

    async def put(
        self,
        marketplace_id: str,
        role: Role,
        external_ref: str,
        *,
        mailbox: str | None = None,
        retire_former: bool = False,
        locale: str | None = None,
        display_name: str | None = None,
        state: PartyState | None = None,
        settings: SettingsUpdate | None = None,
    ) -> Party:
        folded = fold(mailbox) if mailbox is not None else ""

        def write() -> Work[Party]:
            fresh_id = self._ids.new()
            yield self._sql["add_marketplace"], (marketplace_id,)
            rows = yield (
                self._sql["put_party"],
                (fresh_id, marketplace_id, role.value, external_ref, state and state.value, locale, b""),
            )
            party_id = rows[0]["id"]
            if party_id == fresh_id:
                yield self._sql["add_holder_key"], (party_id, self._vault.new_holder(party_id))
            rows = yield self._sql["party"], (party_id,)
            key = self._vault.holder(party_id, rows[0]["wrapped"])
            if display_name is not None:
                sealed = key.seal(identity("party", party_id), display_name.encode()) if display_name else b""
                yield self._sql["set_party_name"], (party_id, sealed)
            if settings is not None:  # `put_party` has locked the row, so no values of another command are lost
                changed = settings.applied_to(_settings_of(rows[0]))
                yield self._sql["set_party_settings"], (party_id, msgspec.json.encode(changed).decode())
            if mailbox is not None:
                yield from self._change_mailbox(rows[0], key, mailbox, folded, retire_former=retire_former)
            rows = yield self._sql["party"], (party_id,)
            return party_of(rows[0], self._vault)

        return await self._engine.write(write)

    def _change_mailbox(self, party: Row, key: Key, mailbox: str, folded: str, *, retire_former: bool) -> Work[None]:
        """Adds the mailbox to the history, makes it current, and approves it as a sender (R-ADR-04, R-SND-01)."""
        former = ""
        if party["mailbox_id"] is not None:
            former = key.open(identity("mailbox", party["mailbox_id"]), party["sealed_mailbox"]).decode()
            if former == mailbox:
                return
        mailbox_id = self._ids.new()
        address_hash = self._vault.address_hash(party["marketplace_id"], folded)
        sealed = key.seal(identity("mailbox", mailbox_id), mailbox.encode())
        added_at = to_us(self._clock.now())
        yield self._sql["add_mailbox"], (mailbox_id, party["id"], address_hash, sealed, added_at)
        yield self._sql["set_party_mailbox"], (party["id"], mailbox_id)
        yield from self._senders.enter(party["id"], folded, SenderState.APPROVED, added_by="mailbox")
        if retire_former and former and fold(former) != folded:
            yield from self._senders.retire_mailbox(party["id"], fold(former))

    async def by_ref(self, marketplace_id: str, role: Role, external_ref: str) -> Party | None:
        row = await self._first("party_by_ref", marketplace_id, role.value, external_ref)
        return party_of(row, self._vault) if row else None

    async def get(self, party_id: str) -> Party | None:
        row = await self._first("party", party_id)
        return party_of(row, self._vault) if row else None

    async def in_marketplace(self, marketplace_id: str, role: Role | None = None) -> Sequence[Party]:
        rows = await self._engine.read_bulk(self._sql["parties"], marketplace_id, role and role.value)
        return [party_of(row, self._vault) for row in rows]

    async def mailbox(self, party_id: str) -> str | None:
        row = await self._first("mailbox", party_id)
        if row is None:
            return None
        try:
            key = self._vault.holder(party_id, row["wrapped"])
            return key.open(identity("mailbox", row["id"]), row["sealed"]).decode()
        except UnreadableError:
            return None
