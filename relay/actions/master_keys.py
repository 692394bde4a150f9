"""The rotation of the master key, beside running daemons (R-REC-04).

A fresh key is added to the file, on every node; then it becomes the current key, and all values are wrapped by it; the
old key stays in the file until it is removed, because backups of the database need it.
"""

from collections.abc import AsyncIterator
from typing import Final

from relay.actions import audit
from relay.actions.actor import ActionError, Actor, Right
from relay.actions.context import ActionContext
from relay.ports.audit import AuditAction

_BATCH: Final = 200
"""The number of values that are wrapped in one transaction, for which other writers wait."""


async def add(actor: Actor, context: ActionContext) -> str:
    """Adds a fresh key to the file, unless one waits there. Returns the id of the key that waits."""
    actor.require(Right.MANAGE_KEYS)
    keys = context.store.master_keys
    if (waiting := keys.waiting()) is not None:
        return waiting
    key_id = keys.add()
    await audit.record(context, audit.entry(actor, context, AuditAction.MASTER_KEY_MADE, subject_id=key_id))
    return key_id


async def rotate(actor: Actor, context: ActionContext) -> AsyncIterator[int]:
    """Makes the key that waits the current one, and wraps all values by it; yields how many are left, 0 at the end.

    Without a key that waits, it finishes an earlier rotation. Raises ActionError if there is nothing to do.
    """
    actor.require(Right.MANAGE_KEYS)
    keys = context.store.master_keys
    waiting = keys.waiting()
    if waiting is not None:
        keys.make_current(waiting)
    if not await count_left(context) and waiting is None:
        raise ActionError("no key waits, and the current one wraps all values already; begin with --prepare")
    while number := await count_left(context):
        yield number
        await keys.rewrap(_BATCH)
    await audit.record(context, audit.entry(actor, context, AuditAction.MASTER_KEY_ROTATED, subject_id=keys.ids()[0]))
    yield 0


async def count_left(context: ActionContext) -> int:
    """Returns the number of values that the current key does not wrap."""
    used = await context.store.master_keys.in_use()
    return sum(used.values()) - used.get(context.store.master_keys.ids()[0], 0)


async def remove(actor: Actor, context: ActionContext) -> list[str]:
    """Takes the former keys that wrap nothing out of the file. Returns their ids.

    Raises ActionError while a former key still wraps values.
    """
    actor.require(Right.MANAGE_KEYS)
    keys = context.store.master_keys
    used, waiting = await keys.in_use(), keys.waiting()
    former = [key_id for key_id in keys.ids()[1:] if key_id != waiting]
    if busy := [key_id for key_id in former if used.get(key_id)]:
        raise ActionError(f"{', '.join(busy)} still wraps values; `relay keys rotate master` comes first")
    for key_id in former:
        keys.remove(key_id)
        await audit.record(context, audit.entry(actor, context, AuditAction.MASTER_KEY_REMOVED, subject_id=key_id))
    return former
