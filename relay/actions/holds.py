"""Decisions about held mail: to release it, or to return it to its writer."""

from relay.actions import audit, messages, senders
from relay.actions.actor import Actor, InvalidValueError, NotAllowedError, Right
from relay.actions.context import ActionContext
from relay.actions.messages import MessageParty
from relay.core.model.reason import ReasonCode
from relay.ports import MessageSummary
from relay.ports.audit import AuditAction
from relay.steps.quota import QUOTAS


async def release(actor: Actor, context: ActionContext, message_id: str) -> bool:
    """Releases a held message for delivery, whatever it waits for, and returns True.

    Returns False, with nothing changed, if the message is not held. The staff may do this. The author may do it only if
    the message waits for nothing but the author's confirmation (R-IN-09).
    """
    about = await messages.subject(actor, context, Right.DECIDE_HOLDS, message_id, MessageParty.AUTHOR)
    if actor.party_id is not None and not waits_for_author_only(about.message):
        raise NotAllowedError("this is not allowed: the message waits for a decision of the marketplace too")
    if not await context.store.holds.release(message_id, actor.by):
        return False
    await audit.record(context, messages.entry(actor, context, AuditAction.HOLD_RELEASED, about))
    context.dispatcher.notify()
    return True


async def release_always(actor: Actor, context: ActionContext, message_id: str) -> bool:
    """Releases a held message, and records that its author has confirmed the domain that signed it (R-IN-09).

    Later mail of the author that this domain signs needs no confirmation. Returns True. Returns False, with nothing
    changed, if the message is not held. Raises InvalidValueError if the message does not wait for the confirmation of a
    domain.
    """
    about = await messages.subject(actor, context, Right.DECIDE_HOLDS, message_id, MessageParty.AUTHOR)
    stored = await context.store.records.message(message_id)
    role = about.message.author_role
    if stored is None or not stored.signing_domain or about.pair is None or role is None:
        raise InvalidValueError("id", "{field}: the message does not wait for the confirmation of a signing domain")
    if not await release(actor, context, message_id):
        return False
    party = about.pair.side(role).party
    if await context.store.senders.confirm_domain(party.id, stored.signing_domain, confirmed=True, by=actor.by):
        await audit.record(context, senders.domain_entry(actor, context, party, confirmed=True))
        context.dispatcher.notify()
    return True


async def send_back(actor: Actor, context: ActionContext, message_id: str) -> bool:
    """Marks a held message as refused, so that the worker returns it to its writer with a notice.

    Returns True, or False with nothing changed if the message is not held. The staff may do this, and also the party
    that is named as the author, who says in this way that it did not write the message.
    """
    about = await messages.subject(actor, context, Right.DECIDE_HOLDS, message_id, MessageParty.AUTHOR)
    if not await context.store.holds.refuse(message_id, actor.by):
        return False
    await audit.record(context, messages.entry(actor, context, AuditAction.HOLD_RETURNED, about))
    context.dispatcher.notify()
    return True


def waits_for_author_only(message: MessageSummary) -> bool:
    """Returns whether a held message waits only for its author's confirmation, or for that and a quota.

    A message with another reason, such as the finding of a virus scanner, is not for the author to decide on.
    """
    return set(message.detail.reason_codes) - QUOTAS == {ReasonCode.SENDER_UNPROVEN}
