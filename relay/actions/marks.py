"""Marks on messages by their recipients: not important, no reply needed, and reported as abuse."""

from dataclasses import dataclass
from typing import Final

from relay.actions import audit, messages
from relay.actions.actor import Actor, NotFoundError, Right
from relay.actions.context import ActionContext
from relay.actions.messages import MessageParty
from relay.core.model.event import Mark, MarkData
from relay.core.model.party import Party, Role
from relay.ports import Misuse, MisuseCause
from relay.ports.audit import AuditAction
from relay.steps import letters
from relay.steps.services import Services

_MOST_WORDS: Final = 2_000


async def not_important(actor: Actor, context: ActionContext, message_id: str) -> bool:
    """Records the statement that a seller's message did not deserve its mark of importance.

    The seller gets points of misuse (R-POL-06). The staff and the buyer of the pair may do this. Returns True, or False
    with nothing changed if the statement was made before. Raises NotFoundError if the message is not from a seller.
    """
    about = await messages.subject(actor, context, Right.MARK_NOT_IMPORTANT, message_id, MessageParty.ADDRESSEE)
    marketplace = context.marketplaces.by_id.get(about.message.marketplace_id)
    if about.pair is None or marketplace is None or about.message.author_role is not Role.SELLER:
        raise NotFoundError(f"message {message_id} is not a seller's message to a buyer")
    now = context.clock.now()
    seller_id = about.pair.seller.party.id
    misuse = Misuse(
        message_id=message_id,
        seller_id=seller_id,
        cause=MisuseCause.NOT_IMPORTANT,
        points=marketplace.policy_at(now).bypass.points_not_important,
        at=now,
    )
    counted = await context.store.limits.add_misuse(misuse)
    marked = await context.store.records.mark(message_id, MarkData(mark=Mark.NOT_IMPORTANT, by=actor.by))
    if counted or marked:
        entry = messages.entry(
            actor, context, AuditAction.MARKED_NOT_IMPORTANT, about, seller=seller_id, points=misuse.points
        )
        await audit.record(context, entry)
    return counted or marked


async def no_reply_needed(actor: Actor, context: ActionContext, message_id: str, *, undo: bool = False) -> bool:
    """Excludes a buyer's message from the measurement of the seller's response times (R-REC-08).

    With `undo` it includes the message again. The staff and the seller of the pair may do this. Returns True, or False
    if nothing has changed.
    """
    about = await messages.subject(actor, context, Right.MARK_NO_REPLY, message_id, MessageParty.ADDRESSEE)
    changed = await context.store.records.mark_no_reply(message_id, by=actor.by, undo=undo)
    if changed:
        entry = messages.entry(actor, context, AuditAction.MARKED_NO_REPLY_NEEDED, about, undo=int(undo))
        await audit.record(context, entry)
    return changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """A party's report about a message.

    `words` is the text of the party, which only the mail to the operator contains.
    """

    message_id: str
    reporter: Party
    words: str


async def report_abuse(actor: Actor, services: Services, complaint: Complaint) -> bool:
    """Sends a report about a message to the operator, and marks the message as reported (R-REW-09).

    The staff and the party that received the message may do this. Returns True, or False with nothing sent if the same
    report is being sent at this moment.
    """
    about = await messages.subject(actor, services, Right.REPORT_ABUSE, complaint.message_id, MessageParty.ADDRESSEE)
    if about.pair is None:
        raise NotFoundError(f"message {complaint.message_id} is not between two parties")
    report = letters.AbuseReport(
        message_id=complaint.message_id,
        pair_id=about.pair.id,
        order=about.message.order_external_id or "",
        reporter=complaint.reporter,
        words=_plain(complaint.words),
        event=MarkData(mark=Mark.REPORTED, by=complaint.reporter.role),
    )
    if not await letters.report(services, report, services.clock.now()):
        return False
    await audit.record(services, messages.entry(actor, services, AuditAction.ABUSE_REPORTED, about))
    services.dispatcher.notify()
    return True


def _plain(words: str) -> str:
    """Returns the words as lines of printable text, cut to a length that nobody types by hand."""
    lines = ("".join(c for c in line if c.isprintable()) for line in words[:_MOST_WORDS].splitlines())
    return "\n".join(lines).strip()
