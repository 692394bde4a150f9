"""App passwords, with which a party's mail program logs in on the submission ports (R-IN-02)."""

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
    """A new app password. Only this value has the password itself, because the store keeps its hash."""

    id: str
    password: str


async def add(actor: Actor, context: ActionContext, party: Party, label: str) -> NewPassword:
    """Creates an app password and returns it. The staff and the party itself may do this.

    A party has at most two active passwords, so that a new one can be set up before the old one ends. A third one
    revokes the oldest.
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
    """Revokes an app password at once. Raises NotFoundError if no active password has this id."""
    actor.require(Right.MANAGE_PASSWORDS)
    if not await context.store.app_passwords.revoke(password_id):
        raise NotFoundError(f"there is no live app password {password_id}")
    await audit.record(context, audit.entry(actor, context, AuditAction.PASSWORD_REVOKED, subject_id=password_id))
