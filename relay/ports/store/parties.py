"""The ports of parties, their app passwords, their pairs and their orders."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from relay.core.model.order import Order, OrderUpdate
from relay.core.model.pair import Alias, Pair
from relay.core.model.party import Party, PartyState, Role, SettingsUpdate


class PartyStore(Protocol):
    """The parties of the marketplaces: buyers and sellers."""

    async def put(
        self,
        marketplace_id: str,
        role: Role,
        external_ref: str,
        *,
        mailbox: str | None = None,
        retire_former: bool = False,
        locale: str | None = None,
        display_name: str | None = None,
        state: PartyState | None = None,
        settings: SettingsUpdate | None = None,
    ) -> Party:
        """Creates the party or updates it, and returns the party as it is stored after the write.

        An argument that is None leaves the value as it is; an empty `display_name` removes the name. A new mailbox
        becomes the current one, and the previous one stays in the history (R-ADR-04). The new mailbox is also added to
        the party's list of senders as approved, with the effects of `SenderStore.put` (R-SND-01). With `retire_former`
        the entry of the previous mailbox is retired if it is approved and nobody has added it. Raises AddressError if
        the mailbox is not an address.
        """
        ...

    async def get(self, party_id: str) -> Party | None:
        """Returns the party with this id, or None. The name of an erased party is empty."""
        ...

    async def by_ref(self, marketplace_id: str, role: Role, external_ref: str) -> Party | None:
        """Returns the party with the marketplace's own reference `external_ref` in this role, or None."""
        ...

    async def in_marketplace(self, marketplace_id: str, role: Role | None = None) -> Sequence[Party]:
        """Returns all parties of the marketplace, or only those with `role`, sorted by role and reference.

        A bulk read.
        """
        ...

    async def mailbox(self, party_id: str) -> str | None:
        """Returns the party's current mailbox as it was written; None if the party has none or is erased."""
        ...


class AppPasswordStore(Protocol):
    """App passwords, with which parties log in to submit mail (R-IN-02)."""

    async def add(self, party_id: str, label: str, password_hash: str) -> str:
        """Adds a password and returns its id.

        A party has at most two active passwords: if there would be three, the oldest is revoked in the same
        transaction.
        """
        ...

    async def revoke(self, password_id: str) -> bool:
        """Revokes a password, and returns True. Returns False if no active password has this id."""
        ...

    async def of_username(self, username: str) -> Sequence[tuple[str, str]]:
        """Returns (party id, argon2 hash) of each active password of the parties with this user name, the oldest first.

        A user name is the current mailbox or the reference of a party in any marketplace. Suspended parties are
        included, so that they can log in and learn why their mail is not accepted (R-SND-07). Erased parties are left
        out.
        """
        ...


class PairStore(Protocol):
    """Pairs of one buyer and one seller, with their aliases."""

    async def put(self, marketplace_id: str, buyer_id: str, seller_id: str, domains: dict[Role, str]) -> Pair:
        """Returns the pair of the two parties, and creates it if it does not exist.

        A new pair gets one alias for each role, under the domain that `domains` has for the role. The aliases of an
        existing pair do not change. Raises ValueError unless the two parties are a buyer and a seller of the
        marketplace. The pair is read after the commit: if the method raises StoreUnavailableError, the pair may exist,
        and a second call returns it.
        """
        ...

    async def renew(self, pair_id: str, domains: Mapping[Role, str | None]) -> Pair | None:
        """Retires the alias of each role in `domains`, and returns the pair, or None if it does not exist (R-ADR-02).

        The role gets a new alias under the given domain, or none if the domain is None. Roles that `domains` does not
        have keep their alias. The pair is read after the commit, as in `put`.
        """
        ...

    async def get(self, pair_id: str) -> Pair | None:
        """Returns the pair with this id, or None."""
        ...

    async def between(self, buyer_id: str, seller_id: str) -> Pair | None:
        """Returns the pair of this buyer and this seller, or None."""
        ...

    async def by_alias(self, local_part: str, domain: str) -> Pair | None:
        """Returns the pair to which a folded alias belongs, or None. The alias may be in force or retired."""
        ...

    async def alias(self, local_part: str, domain: str) -> Alias | None:
        """Returns the alias with this folded local part and domain, in force or retired, or None."""
        ...

    async def in_marketplace(self, marketplace_id: str) -> Sequence[Pair]:
        """Returns all pairs of the marketplace, the oldest first.

        A bulk read, which decrypts the values of every pair.
        """
        ...


class OrderStore(Protocol):
    """The orders. Each order belongs to one pair."""

    async def put(self, update: OrderUpdate) -> Order:
        """Creates the order, or changes the values that `update` gives, and returns the stored order.

        One SQL statement writes the order, so that no value of a concurrent update is lost. Raises ValueError if the
        order belongs to another pair, or the pair to another marketplace.
        """
        ...

    async def get(self, marketplace_id: str, external_id: str) -> Order | None:
        """Returns the order with the marketplace's own id `external_id`, or None."""
        ...

    async def of_pair(self, pair_id: str) -> Sequence[Order]:
        """Returns the orders of the pair, the oldest first."""
        ...

    def in_marketplace(self, marketplace_id: str) -> AsyncIterator[tuple[Order, Pair]]:
        """Yields all orders of the marketplace, each with its pair, in the order of their external ids.

        A bulk read in pages. An order that is added while the pages are read may be missing.
        """
        ...
