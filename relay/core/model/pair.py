"""A pair: one buyer and one seller who may write to each other, and the two aliases that stand for them."""

from dataclasses import dataclass
from datetime import datetime

from relay.core.model.party import Party, Role
from relay.core.model.sender import DECIDED_STATES, Sender, SenderState


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """The anonymized address that stands for the party with the role `role` in a pair.

    `local_part` and `domain` are folded, as by `address.fold`. `retired` is True if mail to the alias is refused; no
    later alias is equal to it (R-ADR-02).
    """

    local_part: str
    domain: str
    role: Role
    retired: bool = False

    @property
    def address(self) -> str:
        return f"{self.local_part}@{self.domain}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a pair: a party, its alias, its mailbox and its list of senders.

    `mailbox` is the party's current verified mailbox as the marketplace gave it, None if the party was erased.
    `addresses` are all mailboxes and sender addresses that the party has or had, folded, except sender addresses about
    which the party has not decided yet; the rewrite must remove each of them from the party's mail. `senders` is the
    party's whole list of senders (R-SND-01).
    """

    party: Party
    alias: Alias
    mailbox: str | None
    addresses: frozenset[str]
    senders: tuple[Sender, ...] = ()

    def lists(self, address: str) -> bool:
        """Returns whether `address` (folded) is in the party's list of senders, in any state, or in `addresses`.

        An entry for the whole domain does not count.
        """
        return any(sender.address == address for sender in self.senders) or address in self.addresses

    def sender_for(self, address: str) -> Sender | None:
        """Returns the entry for a folded address in the list of senders, None if there is no entry.

        If there are entries for the exact address and for its domain, the entry for the exact address is returned. Only
        if the domain is approved or blocked and the address is not, the entry for the domain is returned. A retired
        entry for the domain does not count.
        """
        domain = address[address.rindex("@") :]
        fitting = {sender.address: sender for sender in self.senders if sender.address in {address, domain}}
        exact, whole = fitting.get(address), fitting.get(domain)
        if whole is None or whole.state is SenderState.RETIRED:
            return exact
        return exact if exact and (exact.state in DECIDED_STATES or whole.state not in DECIDED_STATES) else whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A pair: one buyer and one seller of a marketplace, each as a `Side`."""

    id: str
    marketplace_id: str
    created_at: datetime
    buyer: Side
    seller: Side

    def side(self, role: Role) -> Side:
        return self.buyer if role is Role.BUYER else self.seller

    @property
    def is_closed(self) -> bool:
        """Whether both aliases are retired, so that neither party can write to the other."""
        return self.buyer.alias.retired and self.seller.alias.retired

    def role_of(self, local_part: str, domain: str) -> Role | None:
        """Returns the side for which a folded alias is in force; None for a retired alias and any other address."""
        for alias in (self.buyer.alias, self.seller.alias):
            if (alias.local_part, alias.domain, alias.retired) == (local_part, domain, False):
                return alias.role
        return None
