"""DKIM keys through their life: prepared, active, replaced, retired (`relay.core.dkim.KeyState`).

A retired key's row stays without the key, so that its selector is never taken again.
"""

from collections.abc import Sequence

from relay.core.dkim import KeyState
from relay.core.mail.address import fold_domain
from relay.ports import DkimKey
from relay.store.base import Base, from_us, to_us
from relay.store.crypto import identity
from relay.store.engine import Row, Work


class DkimKeyVerbs(Base):
    async def dkim_keys(self, domain: str) -> Sequence[DkimKey]:
        return [self._dkim_key(row) for row in await self._read("dkim_keys", fold_domain(domain))]

    async def put_dkim_key(self, key: DkimKey) -> None:
        domain = fold_domain(key.domain)
        wrapped = self._vault.master.wrap(_row(domain, key.selector), key.private_der)
        row = (domain, key.selector, key.algorithm, wrapped, key.state, to_us(self._clock.now()))

        def put() -> Work[None]:
            yield self._sql["put_dkim_key"], row

        await self._engine.write(put)

    async def activate_dkim_key(self, domain: str, selector: str) -> bool:
        row = (fold_domain(domain), selector, to_us(self._clock.now()))

        def activate() -> Work[bool]:
            if not (yield self._sql["activate_dkim_key"], row):
                return False
            yield self._sql["replace_dkim_keys"], row
            return True

        return await self._engine.write(activate)

    async def retire_dkim_key(self, domain: str, selector: str) -> bool:
        row = (fold_domain(domain), selector, to_us(self._clock.now()), b"")

        def retire() -> Work[bool]:
            return bool((yield self._sql["retire_dkim_key"], row))

        return await self._engine.write(retire)

    def _dkim_key(self, row: Row) -> DkimKey:
        domain, selector, state = row["domain"], row["selector"], KeyState(row["state"])
        return DkimKey(
            domain=domain,
            selector=selector,
            algorithm=row["algorithm"],
            private_der=(
                b"" if state is KeyState.RETIRED else self._vault.master.unwrap(_row(domain, selector), row["wrapped"])
            ),
            state=state,
            since=from_us(row["since"]),
        )


def _row(domain: str, selector: str) -> bytes:
    return identity("dkim_key", domain, selector)
