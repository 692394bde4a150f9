"""The rotation of the master key while daemons are running (R-REC-04).

First a new key is added to the key file on every node. Then it becomes the current key, and all values are encrypted
("wrapped") with it. The former key stays in the file until it is removed, because backups of the database need it.
"""

from collections.abc import AsyncIterator
from typing import Final

from relay.actions import audit
from relay.actions.actor import ActionError, Actor, Right
from relay.actions.context import ActionContext
from relay.ports.audit import AuditAction

_BATCH: Final = 200
"""The number of values that are wrapped in one transaction. Other writers wait for that transaction."""


async def add(actor: Actor, context: ActionContext) -> str:
    """Adds a new key to the key file, and returns its id.

    If the file already has a new key, which `rotate` has not made current yet, nothing is added and the id of that key
    is returned.
    """
    actor.require(Right.MANAGE_KEYS)
    keys = context.store.master_keys
    if (waiting := keys.waiting()) is not None:
        return waiting
    key_id = keys.add()
    await audit.record(context, audit.entry(actor, context, AuditAction.MASTER_KEY_MADE, subject_id=key_id))
    return key_id


async def rotate(actor: Actor, context: ActionContext) -> AsyncIterator[int]:
    """Makes the new key the current one, and wraps all values with it. Yields the number of values left, 0 at the end.

    Without a new key it finishes an earlier rotation. Raises ActionError if there is nothing to do.
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
    """Returns the number of values that are not wrapped with the current key."""
    used = await context.store.master_keys.in_use()
    return sum(used.values()) - used.get(context.store.master_keys.ids()[0], 0)


async def remove(actor: Actor, context: ActionContext) -> list[str]:
    """Removes the former keys that wrap no value from the key file. Returns their ids.

    Raises ActionError, with nothing removed, if a former key still wraps values.
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
