"""Pairs: one buyer and one seller who may write to each other at their aliases."""

from collections.abc import Set as AbstractSet

from relay.actions import audit
from relay.actions.actor import Actor, Right
from relay.actions.context import ActionContext
from relay.core.mail.address import fold_domain
from relay.core.model.marketplace import Marketplace
from relay.core.model.pair import Pair
from relay.core.model.party import Party, Role
from relay.ports.audit import AuditAction, AuditEntry


async def put(actor: Actor, context: ActionContext, marketplace: Marketplace, buyer: Party, seller: Party) -> Pair:
    """Creates the pair of a buyer and a seller, and returns it.

    A repeated call returns the same pair with the same aliases. A new pair gets aliases under the domains that fit the
    parties' mailboxes (R-ADR-03).
    """
    actor.require(Right.PUT_ORDERS)
    pair, entry = await put_unrecorded(actor, context, marketplace, buyer, seller)
    await audit.record(context, entry)
    return pair


async def put_unrecorded(
    actor: Actor, context: ActionContext, marketplace: Marketplace, buyer: Party, seller: Party
) -> tuple[Pair, AuditEntry]:
    """Creates a pair as `put` does, without the check of the actor's right. Returns the pair and the entry to record.

    The caller must check the right, and add the entry to the audit log together with the entries of other changes.
    """
    domains = {party.role: await _alias_domain(context, marketplace, party) for party in (buyer, seller)}
    pair = await context.store.pairs.put(marketplace.id, buyer.id, seller.id, domains)
    entry = audit.entry(actor, context, AuditAction.PAIR_PUT, marketplace_id=marketplace.id, subject_id=pair.id)
    return pair, entry


async def close(actor: Actor, context: ActionContext, pair: Pair) -> Pair:
    """Retires both aliases of a pair, and returns the pair. The call can be repeated safely (R-ADR-02).

    From then on mail to the aliases is refused as mail to an unknown address. Mail that was accepted before is still
    delivered. `put` does not open the pair again, because it is called for each order; `renew` does.
    """
    actor.require(Right.PUT_ORDERS)
    closed = await context.store.pairs.renew(pair.id, dict.fromkeys(Role))
    entry = audit.entry(actor, context, AuditAction.PAIR_CLOSED, marketplace_id=pair.marketplace_id, subject_id=pair.id)
    await audit.record(context, entry)
    return closed or pair


async def renew(
    actor: Actor, context: ActionContext, marketplace: Marketplace, pair: Pair, roles: AbstractSet[Role]
) -> Pair:
    """Retires the aliases of these sides of a pair, gives them new ones, and returns the pair (R-ADR-02).

    A closed pair is open again when both sides have new aliases. The other side learns a new alias by the next mail.
    """
    actor.require(Right.PUT_ORDERS)
    domains: dict[Role, str | None] = {
        role: await _alias_domain(context, marketplace, pair.side(role).party) for role in roles
    }
    renewed = await context.store.pairs.renew(pair.id, domains)
    entry = audit.entry(
        actor,
        context,
        AuditAction.ALIASES_RENEWED,
        marketplace_id=pair.marketplace_id,
        subject_id=pair.id,
        roles=" ".join(sorted(roles)),
    )
    await audit.record(context, entry)
    return renewed or pair


async def _alias_domain(context: ActionContext, marketplace: Marketplace, party: Party) -> str:
    mailbox = await context.store.parties.mailbox(party.id)
    return marketplace.alias_domain(fold_domain(mailbox.rpartition("@")[2]) if mailbox else "")
