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
    """The sender is pending: it was proven, and waits for the party's decision."""
    RETIRED = "retired"
    """The party has removed the sender; the entry is kept, and the address counts as unlisted (R-SND-03)."""


DECIDED_STATES: Final = frozenset({SenderState.APPROVED, SenderState.BLOCKED})
"""The states into which a party's decision puts a sender."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """An entry in a party's list of senders.

    `address` is `local@domain`, or `@domain` for a whole domain, folded as by `address.fold`. `label` is a name that
    people see, and `added_by` names the actor that added the entry. `was_retired` is True if the entry was retired
    before it became pending again.
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
        """Whether the party has ever decided about the sender.

        Before its first decision, the address may belong to a person who has nothing to do with the party.
        """
        return self.state is not SenderState.UNKNOWN or self.was_retired


def pending_id(key: bytes, party_id: str, address: str) -> str:
    """Returns the id of the entry that an unlisted address gets in the party's list of senders.

    The id depends on the arguments only, so two messages that arrive at the same time get the same entry.
    """
    return keyed.base32hex(keyed.tag(key, "sender", party_id, address, size=16))
