"""A sender: an address or a whole domain that may write for a party (R-SND-01)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from relay.core import keyed


class SenderState(StrEnum):
    """The state of an entry in a party's list of senders."""

    APPROVED = "approved"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"
    """The sender is pending: it was proven and waits for the account owner's decision."""
    RETIRED = "retired"


DECIDED_STATES: Final = frozenset({SenderState.APPROVED, SenderState.BLOCKED})
"""The decisions of an account's owner about a sender."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """An entry of a party's list of senders.

    `address` is folded: `local@domain`, or `@domain` for a whole domain. `was_retired` means that the entry had been
    retired before it became pending again.
    """

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
        """Whether the owner has ever decided about it. Until then the address may be a third party's."""
        return self.state is not SenderState.UNKNOWN or self.was_retired


def pending_id(key: bytes, party_id: str, address: str) -> str:
    """Returns the id of the entry that an unlisted address gets on the party's list, equal for concurrent messages."""
    return keyed.base32hex(keyed.tag(key, "sender", party_id, address, size=16))
