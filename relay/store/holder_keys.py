"""The keys of parties and marketplaces ("holders"), which encrypt the keys of the contents that they hold."""

from relay.store.base import StorePart
from relay.store.crypto import Key, UnreadableError
from relay.store.engine import Work


class SqlHolderKeys(StorePart):
    async def of(self, holder_id: str) -> Key:
        """Returns the key of a party or a marketplace.

        The key of a marketplace is created at its first use. Raises UnreadableError if the key was destroyed.
        """
        row = await self._first("holder_key", holder_id)
        if row is None:
            await self._engine.write(lambda: self._add_marketplace_key(holder_id))
            row = await self._first("holder_key", holder_id)
        if row is None:
            raise UnreadableError("the holder's key is destroyed")
        return self._vault.holder(holder_id, row["wrapped"])

    def _add_marketplace_key(self, holder_id: str) -> Work[None]:
        # A party without a key was erased, and must not get a new key.
        if not (yield self._sql["party"], (holder_id,)):
            yield self._sql["add_marketplace_key"], (holder_id, self._vault.new_holder(holder_id))
