"""The answer to the question whether a seller may now write to a buyer about an order (R-POL-19)."""

from enum import StrEnum


class Standing(StrEnum):
    """Whether a seller may write to a buyer. The answer contains no reason, so it reveals no data of the buyer."""

    OPEN = "open"
    """The seller may write any mail."""
    CRITICAL_ONLY = "critical_only"
    """Only answers, critical kinds and subjects with a mark of importance pass."""
    CLOSED = "closed"
    """No mail passes."""
