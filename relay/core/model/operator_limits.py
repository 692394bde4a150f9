"""The limits of mail to the operator (R-IN-06)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorLimits:
    """The limits of mail to the operator.

    `message_bytes` is the largest size of a message from a client without a login. `messages_per_client` and
    `bytes_per_client` limit the mail of one client, or of one party that has logged in, per day.
    """

    message_bytes: int = 2_097_152
    messages_per_client: int = 50
    bytes_per_client: int = 20_971_520
