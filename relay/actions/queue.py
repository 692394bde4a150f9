"""The queue of outgoing mail."""

from collections.abc import Sequence

from relay.actions import audit
from relay.actions.actor import Actor, InvalidValueError, Right
from relay.actions.context import ActionContext
from relay.actions.grounds import Grounds
from relay.core.destination import name_of, shown
from relay.core.mail.address import AddressError, fold_domain
from relay.ports import QueueLine
from relay.ports.audit import AuditAction


async def flush(actor: Actor, context: ActionContext, domain: str | None) -> int:
    """Makes deferred mail due now, all of it or only the mail for one domain. Returns the number of items."""
    actor.require(Right.MANAGE_QUEUE)
    flushed = await context.store.queue.flush(_destination(context, domain) if domain is not None else None)
    # The domain itself is left out of the log: the domain of a mailbox may be the name of one person.
    entry = audit.entry(
        actor, context, AuditAction.QUEUE_FLUSHED, flushed=flushed, destinations="all" if domain is None else "one"
    )
    await audit.record(context, entry)
    context.dispatcher.notify()
    return flushed


async def read_domains(actor: Actor, context: ActionContext, grounds: Grounds) -> Sequence[tuple[str, QueueLine]]:
    """Returns the lines of the queue, each with the domain of its destination.

    If no stored address has the domain any more, the provider or "other" takes its place, as in the list without
    domains. Before the lines are returned, an entry in the audit log records that the domains are read.
    """
    actor.require(Right.READ_ADDRESSES)
    why = grounds.recorded()
    await audit.record(
        context,
        audit.entry(actor, context, AuditAction.ADDRESSES_READ, of="queue", case=why.case, reason=why.reason),
    )
    queue, domains, lines = context.store.queue, dict[str, str](), await context.store.queue.lines()
    for line in lines:
        if not domains.get(line.destination) and (item := await queue.item(line.item_id)) is not None:
            domains[line.destination] = await queue.domain(item)
    return [(domains.get(line.destination) or shown(line.destination), line) for line in lines]


def _destination(context: ActionContext, domain: str) -> str:
    try:
        return name_of(context.store.secrets.get("destination"), fold_domain(domain))
    except AddressError as error:
        raise InvalidValueError("destination", f"{{field}}: not a domain: {error}") from None
