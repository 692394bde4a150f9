"""The ports of keys and secrets of the installation."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from relay.ports.record import DkimKey


class DkimKeyStore(Protocol):
    """The DKIM keys (RFC 6376) by domain and selector. The private keys are encrypted with the master key."""

    async def of_domain(self, domain: str) -> Sequence[DkimKey]:
        """Returns all keys of the domain, also retired ones, sorted by algorithm and selector.

        Raises StoreError if the master keys of this process cannot decrypt a key.
        """
        ...

    async def put(self, key: DkimKey) -> None:
        """Adds a key, or replaces the key with the same domain and selector, whatever its state is.

        The state begins at the time of the call; `key.since` is not read. The caller must choose a selector that was
        never used, because `retire` forbids reuse.
        """
        ...

    async def activate(self, domain: str, selector: str) -> bool:
        """Makes a prepared key active, and marks the active keys of the same algorithm as replaced, in one transaction.

        Returns True. Returns False, and changes nothing, if the key does not exist or is not prepared.
        """
        ...

    async def retire(self, domain: str, selector: str) -> bool:
        """Deletes the private half of a prepared or replaced key, and marks the key as retired.

        Returns True. Returns False, and changes nothing, if the key does not exist or is in another state. The retired
        key stays in the list, so that its selector is never chosen again.
        """
        ...


class MasterKeyStore(Protocol):
    """The keys of the master key file, and the values that the keys encrypt ("wrap") in the database (R-REC-04).

    Ids of keys are hexadecimal digits. The methods that change the file raise StoreError if they cannot. A running
    daemon reads a changed file before it uses the next master key.
    """

    def ids(self) -> Sequence[str]:
        """Returns the ids of the keys in the file, in their order. The first key wraps new values."""
        ...

    def waiting(self) -> str | None:
        """Returns the id of the key that was added and not yet made current; None if there is no such key."""
        ...

    def add(self) -> str:
        """Generates a key, adds it at the end of the file, and returns its id. `make_current` brings it into use."""
        ...

    def make_current(self, key_id: str) -> None:
        """Moves the added key to the first place of the file; the key that was first becomes a former key."""
        ...

    def remove(self, key_id: str) -> None:
        """Removes a former key from the file. The caller must have checked with `in_use` that it wraps no value."""
        ...

    async def in_use(self) -> Mapping[str, int]:
        """Returns the number of values that each key wraps, by the id of the key.

        A key that wraps nothing is left out.
        """
        ...

    async def rewrap(self, limit: int) -> int:
        """Wraps about `limit` values of other keys again with the first key, and returns their number.

        Returns 0 when no value of another key is left. Raises StoreError if the file lacks the key of a value. The
        method may be interrupted and repeated at any time while daemons are running.
        """
        ...


class SecretStore(Protocol):
    """Secrets that are derived for the installation. They are the same in every process and never change."""

    def get(self, name: str) -> bytes:
        """Returns the 32-byte secret that is derived from the root secret and `name`.

        The names in use are "address", "alias", "client", "destination", "link", "login", "message_id", "pace",
        "report", "sender", "signature", "thread" and "verp". Raises StoreError before the store is open.
        """
        ...
