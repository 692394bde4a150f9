"""The answer to the question whether a seller may write to a buyer about an order, without personal data (R-POL-19)."""

from enum import StrEnum


class Standing(StrEnum):
    """The answer; it contains no reason."""

    OPEN = "open"
    CRITICAL_ONLY = "critical_only"
    """Only answers, critical kinds and marked subjects pass."""
    CLOSED = "closed"
