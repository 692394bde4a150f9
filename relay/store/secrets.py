"""The store's part for the secrets that are derived from the root secret of the installation."""

from relay.store.base import Base


class SqlSecrets:
    def __init__(self, base: Base) -> None:
        self.get = base.vault.secret
