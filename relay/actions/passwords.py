"""App passwords: a party's mail program logs in with one on the submission ports (R-IN-02)."""

import asyncio
import secrets
from dataclasses import dataclass
from typing import Final

from argon2 import PasswordHasher

from relay.actions import audit
from relay.actions.actor import Actor, NotFoundError, Right
from relay.actions.context import ActionContext
from relay.core.model.party import Party
from relay.ports.audit import AuditAction

_PASSWORD_BYTES: Final = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPassword:
    """`password` is known only here; the store keeps its hash."""

    id: str
    password: str


async def add(actor: Actor, context: ActionContext, party: Party, label: str) -> NewPassword:
    """Makes a password and returns it. The party may do so.

    A party has at most two live passwords, so that they can be replaced in turn: a third one ends the oldest.
    """
    actor.require(Right.MANAGE_PASSWORDS, party.id)
    password = secrets.token_urlsafe(_PASSWORD_BYTES)
    hashed = await asyncio.to_thread(PasswordHasher().hash, password)
    password_id = await context.store.app_passwords.add(party.id, label, hashed)
    entry = audit.entry(
        actor,
        context,
        AuditAction.PASSWORD_ADDED,
        marketplace_id=party.marketplace_id,
        party_id=party.id,
        subject_id=password_id,
    )
    await audit.record(context, entry)
    return NewPassword(id=password_id, password=password)


async def revoke(actor: Actor, context: ActionContext, password_id: str) -> None:
    """Ends a password at once. Raises NotFoundError if no live one has this id."""
    actor.require(Right.MANAGE_PASSWORDS)
    if not await context.store.app_passwords.revoke(password_id):
        raise NotFoundError(f"there is no live app password {password_id}")
    await audit.record(context, audit.entry(actor, context, AuditAction.PASSWORD_REVOKED, subject_id=password_id))
