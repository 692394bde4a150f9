"""A pair: one buyer and one seller who may write to each other, and the two aliases that stand for them."""

from dataclasses import dataclass
from datetime import datetime

from relay.core.model.party import Party, Role
from relay.core.model.sender import DECIDED_STATES, Sender, SenderState


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """The anonymized address of the party `role` of a pair. Local part and domain are folded."""

    local_part: str
    domain: str
    role: Role
    retired: bool = False

    @property
    def address(self) -> str:
        return f"{self.local_part}@{self.domain}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One party of a pair, with all values that its mail needs.

    `mailbox` is the party's current verified mailbox as given, None after erasure. `addresses` are all its registered
    mailbox and sender addresses, folded, past ones included; scrubbing must let none of them through. A sender address
    that waits for its first decision is not among them. `senders` is the party's whole list (R-SND-01).
    """

    party: Party
    alias: Alias
    mailbox: str | None
    addresses: frozenset[str]
    senders: tuple[Sender, ...] = ()

    def lists(self, address: str) -> bool:
        """Whether a folded address itself (not only its domain) is on the list in any state, or is registered."""
        return any(sender.address == address for sender in self.senders) or address in self.addresses

    def sender_for(self, address: str) -> Sender | None:
        """Returns the entry for a folded address, None when there is none.

        An exact address comes before its domain, but a decided entry before a pending one. A retired domain covers no
        address.
        """
        domain = address[address.rindex("@") :]
        fitting = {sender.address: sender for sender in self.senders if sender.address in {address, domain}}
        exact, whole = fitting.get(address), fitting.get(domain)
        if whole is None or whole.state is SenderState.RETIRED:
            return exact
        return exact if exact and (exact.state in DECIDED_STATES or whole.state not in DECIDED_STATES) else whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A pair of a marketplace."""

    id: str
    marketplace_id: str
    created_at: datetime
    buyer: Side
    seller: Side

    def side(self, role: Role) -> Side:
        return self.buyer if role is Role.BUYER else self.seller
