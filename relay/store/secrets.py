"""Secrets of the installation that are derived from its root secret."""

from relay.store.base import Part


class Secrets(Part):
    def get(self, name: str) -> bytes:
        return self._vault.secret(name)
