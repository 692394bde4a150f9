"""Sender lists, the questions about them to the owners of accounts, and signatures that were taken."""

from collections.abc import Sequence
from typing import Protocol

from relay.core.model.facts import Waiting
from relay.core.model.sender import Sender, SenderState
from relay.ports.record import OpenRequest, Pending, Places, SignatureUse


class SenderStore(Protocol):
    """The sender lists of parties: the addresses that may write for them. An entry is `local@domain` or `@domain`."""

    async def put(
        self,
        party_id: str,
        address: str,
        state: SenderState,
        *,
        label: str = "",
        added_by: str = "",
        shared: bool = False,
    ) -> Sender:
        """Creates the entry, or changes its state.

        In the same transaction, a change to APPROVED releases the mail that is held for the sender, and a change to
        BLOCKED returns it (R-SND-02). Deciding on a domain also decides the pending addresses of that domain, which are
        retired. `shared` is never taken back; an empty `label` or `added_by` leaves the value as it is. Raises
        ValueError if there is no such party, AddressError for a bad address.
        """
        ...

    async def get(self, sender_id: str) -> Sender | None:
        """Returns the entry with this id; None also if its party is erased."""
        ...

    async def of_party(self, party_id: str) -> Sequence[Sender]:
        """Returns all entries of the party's list, the oldest first; nothing if the party is erased."""
        ...

    async def flip(self, sender_id: str, state: SenderState, *, by: str) -> Sender | None:
        """Changes the state of one entry, with the same effects as `put`, and returns it.

        Returns None if there is no such entry or its party is erased. `by` is kept with the events of the mail that
        this releases or returns (R-SND-03).
        """
        ...

    async def flip_many(
        self, party_id: str, addresses: Sequence[str], state: SenderState, *, by: str
    ) -> Sequence[Sender]:
        """Changes the state of several entries of one list as `flip` does, all or none.

        Returns the entries in the order of `addresses`. Raises ValueError if one of the addresses is not on the list,
        or there is no such party.
        """
        ...

    async def pending(self, party_id: str) -> Sequence[Pending]:
        """Returns the senders that wait for the party's decision, the one that has waited longest first."""
        ...

    async def waiting(self, marketplace_id: str, party_id: str, address: str, places: Places) -> Waiting:
        """Returns how an unlisted folded address stands beside the senders that wait for the party's decision.

        A sender whose mail was returned has no place, but its mail still counts for the writer.
        """
        ...

    async def unproven(self, sender_id: str) -> Waiting:
        """Returns the mail of a listed sender that is held, as it waits to be confirmed."""
        ...

    async def listed_by_counterpart(self, marketplace_id: str, party_id: str, address: str) -> bool:
        """Returns whether a party that shares a pair with this one lists the folded address, or its domain.

        This is the one predicate for an address that is the other side's: nobody is ever asked about it (R-SND-02). An
        entry that only waits there does not count.
        """
        ...

    async def confirm_domain(self, party_id: str, domain: str, *, confirmed: bool, by: str) -> bool:
        """Notes that the party has confirmed a folded signing domain, or takes that back (R-IN-09).

        A confirmation also releases, in the same transaction, the mail of the party that waits for nothing else, with
        an event that names `by`. Returns False if nothing has changed. Raises ValueError if there is no such party.
        """
        ...

    async def has_confirmed(self, party_id: str, domains: Sequence[str]) -> bool:
        """Returns whether the party has confirmed one of these folded signing domains."""
        ...

    async def confirmed_domains(self, party_id: str) -> Sequence[str]:
        """Returns the folded signing domains that the party has confirmed, in their order."""
        ...

    async def listed_elsewhere(self, marketplace_id: str, party_id: str, address: str) -> bool:
        """Returns whether another party of the marketplace has exactly this folded address as an approved sender."""
        ...


class RequestStore(Protocol):
    """Questions to the owners of accounts (R-SND-02). `AcceptanceStore.add` adds them, and notes that they were put."""

    async def parties(self) -> Sequence[str]:
        """Returns the ids of the parties that have questions to be put to them, in their order. A bulk read."""
        ...

    async def waiting(self, party_id: str) -> Sequence[OpenRequest]:
        """Returns the questions to be put to the party, the oldest first; none if the party is erased."""
        ...

    async def leave_out(self, subject_ids: Sequence[str]) -> None:
        """Notes that these questions are not put."""
        ...

    async def was_asked(self, message_id: str) -> bool:
        """Returns whether the owner was asked about a message, or about its sender."""
        ...


class SignatureStore(Protocol):
    """The signatures that have been taken as the only proof of a writer, as keyed hashes (R-IN-09)."""

    async def taken_by(self, uses: Sequence[SignatureUse]) -> str | None:
        """Returns the id of the record with which one of these signatures was taken, the first there is, or None."""
        ...
