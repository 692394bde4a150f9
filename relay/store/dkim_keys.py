"""The store's part for DKIM keys. A key is prepared, active, replaced or retired (`relay.core.dkim.KeyState`).

The row of a retired key stays without the private key, so that its selector is never used again.
"""

from collections.abc import Sequence
from functools import partial

from relay.core.dkim import KeyState
from relay.core.mail.address import fold_domain
from relay.ports import DkimKey
from relay.store.base import StorePart, from_us, to_us
from relay.store.crypto import identity
from relay.store.engine import Row, Work


class SqlDkimKeys(StorePart):
    async def of_domain(self, domain: str) -> Sequence[DkimKey]:
        return [self._dkim_key(row) for row in await self._read("dkim_keys", fold_domain(domain))]

    async def put(self, key: DkimKey) -> None:
        domain = fold_domain(key.domain)
        wrapped = self._vault.master.wrap(_row(domain, key.selector), key.private_der)
        row = (domain, key.selector, key.algorithm, wrapped, key.state, to_us(self._clock.now()))

        def write() -> Work[None]:
            yield self._sql["put_dkim_key"], row
            self._report_key(domain, key.selector, key.algorithm, key.state)

        await self._engine.write(write)

    async def activate(self, domain: str, selector: str) -> bool:
        row = (fold_domain(domain), selector, to_us(self._clock.now()))

        def write() -> Work[bool]:
            activated = yield self._sql["activate_dkim_key"], row
            if not activated:
                return False
            replaced = yield self._sql["replace_dkim_keys"], row
            self._report_key(row[0], selector, activated[0]["algorithm"], KeyState.ACTIVE)
            for old in replaced:
                self._report_key(row[0], old["selector"], old["algorithm"], KeyState.REPLACED)
            return True

        return await self._engine.write(write)

    async def retire(self, domain: str, selector: str) -> bool:
        row = (fold_domain(domain), selector, to_us(self._clock.now()), b"")

        def write() -> Work[bool]:
            retired = yield self._sql["retire_dkim_key"], row
            for old in retired:
                self._report_key(row[0], selector, old["algorithm"], KeyState.RETIRED)
            return bool(retired)

        return await self._engine.write(write)

    def _report_key(self, domain: str, selector: str, algorithm: str, state: KeyState) -> None:
        key = DkimKey(domain=domain, selector=selector, algorithm=algorithm, private_der=b"", state=state)
        self._engine.after_commit(partial(self._event_log.key_changed, key))

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
