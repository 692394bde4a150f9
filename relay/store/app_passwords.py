"""The store's part for app passwords, with which parties log in to submit mail (R-IN-02)."""

from collections.abc import Sequence
from typing import Any, Final

from relay.core.mail.address import AddressError, fold
from relay.store.base import StorePart, to_us
from relay.store.engine import Work
from relay.store.statements import spread

_LIVE_PASSWORDS: Final = 2


class SqlAppPasswords(StorePart):
    async def add(self, party_id: str, label: str, password_hash: str) -> str:
        password_id = self._ids.new()
        now = to_us(self._clock.now())

        def write() -> Work[None]:
            yield self._sql["add_app_password"], (password_id, party_id, label, password_hash, now)
            live = yield self._sql["live_app_passwords"], (party_id,)
            for row in live[_LIVE_PASSWORDS:]:
                yield self._sql["end_app_password"], (row["id"], now)

        await self._engine.write(write)
        return password_id

    async def revoke(self, password_id: str) -> bool:
        def write() -> Work[bool]:
            return bool((yield self._sql["end_app_password"], (password_id, to_us(self._clock.now()))))

        return await self._engine.write(write)

    async def of_username(self, username: str) -> Sequence[tuple[str, str]]:
        hashes: list[Any] = [b""]
        try:
            folded = fold(username)
        except AddressError:
            pass  # the user name is a party's reference
        else:
            rows = await self._read("marketplaces")
            hashes += [self._vault.address_hash(row["id"], folded) for row in rows]
        sql, params = spread(self._sql["app_passwords"], (username,), hashes)
        return [(row["id"], row["hash"]) for row in await self._engine.read(sql, *params)]
