"""The store's part for DKIM signatures that were accepted as the only proof of a writer (R-IN-09).

Each signature is accepted once for an alias.
"""

from collections.abc import Sequence
from typing import Final

from relay.ports import SignatureUse
from relay.store.base import StorePart
from relay.store.crypto import Vault
from relay.store.statements import Table, spread

SIGNATURE_TAKEN: Final = Table("signature_taken", ("mark", "pair_id", "message_id"), "DO NOTHING RETURNING mark")


class SqlSignatures(StorePart):
    async def taken_by(self, uses: Sequence[SignatureUse]) -> str | None:
        if not uses:
            return None
        sql, params = spread(self._sql["signatures_taken"], (), [mark_of(use, self._vault) for use in uses])
        rows = await self._engine.read(sql, *params)
        return rows[0]["message_id"] if rows else None


def mark_of(use: SignatureUse, vault: Vault) -> bytes:
    """Returns the keyed hash under which the use of a signature is stored."""
    signature = use.signature
    words = (use.pair_id, use.to.value, signature.domain, signature.selector, signature.value.hex())
    return vault.signature_hash(*words)
