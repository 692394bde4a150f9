"""Senders: the addresses and whole domains that may write for a party (R-SND-01, R-SND-03)."""

from collections.abc import Iterable, Mapping, Sequence

from relay.actions import audit
from relay.actions.actor import Actor, InvalidValueError, NotFoundError, Right
from relay.actions.addresses import check_address
from relay.actions.context import ActionContext
from relay.actions.grounds import Grounds
from relay.core import redact
from relay.core.mail.address import AddressError, domain_of, fold_entry
from relay.core.model.party import Party
from relay.core.model.sender import Sender, SenderState
from relay.ports import Pending
from relay.ports.audit import AuditAction, AuditEntry

_DECISIONS = frozenset({SenderState.APPROVED, SenderState.BLOCKED, SenderState.RETIRED})


async def add(
    actor: Actor, context: ActionContext, party: Party, address: str, *, label: str = "", shared: bool = False
) -> Sender:
    """Adds `local@domain`, or `@domain` for all addresses of a domain, to the party's list as approved.

    Returns the entry. The mail that is held for the sender is released. The call can be repeated safely. The staff and
    the party itself may do this. Raises InvalidValueError for an address that `check_address` refuses.
    """
    actor.require(Right.DECIDE_SENDERS, party.id)
    check_address(context, "address", address)
    put = await context.store.senders.put(
        party.id, address, SenderState.APPROVED, label=label, added_by=actor.by, shared=shared
    )
    await audit.record(context, _entry(actor, context, AuditAction.SENDER_PUT, party, put))
    context.dispatcher.notify()
    return put


async def decide(
    actor: Actor, context: ActionContext, party: Party, addresses: Sequence[str], state: SenderState
) -> Sequence[Sender]:
    """Approves, blocks or retires entries of the party's list, all of them or none. Returns the entries.

    An approval releases the mail that is held for the entries, and a block returns it (R-SND-02). If the staff block an
    entry or retire a pending one, its held mail is returned with a notice, because the account's owner does not know of
    the decision. The result is in the order of `addresses`. The staff and the party itself may do this. Raises
    NotFoundError if one of the addresses is not on the list. Raises InvalidValueError for any other state, and for the
    approval of an address that `check_address` refuses.
    """
    actor.require(Right.DECIDE_SENDERS, party.id)
    if state not in _DECISIONS:
        raise InvalidValueError("state", f"{{field}}: a sender cannot be made {state}")
    if state is SenderState.APPROVED:
        for address in addresses:
            check_address(context, "address", address)
    by_staff = actor.party_id is None
    try:
        decided = await context.store.senders.flip_many(party.id, addresses, state, by=actor.by, with_notice=by_staff)
    except ValueError:
        raise NotFoundError(
            f'{party.role} "{party.external_ref}" does not list each of these addresses, so none was changed'
        ) from None
    entries = [_entry(actor, context, AuditAction.SENDER_DECIDED, party, sender) for sender in decided]
    await audit.record(context, *entries)
    context.dispatcher.notify()
    return decided


async def confirm_domain(
    actor: Actor, context: ActionContext, party: Party, domain: str, *, confirmed: bool = True
) -> bool:
    """Records that the party has confirmed a domain as a signer of its mail, or removes the confirmation (R-IN-09).

    A signature by a confirmed domain also proves mail whose signed header does not name the recipient. A confirmation
    releases the mail that waits for nothing else. Returns True, or False if nothing has changed. The staff and the
    party itself may do this. Raises InvalidValueError if `domain` is not a domain name.
    """
    actor.require(Right.DECIDE_SENDERS, party.id)
    try:
        folded = domain_of(f"any@{domain}")
    except AddressError:
        raise InvalidValueError("domain", "{field}: a domain name is needed, such as shop.example") from None
    if not await context.store.senders.confirm_domain(party.id, folded, confirmed=confirmed, by=actor.by):
        return False
    await audit.record(context, domain_entry(actor, context, party, confirmed=confirmed))
    context.dispatcher.notify()
    return True


def domain_entry(actor: Actor, context: ActionContext, party: Party, *, confirmed: bool) -> AuditEntry:
    """Returns the audit log's entry for a signing domain that was confirmed, or whose confirmation was removed."""
    action = AuditAction.SIGNING_DOMAIN_CONFIRMED if confirmed else AuditAction.SIGNING_DOMAIN_WITHDRAWN
    return audit.entry(actor, context, action, marketplace_id=party.marketplace_id, party_id=party.id)


async def read_confirmed_domains(actor: Actor, context: ActionContext, party: Party, grounds: Grounds) -> Sequence[str]:
    """Returns the signing domains that the party has confirmed.

    Before the domains are returned, an entry in the audit log records that they are read.
    """
    await _record_reading(actor, context, party, grounds)
    return await context.store.senders.confirmed_domains(party.id)


async def read(actor: Actor, context: ActionContext, party: Party, grounds: Grounds) -> Sequence[Sender]:
    """Returns the party's list of senders with their addresses.

    Before the list is returned, an entry in the audit log records that it is read.
    """
    await _record_reading(actor, context, party, grounds)
    return await context.store.senders.of_party(party.id)


async def read_pending(actor: Actor, context: ActionContext, party: Party, grounds: Grounds) -> Sequence[Pending]:
    """Returns the party's senders that wait for a decision, with their addresses.

    Before the senders are returned, an entry in the audit log records that they are read.
    """
    await _record_reading(actor, context, party, grounds)
    return await context.store.senders.pending(party.id)


async def masked(actor: Actor, context: ActionContext, sender_ids: Iterable[str | None]) -> Mapping[str, str]:
    """Returns the addresses of entries by their ids, with most of each local part hidden (`redact.masked`).

    Nothing is recorded, because nobody can write to the result. Ids that are None or unknown are left out. Only the
    staff may do this.
    """
    actor.require(Right.DECIDE_SENDERS)
    found = [await context.store.senders.get(one) for one in {one for one in sender_ids if one is not None}]
    return {one.id: redact.masked(one.address) for one in found if one is not None}


async def find(actor: Actor, context: ActionContext, party: Party, address: str) -> Sender | None:
    """Returns the entry of the party's list that has exactly this address, or None.

    Nothing is recorded, because the actor knows the address. Raises AddressError for a text that is not an address.
    """
    actor.require(Right.DECIDE_SENDERS, party.id)
    folded = fold_entry(address)
    return next((one for one in await context.store.senders.of_party(party.id) if one.address == folded), None)


async def _record_reading(actor: Actor, context: ActionContext, party: Party, grounds: Grounds) -> None:
    actor.require(Right.READ_ADDRESSES)
    why = grounds.recorded()
    entry = audit.entry(
        actor,
        context,
        AuditAction.ADDRESSES_READ,
        marketplace_id=party.marketplace_id,
        party_id=party.id,
        of="senders",
        case=why.case,
        reason=why.reason,
    )
    await audit.record(context, entry)


def _entry(actor: Actor, context: ActionContext, action: AuditAction, party: Party, sender: Sender) -> AuditEntry:
    return audit.entry(
        actor,
        context,
        action,
        marketplace_id=party.marketplace_id,
        party_id=party.id,
        subject_id=sender.id,
        state=sender.state.value,
    )
