"""Held mail: it is released, or returned to its writer."""

from relay.actions import audit, messages, senders
from relay.actions.actor import Actor, InvalidValueError, NotAllowedError, Right
from relay.actions.context import ActionContext
from relay.actions.messages import MessageParty
from relay.core.model.reason import ReasonCode
from relay.ports import MessageSummary
from relay.ports.audit import AuditAction
from relay.steps.quota import QUOTAS


async def release(actor: Actor, context: ActionContext, message_id: str) -> bool:
    """Lets one held message go on its way, whatever it waits for.

    Returns False, with nothing changed, if it is not held. Its author may only confirm having written it (R-IN-09).
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
    """Lets a held message go on its way, and confirms the domain that signed it for its author (R-IN-09).

    Later mail that this domain signs needs no confirmation. Returns False, with nothing changed, if the message is not
    held. Raises InvalidValueError if it does not wait for such a confirmation.
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
    """Returns one held message to its writer, with a notice.

    Returns False, with nothing changed, if it is not held. Its author may deny having written it.
    """
    about = await messages.subject(actor, context, Right.DECIDE_HOLDS, message_id, MessageParty.AUTHOR)
    if not await context.store.holds.refuse(message_id, actor.by):
        return False
    await audit.record(context, messages.entry(actor, context, AuditAction.HOLD_RETURNED, about))
    context.dispatcher.notify()
    return True


def waits_for_author_only(message: MessageSummary) -> bool:
    """Returns whether a held message waits for nothing but its author's confirmation, and perhaps a quota.

    A scanner's finding, for instance, is not the author's to decide on.
    """
    return set(message.detail.reason_codes) - QUOTAS == {ReasonCode.SENDER_UNPROVEN}
