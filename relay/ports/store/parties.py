"""Parties, their app passwords, pairs and orders."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from relay.core.model.order import Order, OrderUpdate
from relay.core.model.pair import Alias, Pair
from relay.core.model.party import Party, PartyState, Role, SettingsUpdate


class PartyStore(Protocol):
    """Buyers and sellers."""

    async def put(
        self,
        marketplace_id: str,
        role: Role,
        external_ref: str,
        *,
        mailbox: str | None = None,
        locale: str | None = None,
        display_name: str | None = None,
        state: PartyState | None = None,
        settings: SettingsUpdate | None = None,
    ) -> Party:
        """Creates the party or updates it, and returns it as it is stored then.

        A value that is None stays as it is; an empty `display_name` removes the name. A new mailbox becomes the current
        one; the old one stays in the history (R-ADR-04). The new mailbox is also listed as an approved sender of the
        party, with the effects of `SenderStore.put` (R-SND-01). Raises AddressError for a bad mailbox.
        """
        ...

    async def get(self, party_id: str) -> Party | None:
        """Returns the party with this id. The name of an erased party is empty."""
        ...

    async def by_ref(self, marketplace_id: str, role: Role, external_ref: str) -> Party | None:
        """Returns the party that the marketplace calls `external_ref` in this role."""
        ...

    async def in_marketplace(self, marketplace_id: str, role: Role | None = None) -> Sequence[Party]:
        """Returns all parties of the marketplace, or those of one role, by role and reference. A bulk read."""
        ...

    async def mailbox(self, party_id: str) -> str | None:
        """Returns the party's current verified mailbox as it was written; None if it has none or is erased."""
        ...


class AppPasswordStore(Protocol):
    """App passwords, with which parties log in to submit mail (R-IN-02)."""

    async def add(self, party_id: str, label: str, password_hash: str) -> str:
        """Adds a password and returns its id.

        At most two passwords of a party are active at once: the oldest is revoked when there would be three.
        """
        ...

    async def revoke(self, password_id: str) -> bool:
        """Ends a password for good. Returns False if there is no active password with this id."""
        ...

    async def of_username(self, username: str) -> Sequence[tuple[str, str]]:
        """Returns (party id, argon2 hash) of each active password of the parties with this user name, the oldest first.

        A user name is the current mailbox or the reference of a party, in any marketplace. Suspended parties are
        included, so that they can log in and learn why their mail is not accepted (R-SND-07); erased parties are not.
        """
        ...


class PairStore(Protocol):
    """Pairs of one buyer and one seller, with their aliases."""

    async def put(self, marketplace_id: str, buyer_id: str, seller_id: str, domains: dict[Role, str]) -> Pair:
        """Returns the pair of the two parties.

        A pair that is new gets one alias for each role, under the domain that `domains` names for it; the aliases of an
        existing pair stay as they are. Raises ValueError unless the two are a buyer and a seller of the marketplace.
        The pair is read after the commit: after StoreUnavailableError it may exist, and another call returns it.
        """
        ...

    async def get(self, pair_id: str) -> Pair | None:
        """Returns the pair with this id."""
        ...

    async def between(self, buyer_id: str, seller_id: str) -> Pair | None:
        """Returns the pair of this buyer and this seller."""
        ...

    async def by_alias(self, local_part: str, domain: str) -> Pair | None:
        """Returns the pair that a folded alias, in force or retired, belongs to."""
        ...

    async def alias(self, local_part: str, domain: str) -> Alias | None:
        """Returns a folded alias, in force or retired."""
        ...

    async def in_marketplace(self, marketplace_id: str) -> Sequence[Pair]:
        """Returns all pairs of the marketplace, the oldest first. A bulk read, which decrypts every pair."""
        ...


class OrderStore(Protocol):
    """Orders, which belong to pairs."""

    async def put(self, update: OrderUpdate) -> Order:
        """Creates the order, or updates the values that `update` names, and returns it as it is stored then.

        An update is one statement, so that no values of a concurrent update are lost. Raises ValueError if the order
        belongs to another pair or the pair to another marketplace.
        """
        ...

    async def get(self, marketplace_id: str, external_id: str) -> Order | None:
        """Returns the order that the marketplace calls `external_id`."""
        ...

    async def of_pair(self, pair_id: str) -> Sequence[Order]:
        """Returns the orders of the pair, the oldest first."""
        ...

    def in_marketplace(self, marketplace_id: str) -> AsyncIterator[tuple[Order, Pair]]:
        """Yields all orders of the marketplace, each with its pair, by the marketplace's own id.

        A bulk read in pages; an order that is added meanwhile may be missing.
        """
        ...
