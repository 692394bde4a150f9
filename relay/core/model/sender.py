"""A sender: an address or a whole domain that may write for a party (R-SND-01)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class SenderState(StrEnum):
    APPROVED = "approved"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"
    """Pending: seen, proven, waiting for the account owner's word."""
    RETIRED = "retired"


WORDS: Final = frozenset({SenderState.APPROVED, SenderState.BLOCKED})
"""What an account's owner says of a sender."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """`address` is folded: `local@domain`, or `@domain` for a whole domain. `was_retired`: the entry had been retired
    before it began to wait again."""

    id: str
    party_id: str
    address: str
    state: SenderState
    label: str = ""
    added_by: str = ""
    shared: bool = False
    was_retired: bool = False

    @property
    def is_domain(self) -> bool:
        return self.address.startswith("@")

    @property
    def is_decided(self) -> bool:
        """Whether anybody has ever decided on it. Until then the address may be a third party's."""
        return self.state is not SenderState.UNKNOWN or self.was_retired
