"""Making and adding the entries of the audit log for the actions."""

from relay.actions.actor import Actor
from relay.actions.context import ActionContext
from relay.ports.audit import AuditAction, AuditEntry


def entry(
    actor: Actor,
    context: ActionContext,
    action: AuditAction,
    *,
    marketplace_id: str | None = None,
    party_id: str | None = None,
    subject_id: str | None = None,
    **data: str | int,
) -> AuditEntry:
    """Returns the audit log's entry for an action at the present time.

    `data` must hold no address and no text of a message.
    """
    return AuditEntry(
        at=context.clock.now(),
        actor=actor.name,
        way=actor.way,
        action=action,
        marketplace_id=marketplace_id,
        party_id=party_id,
        subject_id=subject_id,
        data=data,
    )


async def record(context: ActionContext, *entries: AuditEntry) -> None:
    """Adds the entries to the audit log and commits them. Raises UnavailableError."""
    if entries:
        await context.store.audit_log.add(entries)
