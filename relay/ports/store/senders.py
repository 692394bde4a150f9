"""The ports of sender lists, of the questions about senders to the owners of accounts, and of accepted signatures."""

from collections.abc import Sequence
from typing import Protocol

from relay.core.model.facts import Waiting
from relay.core.model.sender import Sender, SenderState
from relay.ports.pending import OpenRequest, Pending, Places
from relay.ports.usage import SignatureUse


class SenderStore(Protocol):
    """The sender lists of parties: the addresses and domains that may write for a party.

    The address of an entry is `local@domain` for one address, or `@domain` for all addresses of a domain.
    """

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
        """Creates the entry of the party, or changes its state, and returns the entry.

        A change to APPROVED releases the mail that is held for the sender, and a change to BLOCKED returns it, in the
        same transaction (R-SND-02). A decision on a domain also decides the pending addresses of that domain, and these
        entries are retired. `shared` can be set but not cleared; an empty `label` or `added_by` leaves the value as it
        is. Raises ValueError if the party does not exist, and AddressError for a bad address.
        """
        ...

    async def get(self, sender_id: str) -> Sender | None:
        """Returns the entry with this id; None if there is no such entry or its party is erased."""
        ...

    async def of_party(self, party_id: str) -> Sequence[Sender]:
        """Returns all entries of the party's list, the oldest first; an empty sequence if the party is erased."""
        ...

    async def flip(self, sender_id: str, state: SenderState, *, by: str) -> Sender | None:
        """Changes the state of one entry, with the same effects as `put`, and returns the entry.

        Returns None if there is no such entry or its party is erased. `by` is stored in the events of the mail that the
        change releases or returns (R-SND-03).
        """
        ...

    async def flip_many(
        self, party_id: str, addresses: Sequence[str], state: SenderState, *, by: str, with_notice: bool = False
    ) -> Sequence[Sender]:
        """Changes the state of several entries of one list as `flip` does, all of them or none, and returns them.

        With `with_notice` the held mail of entries that become blocked, and of pending entries that become retired, is
        marked as refused, so that the worker returns it with a notice (`HoldStore.refuse`).
        The result is in the order of `addresses`. Raises ValueError if one of the addresses is not on the list, or the
        party does not exist.
        """
        ...

    async def pending(self, party_id: str) -> Sequence[Pending]:
        """Returns the senders that wait for the party's decision, the longest waiting first."""
        ...

    async def waiting(self, marketplace_id: str, party_id: str, address: str, places: Places) -> Waiting:
        """Returns the held mail of an unlisted folded address, and whether it can get one of the party's places.

        A sender whose mail was returned has no place, but that mail still counts towards the writer's limits.
        """
        ...

    async def unproven(self, sender_id: str) -> Waiting:
        """Returns the number and size of a listed sender's held messages that wait until the party confirms them."""
        ...

    async def listed_by_counterpart(self, marketplace_id: str, party_id: str, address: str) -> bool:
        """Returns whether a party that shares a pair with this one has the folded address, or its domain, on its list.

        An entry that is only pending does not count. The owner of an account is never asked about an address for which
        this method returns True, and no other method decides that question (R-SND-02).
        """
        ...

    async def confirm_domain(self, party_id: str, domain: str, *, confirmed: bool, by: str) -> bool:
        """Records that the party has confirmed a folded DKIM signing domain, or removes the confirmation (R-IN-09).

        In the same transaction a confirmation also releases the party's mail that waits for nothing else, and adds an
        event with the name `by` for each message. Returns True, or False if nothing has changed. Raises ValueError if
        the party does not exist.
        """
        ...

    async def has_confirmed(self, party_id: str, domains: Sequence[str]) -> bool:
        """Returns whether the party has confirmed at least one of these folded DKIM signing domains."""
        ...

    async def confirmed_domains(self, party_id: str) -> Sequence[str]:
        """Returns the folded DKIM signing domains that the party has confirmed, sorted by name."""
        ...

    async def listed_elsewhere(self, marketplace_id: str, party_id: str, address: str) -> bool:
        """Returns whether another party of the marketplace has approved exactly this folded address.

        An approval of the address's domain does not count.
        """
        ...


class RequestStore(Protocol):
    """Questions to the owners of accounts (R-SND-02).

    `AcceptanceStore.add` adds new questions, and marks questions as put when it adds the letter with them.
    """

    async def parties(self) -> Sequence[str]:
        """Returns the sorted ids of the parties for which questions wait. A bulk read."""
        ...

    async def waiting(self, party_id: str) -> Sequence[OpenRequest]:
        """Returns the questions that wait to be put to the party, the oldest first; none of an erased party."""
        ...

    async def leave_out(self, subject_ids: Sequence[str]) -> None:
        """Marks questions as closed without being put to the owner.

        A question that is already closed does not change.
        """
        ...

    async def was_asked(self, message_id: str) -> bool:
        """Returns whether the owner was asked about this message, or about its sender."""
        ...


class SignatureStore(Protocol):
    """The DKIM signatures that were accepted as the only proof of a writer, stored as keyed hashes (R-IN-09)."""

    async def taken_by(self, uses: Sequence[SignatureUse]) -> str | None:
        """Returns the id of the record in which one of these signatures was accepted before, or None.

        If there are several such records, the result is the oldest of them.
        """
        ...
