"""The queue of outgoing mail."""

from relay.actions import audit
from relay.actions.actor import Actor, Right
from relay.actions.context import ActionContext
from relay.ports.audit import AuditAction


async def flush(actor: Actor, context: ActionContext, destination: str | None) -> int:
    """Makes deferred mail due now, all of it or only the mail for one domain. Returns the number of items."""
    actor.require(Right.MANAGE_QUEUE)
    flushed = await context.store.queue.flush(destination)
    # The domain itself is left out of the log: the domain of a mailbox may be the name of one person.
    entry = audit.entry(
        actor, context, AuditAction.QUEUE_FLUSHED, flushed=flushed, destinations="all" if destination is None else "one"
    )
    await audit.record(context, entry)
    context.dispatcher.notify()
    return flushed
