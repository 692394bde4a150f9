"""Keys and secrets of the installation."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from relay.ports.record import DkimKey


class DkimKeyStore(Protocol):
    """DKIM keys by domain and selector, encrypted in the store by the master key."""

    async def of_domain(self, domain: str) -> Sequence[DkimKey]:
        """Returns all keys of the domain, retired ones included, by algorithm and selector.

        Raises StoreError if a key cannot be decrypted by the master keys of this process.
        """
        ...

    async def put(self, key: DkimKey) -> None:
        """Adds a key, or replaces the one that has its domain and selector, in any state.

        Its state begins now; `since` is not read. The caller must choose a selector that was never used, see `retire`.
        """
        ...

    async def activate(self, domain: str, selector: str) -> bool:
        """Makes a prepared key the active one; the active keys of the same algorithm become replaced ones.

        Both happen in one transaction. Returns False, and changes nothing, for a key in any other state.
        """
        ...

    async def retire(self, domain: str, selector: str) -> bool:
        """Destroys a prepared or replaced key. Returns False for a key in any other state.

        The key stays listed without its private half, so that its selector is never chosen again.
        """
        ...


class MasterKeyStore(Protocol):
    """The keys of the master key file, by their ids in hexadecimal digits, and the values that they wrap (R-REC-04).

    The methods that change the file raise StoreError. Running daemons read a changed file before they use its next key.
    """

    def ids(self) -> Sequence[str]:
        """Returns the ids of the keys in the file; the first key wraps new values."""
        ...

    def waiting(self) -> str | None:
        """Returns the id of the key that waits for its rotation, None if no key waits."""
        ...

    def add(self) -> str:
        """Adds a fresh key at the end of the file, where it waits, and returns its id."""
        ...

    def make_current(self, key_id: str) -> None:
        """Puts the key that waits first in the file; the one in its place becomes a former key."""
        ...

    def remove(self, key_id: str) -> None:
        """Takes a former key out of the file. The caller must know that it wraps nothing."""
        ...

    async def in_use(self) -> Mapping[str, int]:
        """Returns the number of values that each key wraps, by the key's id. Keys that wrap nothing are left out."""
        ...

    async def rewrap(self, limit: int) -> int:
        """Wraps values of other keys by the first key, about `limit` of them, and returns how many; 0 at the end.

        Raises StoreError if the file lacks the key of a value. May be cut off and repeated at any time, beside
        running daemons.
        """
        ...


class SecretStore(Protocol):
    """Secrets of the installation. They are the same in every process and never change."""

    def get(self, name: str) -> bytes:
        """Returns the 32-byte secret that is derived from the root secret for this name.

        Names in use: "address", "alias", "link", "login", "message_id", "report", "sender", "signature", "thread",
        "verp". Raises StoreError before the store is open.
        """
        ...
