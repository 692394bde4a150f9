"""The limits of mail to the operator (R-IN-06)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorLimits:
    """`message_bytes` is the largest message without a login; the others are of one client and day."""

    message_bytes: int = 2_097_152
    messages_per_client: int = 50
    bytes_per_client: int = 20_971_520
