"""Actions on messages: the check of who may act on a message, and reading its text (R-REC-06)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from relay.actions import audit
from relay.actions.actor import ActionError, Actor, NotFoundError, Right
from relay.actions.context import ActionContext
from relay.actions.grounds import Grounds, plain
from relay.core.model.event import ViewData
from relay.core.model.pair import Pair
from relay.ports import MessageSummary, ServerAnswer, StoredMessage, StoredReport
from relay.ports.audit import AuditAction, AuditEntry


class MessageParty(Enum):
    """The party of a message that may carry out an action, in addition to the staff."""

    AUTHOR = "author"
    ADDRESSEE = "addressee"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The message on which an action works, with its pair.

    `pair` is None if the message belongs to no pair (such as mail to the operator), or if the caller did not look up
    the pair.
    """

    message: MessageSummary
    pair: Pair | None

    @property
    def author_id(self) -> str | None:
        """Returns the id of the party that wrote the message; None if there is no pair or no known author."""
        role = self.message.author_role
        return self.pair.side(role).party.id if self.pair and role else None

    @property
    def addressee_id(self) -> str | None:
        """Returns the id of the party to which the message was written; None if there is no pair or no known author."""
        role = self.message.author_role
        return self.pair.side(role.other).party.id if self.pair and role else None


async def subject(actor: Actor, context: ActionContext, right: Right, message_id: str, owner: MessageParty) -> Subject:
    """Returns the message and its pair, after a check of the actor's right.

    Raises NotFoundError if the message does not exist. Raises NotAllowedError if the actor lacks the right, or is a
    party that is not the `owner` of the message.
    """
    message = await context.store.records.summary(message_id)
    if message is None:
        raise NotFoundError(f"there is no message {message_id}")
    found = Subject(message=message, pair=await context.store.pairs.get(message.pair_id) if message.pair_id else None)
    actor.require(right, found.author_id if owner is MessageParty.AUTHOR else found.addressee_id)
    return found


def entry(actor: Actor, context: ActionContext, action: AuditAction, about: Subject, **data: str | int) -> AuditEntry:
    """Returns the audit log's entry for an action on a message."""
    made = audit.entry(actor, context, action, marketplace_id=about.message.marketplace_id, subject_id=about.message.id)
    return replace(made, data=data)


async def read_text(
    actor: Actor, context: ActionContext, message_id: str, *, form: str, grounds: Grounds
) -> StoredMessage:
    """Returns the message with its text, after recording in its history and in the audit log that it is read.

    `form` is the form that is read: "original", "relayed" or "diff". Raises NotFoundError if the message does not exist
    or its text was erased, and ActionError if there is no relayed form.
    """
    actor.require(Right.READ_TEXT)
    why = grounds.recorded()
    stored = await context.store.records.message(message_id)
    if stored is None:
        raise NotFoundError(f"there is no message {message_id}, or its text is erased")
    if form != "original" and stored.header is None:
        raise ActionError(f"{message_id} was not relayed, so there is no relayed form")
    await _note_view(actor, context, stored.summary, form, why)
    return stored


async def read_report(
    actor: Actor, context: ActionContext, message_id: str, report_id: str | None, grounds: Grounds
) -> StoredReport:
    """Returns a report that was sent to the return path of a message, after recording that it is read.

    `report_id` is the id of the report in the history of the message; None means the last report that is kept. Raises
    NotFoundError if there is no such report.
    """
    actor.require(Right.READ_TEXT)
    why = grounds.recorded()
    summary = await context.store.records.summary(message_id)
    found = await context.store.reports.of_message(message_id)
    report = next((one for one in reversed(found) if report_id in {None, one.event.id}), None)
    if summary is None or report is None:
        raise NotFoundError(f"{message_id} has no such report, or its bytes are not kept")
    await _note_view(actor, context, summary, "report", why)
    return report


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """The hosts of a message's way, which are stored encrypted.

    `client_ip` is the address of the client that delivered the message to the relay. `answers` are the answers of other
    servers, by the ids of the events of their attempts.
    """

    client_ip: str
    answers: Mapping[str, ServerAnswer]


async def read_hosts(actor: Actor, context: ActionContext, message_id: str, grounds: Grounds) -> Hosts:
    """Returns the hosts of a message. Before they are returned, an entry in the audit log records that they are read.

    Raises NotFoundError if the message does not exist or its content was erased.
    """
    actor.require(Right.READ_ADDRESSES)
    why = grounds.recorded()
    stored = await context.store.records.message(message_id)
    if stored is None:
        raise NotFoundError(f"there is no message {message_id}, or its content is erased")
    found = entry(
        actor,
        context,
        AuditAction.ADDRESSES_READ,
        Subject(message=stored.summary, pair=None),
        of="hosts",
        case=why.case,
        reason=why.reason,
    )
    await audit.record(context, found)
    return Hosts(client_ip=stored.client_ip, answers=await context.store.records.answers(message_id))


async def _note_view(actor: Actor, context: ActionContext, message: MessageSummary, form: str, why: Grounds) -> None:
    view = ViewData(what=form, case=why.case, reason=why.reason, by=plain(actor.by))
    await context.store.records.note_view(message.id, view)
    about = Subject(message=message, pair=None)
    await audit.record(context, entry(actor, context, AuditAction.TEXT_READ, about, form=form))
