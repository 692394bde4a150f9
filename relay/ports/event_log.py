"""The administrator's log, as the store uses it: the store reports what it has committed, and when it cannot commit."""

from collections.abc import Sequence
from typing import Protocol

from relay.core.model.event import Event
from relay.ports.inward import StoreUnavailableError
from relay.ports.record import Acceptance, DkimKey, Settlement


class EventLog(Protocol):
    """Writes log lines and counts. No method raises or waits: what is reported here has been committed already."""

    def accepted(self, acceptance: Acceptance) -> None:
        """Reports an acceptance that was committed."""
        ...

    def settled(self, settlement: Settlement) -> None:
        """Reports the end of an attempt that was committed."""
        ...

    def lease_lost(self, settlement: Settlement) -> None:
        """Reports the end of an attempt that changed nothing, because another node has leased the item meanwhile."""
        ...

    def happened(self, events: Sequence[Event]) -> None:
        """Reports events that were committed outside of an acceptance or a settlement."""
        ...

    def key_changed(self, key: DkimKey) -> None:
        """Reports the new state of a DKIM key. Of the key only the names are read."""
        ...

    def keys_in_use(self, domain: str, selectors: Sequence[str]) -> None:
        """Reports which DKIM keys this process signs with from now on; none means that it signs no more."""
        ...

    def put_off(self, error: StoreUnavailableError, operations: int) -> None:
        """Counts operations that the store could not do. It is called for each failure, also of a single read."""
        ...

    def store_unavailable(self, error: StoreUnavailableError) -> None:
        """Reports that the store has become unavailable; once for each time."""
        ...

    def store_available(self, *, unavailable_s: float, put_off: int, codes: Sequence[str]) -> None:
        """Reports that the store works again.

        `unavailable_s` is how long it was unavailable, `put_off` how many operations failed meanwhile, and `codes` the
        different error codes of those, in the order of their first occurrence; there may be more codes than are listed.
        """
        ...


class Unlogged:
    """An event log that writes nothing: of commands beside the daemon, which print what they do themselves."""

    def accepted(self, acceptance: Acceptance) -> None: ...

    def settled(self, settlement: Settlement) -> None: ...

    def lease_lost(self, settlement: Settlement) -> None: ...

    def happened(self, events: Sequence[Event]) -> None: ...

    def key_changed(self, key: DkimKey) -> None: ...

    def keys_in_use(self, domain: str, selectors: Sequence[str]) -> None: ...

    def put_off(self, error: StoreUnavailableError, operations: int) -> None: ...

    def store_unavailable(self, error: StoreUnavailableError) -> None: ...

    def store_available(self, *, unavailable_s: float, put_off: int, codes: Sequence[str]) -> None: ...
