"""A pair: one buyer and one seller who may write to each other; and the two aliases that stand for them."""

from dataclasses import dataclass
from datetime import datetime

from relay.core.model.party import Party, Role
from relay.core.model.sender import WORDS, Sender, SenderState


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """The anonymized address that stands for `role` of a pair. Local part and domain are folded."""

    local_part: str
    domain: str
    role: Role
    retired: bool = False

    @property
    def address(self) -> str:
        return f"{self.local_part}@{self.domain}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One party of a pair with all that its mail needs.

    `mailbox` is the party's current verified mailbox as it was given (None once erased); `addresses` are all its
    registered mailbox and sender addresses, folded, past ones included: what scrubbing must never let through. An
    address that waits for its first decision is not among them. `senders` is its whole list (R-SND-01).
    """

    party: Party
    alias: Alias
    mailbox: str | None
    addresses: frozenset[str]
    senders: tuple[Sender, ...] = ()

    def lists(self, address: str) -> bool:
        """Whether a folded address is on the list by itself, in whatever state."""
        return any(sender.address == address for sender in self.senders) or address in self.addresses

    def sender_for(self, address: str) -> Sender | None:
        """The entry that fits a folded address: the exact one before its domain's, and the owner's word, in either,
        before what waits for one. A domain that was retired covers nobody; who writes from there stands for himself."""
        domain = address[address.rindex("@") :]
        fitting = {sender.address: sender for sender in self.senders if sender.address in {address, domain}}
        exact, whole = fitting.get(address), fitting.get(domain)
        if whole is None or whole.state is SenderState.RETIRED:
            return exact
        return exact if exact and (exact.state in WORDS or whole.state not in WORDS) else whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    id: str
    marketplace_id: str
    created_at: datetime
    buyer: Side
    seller: Side

    def side(self, role: Role) -> Side:
        return self.buyer if role is Role.BUYER else self.seller
