"""The administrator's log as the store uses it: it reports committed changes, and the failures of the database."""

from collections.abc import Sequence
from typing import Protocol

from relay.core.model.event import Event
from relay.ports.inward import StoreUnavailableError
from relay.ports.record import Acceptance, DkimKey, Settlement


class EventLog(Protocol):
    """Writes log lines and updates metrics. No method raises or waits, because the changes are already committed."""

    def accepted(self, acceptance: Acceptance) -> None:
        """Reports an acceptance that the store has committed."""
        ...

    def settled(self, settlement: Settlement) -> None:
        """Reports a settlement that the store has committed."""
        ...

    def lease_lost(self, settlement: Settlement) -> None:
        """Reports a settlement that was not written, because another node has leased the item meanwhile."""
        ...

    def happened(self, events: Sequence[Event]) -> None:
        """Reports committed events that belong neither to an acceptance nor to a settlement."""
        ...

    def key_changed(self, key: DkimKey) -> None:
        """Reports the new state of a DKIM key. Only the domain, the selector, the algorithm and the state are read."""
        ...

    def keys_in_use(self, domain: str, selectors: Sequence[str]) -> None:
        """Reports the selectors of the DKIM keys with which this process signs mail of `domain` from now on.

        `selectors` is empty if the process no longer signs for the domain.
        """
        ...

    def put_off(self, error: StoreUnavailableError, operations: int) -> None:
        """Counts failed operations of the store: `operations` of them failed with `error`.

        The store calls it for failed reads and failed writes.
        """
        ...

    def store_unavailable(self, error: StoreUnavailableError) -> None:
        """Reports that the store has become unavailable. It is called once for each period of unavailability."""
        ...

    def store_available(self, *, unavailable_s: float, put_off: int, codes: Sequence[str]) -> None:
        """Reports that the store is available again.

        `unavailable_s` is the length of the period of unavailability in seconds, and `put_off` the number of operations
        that failed in it. `codes` are the different error codes of these operations, in the order of their first
        occurrence; the list may be incomplete.
        """
        ...


class Unlogged:
    """An event log that writes nothing.

    Commands that run in a process other than the daemon use it, because they print their results themselves.
    """

    def accepted(self, acceptance: Acceptance) -> None: ...

    def settled(self, settlement: Settlement) -> None: ...

    def lease_lost(self, settlement: Settlement) -> None: ...

    def happened(self, events: Sequence[Event]) -> None: ...

    def key_changed(self, key: DkimKey) -> None: ...

    def keys_in_use(self, domain: str, selectors: Sequence[str]) -> None: ...

    def put_off(self, error: StoreUnavailableError, operations: int) -> None: ...

    def store_unavailable(self, error: StoreUnavailableError) -> None: ...

    def store_available(self, *, unavailable_s: float, put_off: int, codes: Sequence[str]) -> None: ...
