"""Carries out the choices of signed links, each by an action. Making the same choice again changes nothing."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from relay.actions import holds, marks, opt_outs, parties, senders, threads
from relay.actions.actor import InvalidValueError, NotFoundError
from relay.actions.marks import Complaint
from relay.core.model.event import Mark
from relay.core.model.message import MessageState
from relay.core.model.sender import SenderState
from relay.core.signed_link import Purpose
from relay.ports.audit import Way
from relay.ports.signed_links import ONE_CLICK
from relay.signed_links import offers
from relay.signed_links.context import LinkContext

_Act = Callable[[LinkContext, str, str], Awaitable[None]]


async def act(context: LinkContext, choice: str, words: str) -> None:
    """Carries out `choice`, which is one of the choices of the link's purpose.

    `words` is the text that the party has typed; only the choice to report a message uses it. Raises LinkError if the
    link's subject no longer exists or the link does not offer the choice, and UnavailableError.
    """
    try:
        await _ACTS[context.purpose](context, choice, words)
    except NotFoundError:
        raise context.gone() from None
    except InvalidValueError:
        raise context.no_such_choice() from None


async def _opt_out(context: LinkContext, choice: str, _: str) -> None:
    one_click = choice == ONE_CLICK
    scope, out = ("seller", True) if one_click else (choice.removesuffix("_undo"), not choice.endswith("_undo"))
    known = offers.scopes(context)
    if scope not in known or (scope in await offers.opted_out(context)) is out:
        return
    actor = context.actor(Way.ONE_CLICK if one_click else Way.LINK)
    await opt_outs.put(actor, context.services, context.party, *known[scope], out=out)


async def _not_important(context: LinkContext, _: str, __: str) -> None:
    await marks.not_important(context.actor(), context.services, context.about.message.id)


async def _no_reply(context: LinkContext, choice: str, _: str) -> None:
    message_id = context.about.message.id
    await marks.no_reply_needed(context.actor(), context.services, message_id, undo=choice == "undo")


async def _report(context: LinkContext, _: str, words: str) -> None:
    if Mark.REPORTED not in await context.marks():
        complaint = Complaint(message_id=context.about.message.id, reporter=context.party, words=words)
        await marks.report_abuse(context.actor(), context.services, complaint)


async def _sender(context: LinkContext, choice: str, _: str) -> None:
    state = SenderState.APPROVED if choice == "approve" else SenderState.BLOCKED
    await senders.decide(context.actor(), context.services, context.party, [context.sender.address], state)


async def _confirm(context: LinkContext, choice: str, _: str) -> None:
    message = context.about.message
    if choice == "not_mine":
        await holds.send_back(context.actor(), context.services, message.id)
    elif message.state is MessageState.HELD and holds.waits_for_author_only(message):
        release = holds.release_always if choice == "always" else holds.release
        await release(context.actor(), context.services, message.id)


async def _reopen(context: LinkContext, _: str, __: str) -> None:
    if await offers.is_closed(context):
        await threads.reopen(context.actor(), context.services, context.about.pair)


async def _product_support(context: LinkContext, choice: str, _: str) -> None:
    on = choice == "turn_on"
    if context.party.settings.product_support is not on:
        await parties.set_product_support(context.actor(), context.services, context.party, on=on)


_ACTS: Final[Mapping[Purpose, _Act]] = {
    Purpose.OPT_OUT: _opt_out,
    Purpose.NOT_IMPORTANT: _not_important,
    Purpose.NO_REPLY: _no_reply,
    Purpose.REPORT: _report,
    Purpose.SENDER: _sender,
    Purpose.CONFIRM: _confirm,
    Purpose.REOPEN: _reopen,
    Purpose.PRODUCT_SUPPORT: _product_support,
}
