"""Whether the database works, judged by its answers, and the reports about that to the event log.

A database that fails answers every operation with the same error. The log has one line when that begins and one when it
is over. A database on a full disk goes on taking some small writes, so that it is over only after a while without an
error.
"""

from typing import Final

from relay.ports import Clock, EventLog, StoreFault, StoreUnavailableError

_QUIET_S: Final = 5
"""How long no operation may have failed before the database counts as available again."""
_MOST_CODES: Final = 10
_LASTING: Final = frozenset({StoreFault.READ_ONLY, StoreFault.FULL})
_CONFLICTS: Final = "40"
"""SQLSTATE class of a transaction that lost against another one: the database works."""


class Availability:
    """One per database connection or pool. Its methods are called in the event loop's thread."""

    def __init__(self, clock: Clock, event_log: EventLog) -> None:
        self._clock = clock
        self._event_log = event_log
        self._failing_since_s: float | None = None
        self._last_failure_s = 0.0
        self._works_since_s: float | None = None
        self._put_off = 0
        self._codes: dict[str, None] = {}
        self._last_error: StoreUnavailableError | None = None

    def failed(self, error: StoreUnavailableError, operations: int = 1) -> None:
        """Notes that `operations` were put off by this error."""
        self._event_log.put_off(error, operations)
        if error.code.startswith(_CONFLICTS):
            return
        self._last_failure_s, self._works_since_s = self._clock.monotonic_s(), None
        self._last_error = error
        if self._failing_since_s is None:
            self._failing_since_s = self._last_failure_s
            self._event_log.store_unavailable(error)
        self._put_off += operations
        if len(self._codes) < _MOST_CODES:
            self._codes[error.code] = None

    def wrote(self) -> None:
        """Notes that a transaction was committed."""
        if self._failing_since_s is None:
            return
        now_s = self._clock.monotonic_s()
        self._works_since_s = self._works_since_s if self._works_since_s is not None else now_s
        if now_s - self._last_failure_s < _QUIET_S:
            return
        self._event_log.store_available(
            unavailable_s=self._works_since_s - self._failing_since_s, put_off=self._put_off, codes=tuple(self._codes)
        )
        self._failing_since_s = self._works_since_s = self._last_error = None
        self._put_off = 0
        self._codes.clear()

    def lasting_error(self) -> StoreUnavailableError | None:
        """Returns the error that has refused writes until a moment ago though a small one may pass, else None.

        Such an error is a full disk or a missing right.
        """
        error = self._last_error
        recent = self._clock.monotonic_s() - self._last_failure_s < _QUIET_S
        return error if error is not None and error.fault in _LASTING and recent else None
