"""The store's part for the secrets that are derived from the root secret of the installation."""

from relay.store.base import StorePart


class SqlSecrets(StorePart):
    def get(self, name: str) -> bytes:
        return self._vault.secret(name)
