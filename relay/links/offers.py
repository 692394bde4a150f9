"""What each link shows: what it is about, what is so now, what can be chosen."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Final

from relay.core.link import Purpose
from relay.core.model.event import EventType
from relay.core.model.kind import Kind
from relay.core.model.message import MessageState
from relay.core.model.reason import ReasonCode
from relay.core.model.sender import SenderState
from relay.core.notice import frame
from relay.links.holding import Holding
from relay.ports.links import Choice, Offer
from relay.steps import letters
from relay.steps.gather import shown_name
from relay.steps.judgement import QUOTAS

NO_REPLY: Final = "no_reply_needed"
REPLY: Final = "reply_needed"
NOT_IMPORTANT: Final = "not_important"
REPORTED: Final = "reported"
REFUSED: Final = "refused"
"""Marks in a message's history."""

_Look = Callable[[Holding], Awaitable[Offer]]


async def offer(holding: Holding) -> Offer:
    return await _LOOKS[holding.purpose](holding)


async def _opt_out(holding: Holding) -> Offer:
    """A scope that a wider one holds already is not shown, unless it is on by itself."""
    on = await opted_out(holding)
    kind = Kind(holding.about.message.kind)
    rows = []
    for scope in scopes(holding):
        if scope in on:
            rows.append(Choice(f"{scope}_undo", f"{scope}_on"))
        elif "all" not in on:
            rows.append(Choice(scope, f"{scope}_off"))
    return _offer(holding, "", *rows, about=_received(holding), kind=kind)


def scopes(holding: Holding) -> Mapping[str, tuple[str | None, Kind | None]]:
    """Each scope as (seller, kind). An opt-out of answers, or of a kind that passes all opt-outs, would do nothing."""
    about = holding.about
    kind = Kind(about.message.kind)
    passes = holding.marketplace.policy_at(holding.now).bypass.critical_kinds | {Kind.REPLY}
    of_kind = {} if kind in passes else {"kind": (None, kind)}
    return {"seller": (about.pair.seller.party.id, None), "all": (None, None), **of_kind}


async def opted_out(holding: Holding) -> frozenset[str]:
    """The scopes that are on."""
    pair = holding.about.pair
    in_force = {
        (one.seller_id, one.kind)
        for one in await holding.house.store.opt_outs(pair.buyer.party.id, pair.seller.party.id)
    }
    return frozenset(name for name, scope in scopes(holding).items() if scope in in_force)


async def _not_important(holding: Holding) -> Offer:
    if NOT_IMPORTANT in await holding.marks():
        return _offer(holding, "told", about=_received(holding))
    return _offer(holding, "open", Choice("tell"), about=_received(holding))


async def _no_reply(holding: Holding) -> Offer:
    said = [mark for mark in await holding.marks() if mark in (NO_REPLY, REPLY)]
    if said[-1:] == [NO_REPLY]:
        return _offer(holding, "left_out", Choice("undo"), about=_received(holding))
    return _offer(holding, "open", Choice("leave_out"), about=_received(holding))


async def _report(holding: Holding) -> Offer:
    message_id = holding.about.message.id
    about = (*_received(holding), ("record", message_id))
    under_way = await letters.is_being_reported(holding.house, holding.party.id, message_id, holding.now)
    if under_way or REPORTED in await holding.marks():
        return _offer(holding, "received", about=about)
    return _offer(holding, "open", Choice("report"), about=about)


async def _sender(holding: Holding) -> Offer:
    """The address is one that writes for the holder's own account."""
    sender = holding.sender
    pending = await holding.house.store.pending(holding.party.id)
    held = sum(one.held for one in pending if one.sender.id == sender.id)
    waiting = (("waiting", str(held)),) if sender.state is SenderState.UNKNOWN else ()
    offered = {SenderState.APPROVED: "approve", SenderState.BLOCKED: "block"}
    return _offer(
        holding,
        str(sender.state),
        *(Choice(value) for state, value in offered.items() if sender.state is not state),
        about=(("sender", sender.address), *waiting),
    )


async def _confirm(holding: Holding) -> Offer:
    """The holder is said to have written it: its subject shows whether he has."""
    message = holding.about.message
    stored = await holding.house.store.message(message.id)
    subject = (("subject", stored.subject),) if stored and stored.subject else ()
    about = (*_times(holding), *subject)
    if message.state is MessageState.HELD and REFUSED not in await holding.marks():
        if holds_besides(holding):
            return _offer(holding, "also_held", Choice("not_mine"), about=about)
        return _offer(holding, "open", Choice("mine"), Choice("not_mine"), about=about)
    history = await holding.house.store.history(message.id)
    released = any(event.type is EventType.RELEASED for event in history)
    state = "refused" if REFUSED in await holding.marks() else "released" if released else "over"
    return _offer(holding, state, about=about)


def holds_besides(holding: Holding) -> bool:
    """Whether the message waits for more than its owner's word: a scanner's finding is not his to lift."""
    reasons = holding.about.message.detail.get("reasons")
    codes = {reason.get("code") for reason in reasons} if isinstance(reasons, list) else set()
    return codes - QUOTAS != {ReasonCode.SENDER_UNPROVEN}


async def _reopen(holding: Holding) -> Offer:
    if await is_closed(holding):
        return _offer(holding, "closed", Choice("reopen"), about=_times(holding))
    return _offer(holding, "open", about=_times(holding))


async def is_closed(holding: Holding) -> bool:
    """As `policy.threads` sees the thread of that message (R-POL-18)."""
    store, about = holding.house.store, holding.about
    external_id = about.message.order_external_id
    order = await store.order(holding.marketplace.id, external_id) if external_id else None
    last_at = await store.thread_last_at(about.pair.id, order.id if order else None)
    close_s = holding.marketplace.policy_at(holding.now).threads.close_s
    return bool(close_s) and last_at is not None and holding.now - last_at > timedelta(seconds=close_s)


async def _product_support(holding: Holding) -> Offer:
    if holding.party.settings.product_support:
        return _offer(holding, "on", Choice("turn_off"))
    return _offer(holding, "off", Choice("turn_on"))


def _offer(
    holding: Holding,
    state: str,
    *choices: Choice,
    about: tuple[tuple[str, str], ...] = (),
    kind: Kind = Kind.OTHER,
) -> Offer:
    return Offer(
        purpose=holding.purpose,
        marketplace=holding.marketplace.name,
        help_url=holding.marketplace.help_url,
        locale=holding.locale,
        about=about,
        choices=choices,
        state=state,
        kind=kind,
    )


def _received(holding: Holding) -> tuple[tuple[str, str], ...]:
    """Of the other side's message: who it seems to be from, as in the mail itself. Its subject is kept as it was
    written, addresses and all: a page does not show it."""
    about, role = holding.about, holding.party.role.other
    side = about.pair.side(role)
    name = shown_name(holding.house, holding.marketplace, about.pair, side)
    return ("from", f"{name} <{side.alias.address}>"), *_times(holding)


def _times(holding: Holding) -> tuple[tuple[str, str], ...]:
    message = holding.about.message
    policy = holding.marketplace.policy_at(holding.now)
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
