"""Secrets of the installation that are derived from its root secret."""

from relay.store.base import StorePart


class SqlSecrets(StorePart):
    def get(self, name: str) -> bytes:
        return self._vault.secret(name)
