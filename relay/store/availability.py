"""The availability of the database, as the results of operations show it, and its reports to the event log.

A failing database answers every operation with the same error. Therefore the log has one line when the failure begins
and one line when it ends. A database with a full disk still accepts some small writes; therefore the failure ends only
after some seconds without an error.
"""

from typing import Final

from relay.ports import Clock, EventLog, StoreFault, StoreUnavailableError

_QUIET_S: Final = 5
"""The number of seconds without a failed operation after which the database counts as available again."""
_MOST_CODES: Final = 10
_LASTING: Final = frozenset({StoreFault.READ_ONLY, StoreFault.FULL})
_CONFLICTS: Final = "40"
"""The SQLSTATE class of a transaction that lost against a concurrent one; the database itself works."""


class Availability:
    """The availability of one database connection or pool. Its methods are called in the event loop's thread."""

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
        """Records that `operations` operations failed with this error, and reports them."""
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
        """Records that a transaction was committed, and reports the end of a failure."""
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
        """Returns the error that refused writes within the last seconds, or None.

        The cause is a full disk or a missing right to write. After these errors a small write may succeed although the
        failure lasts.
        """
        error = self._last_error
        recent = self._clock.monotonic_s() - self._last_failure_s < _QUIET_S
        return error if error is not None and error.fault in _LASTING and recent else None
