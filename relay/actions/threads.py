"""Threads: the mail of a pair about one order, or about no order (R-POL-18)."""

from relay.actions import audit
from relay.actions.actor import Actor, Right
from relay.actions.context import ActionContext
from relay.core.model.pair import Pair
from relay.ports.audit import AuditAction


async def reopen(actor: Actor, context: ActionContext, pair: Pair) -> None:
    """Reopens all threads of the pair, as if they had new mail now.

    The staff and both parties of the pair may do this.
    """
    actor.require(Right.REOPEN_THREADS, pair.buyer.party.id, pair.seller.party.id)
    await context.store.threads.reopen(pair.id, actor.by)
    entry = audit.entry(
        actor, context, AuditAction.THREADS_REOPENED, marketplace_id=pair.marketplace_id, subject_id=pair.id
    )
    await audit.record(context, entry)
