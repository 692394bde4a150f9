"""Makes the content of the page of each signed link: its subject, the current state, and the choices."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from relay.actions import holds
from relay.core import redact
from relay.core.model.event import EventType, Mark
from relay.core.model.kind import NEVER_STOPPED, Kind
from relay.core.model.message import MessageState
from relay.core.model.sender import SenderState
from relay.core.notice import frame
from relay.core.policy.rules import threads
from relay.core.signed_link import Purpose
from relay.ports.signed_links import Choice, Offer
from relay.signed_links.context import LinkContext
from relay.steps import letters
from relay.steps.plan import shown_name

_Look = Callable[[LinkContext], Awaitable[Offer]]


async def offer(context: LinkContext) -> Offer:
    """Returns the content of the page of a link. Raises UnavailableError."""
    return await _LOOKS[context.purpose](context)


async def _opt_out(context: LinkContext) -> Offer:
    """Offers to opt out of each scope, or to undo the opt-out if it is in force.

    If the buyer has opted out of all mail, the narrower scopes are not offered, because they would add nothing.
    """
    on = await opted_out(context)
    kind = context.about.message.kind
    rows = []
    for scope in scopes(context):
        if scope in on:
            rows.append(Choice(f"{scope}_undo", f"{scope}_on"))
        elif "all" not in on:
            rows.append(Choice(scope, f"{scope}_off"))
    return _offer(context, "", *rows, about=_received(context), kind=kind)


def scopes(context: LinkContext) -> Mapping[str, tuple[str | None, Kind | None]]:
    """Returns the scopes of an opt-out by name, each as (id of the seller, kind); None means all sellers or all kinds.

    The kind of the message is a scope only if an opt-out can stop its mail: an answer and a critical kind always pass.
    OTHER is no scope, because nearly all mail of a shop may have this kind.
    """
    about = context.about
    kind = about.message.kind
    never = context.marketplace.policy_at(context.now).bypass.critical_kinds | NEVER_STOPPED
    of_kind = {} if kind in never else {"kind": (None, kind)}
    return {"seller": (about.pair.seller.party.id, None), "all": (None, None), **of_kind}


async def opted_out(context: LinkContext) -> frozenset[str]:
    """Returns the names of the scopes for which the buyer has an opt-out."""
    pair = context.about.pair
    in_force = {
        (one.seller_id, one.kind)
        for one in await context.services.store.opt_outs.in_force(pair.buyer.party.id, pair.seller.party.id)
    }
    return frozenset(name for name, scope in scopes(context).items() if scope in in_force)


async def _not_important(context: LinkContext) -> Offer:
    if Mark.NOT_IMPORTANT in await context.marks():
        return _offer(context, "told", about=_received(context))
    return _offer(context, "open", Choice("tell"), about=_received(context))


async def _no_reply(context: LinkContext) -> Offer:
    said = [mark for mark in await context.marks() if mark in (Mark.NO_REPLY_NEEDED, Mark.REPLY_NEEDED)]
    if said[-1:] == [Mark.NO_REPLY_NEEDED]:
        return _offer(context, "left_out", Choice("undo"), about=_received(context))
    return _offer(context, "open", Choice("leave_out"), about=_received(context))


async def _report(context: LinkContext) -> Offer:
    message_id = context.about.message.id
    about = (*_received(context), ("record", message_id))
    notice_log = context.services.store.notice_log
    under_way = await letters.is_being_reported(notice_log, context.party.id, message_id, context.now)
    if under_way or Mark.REPORTED in await context.marks():
        return _offer(context, "received", about=about)
    return _offer(context, "open", Choice("report"), about=about)


async def _sender(context: LinkContext) -> Offer:
    """Shows the address of the sender, and offers to approve or to block it.

    The address may be shown, because the mail from it is written for the reader's own account.
    """
    sender = context.sender
    pending = await context.services.store.senders.pending(context.party.id)
    held = sum(one.held for one in pending if one.sender.id == sender.id)
    waiting = (("waiting", str(held)),) if sender.state is SenderState.UNKNOWN else ()
    offered = {SenderState.APPROVED: "approve", SenderState.BLOCKED: "block"}
    return _offer(
        context,
        str(sender.state),
        *(
            Choice(value)
            for state, value in offered.items()
            if sender.state is not state and not (value == "approve" and is_never_approved(context))
        ),
        about=(("sender", redact.visible(sender.address)), *waiting),
    )


def is_never_approved(context: LinkContext) -> bool:
    """Returns whether the sender is at a domain of the relay itself, so that it may not be approved (R-OUT-08).

    Older lists of senders may contain such entries.
    """
    return context.services.marketplaces.is_own(context.sender.address)


async def _confirm(context: LinkContext) -> Offer:
    """Shows the subject of the held message, and offers to confirm or to deny that the reader wrote it.

    If the message is held only because its signing domain is not confirmed, the reader can also confirm the domain for
    all later messages (R-IN-09).
    """
    message = context.about.message
    stored = await context.services.store.records.message(message.id)
    subject = (("subject", stored.subject),) if stored and stored.subject else ()
    about = (*_times(context), *subject)
    if message.state is MessageState.HELD and Mark.REFUSED not in await context.marks():
        if not holds.waits_for_author_only(message):
            return _offer(context, "also_held", Choice("not_mine"), about=about)
        if stored and stored.signing_domain:
            about = (*about, ("signed_by", stored.signing_domain))
            return _offer(context, "open", Choice("mine"), Choice("always"), Choice("not_mine"), about=about)
        return _offer(context, "open", Choice("mine"), Choice("not_mine"), about=about)
    history = await context.services.store.records.history(message.id)
    released = any(event.type is EventType.RELEASED for event in history)
    state = "refused" if Mark.REFUSED in await context.marks() else "released" if released else "over"
    return _offer(context, state, about=about)


async def _reopen(context: LinkContext) -> Offer:
    if await is_closed(context):
        return _offer(context, "closed", Choice("reopen"), about=_times(context))
    return _offer(context, "open", about=_times(context))


async def is_closed(context: LinkContext) -> bool:
    """Returns whether the thread of the message is closed (R-POL-18)."""
    store, about = context.services.store, context.about
    external_id = about.message.order_external_id
    order = await store.orders.get(context.marketplace.id, external_id) if external_id else None
    last_at = await store.threads.last_at(about.pair.id, order.id if order else None)
    return threads.is_closed(last_at, context.marketplace.policy_at(context.now), context.now)


async def _product_support(context: LinkContext) -> Offer:
    if context.party.settings.product_support:
        return _offer(context, "on", Choice("turn_off"))
    return _offer(context, "off", Choice("turn_on"))


def _offer(
    context: LinkContext,
    state: str,
    *choices: Choice,
    about: tuple[tuple[str, str], ...] = (),
    kind: Kind = Kind.OTHER,
) -> Offer:
    return Offer(
        purpose=context.purpose,
        marketplace=context.marketplace.name,
        help_url=context.marketplace.help_url,
        locale=context.locale,
        about=about,
        choices=choices,
        state=state,
        kind=kind,
    )


def _received(context: LinkContext) -> tuple[tuple[str, str], ...]:
    """Returns the rows about a message of the other side: its From, as in the relayed mail, and its order and time.

    The subject is not shown, because it may contain an address that the writer has typed.
    """
    about, role = context.about, context.party.role.other
    side = about.pair.side(role)
    name = shown_name(context.services.store.secrets, context.marketplace, about.pair, side)
    return ("from", f"{name} <{side.alias.address}>"), *_times(context)


def _times(context: LinkContext) -> tuple[tuple[str, str], ...]:
    message = context.about.message
    policy = context.marketplace.policy_at(context.now)
    order = (("order", message.order_external_id),) if message.order_external_id else ()
    return (*order, ("received", frame.moment(message.received_at, policy)))


_LOOKS: Final[Mapping[Purpose, _Look]] = {
    Purpose.OPT_OUT: _opt_out,
    Purpose.NOT_IMPORTANT: _not_important,
    Purpose.NO_REPLY: _no_reply,
    Purpose.REPORT: _report,
    Purpose.SENDER: _sender,
    Purpose.CONFIRM: _confirm,
    Purpose.REOPEN: _reopen,
    Purpose.PRODUCT_SUPPORT: _product_support,
}
