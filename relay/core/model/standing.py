"""Whether a buyer may be written to about an order, as a seller may know it: no reason, no personal data (R-POL-19)."""

from enum import StrEnum


class Standing(StrEnum):
    OPEN = "open"
    CRITICAL_ONLY = "critical_only"
    """Answers, critical kinds and marked subjects alone."""
    CLOSED = "closed"
