"""Parties, their mailboxes and their app passwords."""

from collections.abc import Sequence
from typing import Any

import msgspec

from relay.core.mail.address import AddressError, fold
from relay.core.model.party import Party, PartySettings, PartyState, Role, SettingsUpdate
from relay.core.model.sender import SenderState
from relay.store.base import to_us
from relay.store.crypto import Key, UnreadableError, Vault, identity
from relay.store.engine import Row, Work
from relay.store.senders import SenderVerbs
from relay.store.statements import spread

_LIVE_PASSWORDS = 2


def name_of(party_id: str, sealed: bytes, key: Key) -> str:
    return key.open(identity("party", party_id), sealed).decode() if sealed else ""


def party_of(row: Row, vault: Vault) -> Party:
    """From a `party` row with its holder's key as `wrapped`; the name of an erased party is empty."""
    try:
        name = name_of(row["id"], row["sealed_name"], vault.holder(row["id"], row["wrapped"]))
    except UnreadableError:
        name = ""
    return named_party(row["id"], row, name)


def named_party(party_id: str, row: Row, name: str) -> Party:
    """From a `party` or `pair_side` row and what its sealed name opened to."""
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


class PartyVerbs(SenderVerbs):
    async def put_party(
        self,
        marketplace_id: str,
        role: Role,
        external_ref: str,
        *,
        mailbox: str | None = None,
        locale: str | None = None,
        display_name: str | None = None,
        state: PartyState | None = None,
        settings: SettingsUpdate | None = None,
    ) -> Party:
        folded = fold(mailbox) if mailbox is not None else ""

        def put() -> Work[Party]:
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
            if settings is not None:  # the row is locked since `put_party`, so no other command's values are lost
                changed = settings.applied_to(_settings_of(rows[0]))
                yield self._sql["set_party_settings"], (party_id, msgspec.json.encode(changed).decode())
            if mailbox is not None:
                yield from self._change_mailbox(rows[0], key, mailbox, folded)
            rows = yield self._sql["party"], (party_id,)
            return party_of(rows[0], self._vault)

        return await self._engine.write(put)

    def _change_mailbox(self, party: Row, key: Key, mailbox: str, folded: str) -> Work[None]:
        """The new one joins the history and becomes current, and may write for the party (R-ADR-04, R-SND-01)."""
        if party["mailbox_id"] is not None:
            current = key.open(identity("mailbox", party["mailbox_id"]), party["sealed_mailbox"])
            if current == mailbox.encode():
                return
        mailbox_id = self._ids.new()
        address_hash = self._vault.address_hash(party["marketplace_id"], folded)
        sealed = key.seal(identity("mailbox", mailbox_id), mailbox.encode())
        added_at = to_us(self._clock.now())
        yield self._sql["add_mailbox"], (mailbox_id, party["id"], address_hash, sealed, added_at)
        yield self._sql["set_party_mailbox"], (party["id"], mailbox_id)
        yield from self._enter_sender(party["id"], folded, SenderState.APPROVED, added_by="mailbox")

    async def party(self, marketplace_id: str, role: Role, external_ref: str) -> Party | None:
        row = await self._first("party_by_ref", marketplace_id, role.value, external_ref)
        return party_of(row, self._vault) if row else None

    async def party_by_id(self, party_id: str) -> Party | None:
        row = await self._first("party", party_id)
        return party_of(row, self._vault) if row else None

    async def parties(self, marketplace_id: str, role: Role | None = None) -> Sequence[Party]:
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

    async def add_app_password(self, party_id: str, label: str, password_hash: str) -> str:
        password_id = self._ids.new()
        now = to_us(self._clock.now())

        def add() -> Work[None]:
            yield self._sql["add_app_password"], (password_id, party_id, label, password_hash, now)
            live = yield self._sql["live_app_passwords"], (party_id,)
            for row in live[_LIVE_PASSWORDS:]:
                yield self._sql["end_app_password"], (row["id"], now)

        await self._engine.write(add)
        return password_id

    async def revoke_app_password(self, password_id: str) -> bool:
        def revoke() -> Work[bool]:
            return bool((yield self._sql["end_app_password"], (password_id, to_us(self._clock.now()))))

        return await self._engine.write(revoke)

    async def app_passwords(self, username: str) -> Sequence[tuple[str, str]]:
        hashes: list[Any] = [b""]
        try:
            folded = fold(username)
        except AddressError:
            pass  # an external reference then
        else:
            rows = await self._read("marketplaces")
            hashes += [self._vault.address_hash(row["id"], folded) for row in rows]
        sql, params = spread(self._sql["app_passwords"], (username,), hashes)
        return [(row["id"], row["hash"]) for row in await self._engine.read(sql, *params)]
