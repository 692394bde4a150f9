"""What each choice does. Choosing again what was chosen already does nothing."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from relay.core.model.message import MessageState
from relay.core.model.optout import OptOut
from relay.core.model.party import SettingsUpdate
from relay.core.model.sender import SenderState
from relay.core.signed_link import Purpose
from relay.ports import Misuse
from relay.ports.signed_links import ONE_CLICK
from relay.signed_links import offers
from relay.signed_links.context import LinkContext
from relay.steps import letters

_BY: Final = "link"
"""The source of a change, as the record keeps it."""
_MOST_WORDS: Final = 2_000

_Act = Callable[[LinkContext, str, str], Awaitable[None]]


async def act(context: LinkContext, choice: str, words: str) -> None:
    """`choice` is one of the purpose's. Raises LinkError, UnavailableError."""
    await _ACTS[context.purpose](context, choice, words)


async def _opt_out(context: LinkContext, choice: str, _: str) -> None:
    one_click = choice == ONE_CLICK
    scope, out = ("seller", True) if one_click else (choice.removesuffix("_undo"), not choice.endswith("_undo"))
    known = offers.scopes(context)
    if scope not in known or (scope in await offers.opted_out(context)) is out:
        return
    seller_id, kind = known[scope]
    opt_out = OptOut(
        buyer_id=context.party.id,
        seller_id=seller_id,
        kind=kind,
        source="one-click" if one_click else _BY,
        changed_at=context.now,
    )
    await context.services.store.put_opt_out(opt_out, out=out)


async def _not_important(context: LinkContext, _: str, __: str) -> None:
    about, store = context.about, context.services.store
    misuse = Misuse(
        message_id=about.message.id,
        seller_id=about.pair.seller.party.id,
        cause=offers.NOT_IMPORTANT,
        points=context.marketplace.policy_at(context.now).bypass.points_not_important,
        at=context.now,
    )
    await store.add_misuse(misuse)
    await store.mark(about.message.id, {"mark": offers.NOT_IMPORTANT, "by": _BY})


async def _no_reply(context: LinkContext, choice: str, _: str) -> None:
    await context.services.store.mark_no_reply(context.about.message.id, by=_BY, undo=choice == "undo")


async def _report(context: LinkContext, _: str, words: str) -> None:
    if offers.REPORTED in await context.marks():
        return
    about = context.about
    report = letters.AbuseReport(
        message_id=about.message.id,
        pair_id=about.pair.id,
        order=about.message.order_external_id or "",
        reporter=context.party,
        words=_plain(words),
        event={"mark": offers.REPORTED, "by": str(context.party.role)},
    )
    if await letters.report(context.services, report, context.now):
        context.services.dispatcher.notify()


def _plain(words: str) -> str:
    """Lines of printable text, not too much of it."""
    lines = ("".join(c for c in line if c.isprintable()) for line in words[:_MOST_WORDS].splitlines())
    return "\n".join(lines).strip()


async def _sender(context: LinkContext, choice: str, _: str) -> None:
    state = SenderState.APPROVED if choice == "approve" else SenderState.BLOCKED
    if state is SenderState.APPROVED and offers.is_never_approved(context):
        raise context.no_such_choice()
    if await context.services.store.flip_sender(context.sender.id, state, by=_BY) is None:
        raise context.gone()
    context.services.dispatcher.notify()


async def _confirm(context: LinkContext, choice: str, _: str) -> None:
    store, message = context.services.store, context.about.message
    if choice == "not_mine":
        await store.return_hold(message.id, by=_BY)
    elif message.state is MessageState.HELD and not offers.holds_besides(context):
        await store.release_hold(message.id, by=_BY)
    context.services.dispatcher.notify()


async def _reopen(context: LinkContext, _: str, __: str) -> None:
    if await offers.is_closed(context):
        await context.services.store.reopen_thread(context.about.pair.id, _BY)


async def _product_support(context: LinkContext, choice: str, _: str) -> None:
    party, on = context.party, choice == "turn_on"
    if party.settings.product_support is not on:
        settings = SettingsUpdate(product_support=on)
        await context.services.store.put_party(party.marketplace_id, party.role, party.external_ref, settings=settings)


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
