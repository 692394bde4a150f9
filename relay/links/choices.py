"""What each choice does. Choosing again what was chosen already does nothing."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from relay.core.link import Purpose
from relay.core.model.message import MessageState
from relay.core.model.optout import OptOut
from relay.core.model.party import SettingsUpdate
from relay.core.model.sender import SenderState
from relay.links import offers
from relay.links.holding import Holding
from relay.ports import Misuse
from relay.ports.links import ONE_CLICK
from relay.steps import letters

_BY: Final = "link"
"""The source of a change, as the record keeps it."""
_MOST_WORDS: Final = 2_000

_Act = Callable[[Holding, str, str], Awaitable[None]]


async def act(holding: Holding, choice: str, words: str) -> None:
    """`choice` is one of the purpose's. Raises LinkError, UnavailableError."""
    await _ACTS[holding.purpose](holding, choice, words)


async def _opt_out(holding: Holding, choice: str, _: str) -> None:
    one_click = choice == ONE_CLICK
    scope, out = ("seller", True) if one_click else (choice.removesuffix("_undo"), not choice.endswith("_undo"))
    known = offers.scopes(holding)
    if scope not in known or (scope in await offers.opted_out(holding)) is out:
        return
    seller_id, kind = known[scope]
    opt_out = OptOut(
        buyer_id=holding.party.id,
        seller_id=seller_id,
        kind=kind,
        source="one-click" if one_click else _BY,
        changed_at=holding.now,
    )
    await holding.house.store.put_opt_out(opt_out, out=out)


async def _not_important(holding: Holding, _: str, __: str) -> None:
    about, store = holding.about, holding.house.store
    misuse = Misuse(
        message_id=about.message.id,
        seller_id=about.pair.seller.party.id,
        cause=offers.NOT_IMPORTANT,
        points=holding.marketplace.policy_at(holding.now).bypass.points_not_important,
        at=holding.now,
    )
    await store.add_misuse(misuse)
    await store.mark(about.message.id, {"mark": offers.NOT_IMPORTANT, "by": _BY})


async def _no_reply(holding: Holding, choice: str, _: str) -> None:
    await holding.house.store.mark_no_reply(holding.about.message.id, by=_BY, undo=choice == "undo")


async def _report(holding: Holding, _: str, words: str) -> None:
    if offers.REPORTED in await holding.marks():
        return
    about = holding.about
    report = letters.Report(
        message_id=about.message.id,
        pair_id=about.pair.id,
        order=about.message.order_external_id or "",
        reporter=holding.party,
        words=_plain(words),
        event={"mark": offers.REPORTED, "by": str(holding.party.role)},
    )
    if await letters.report(holding.house, report, holding.now):
        holding.house.departures.wake()


def _plain(words: str) -> str:
    """Lines of printable text, not too much of it."""
    lines = ("".join(c for c in line if c.isprintable()) for line in words[:_MOST_WORDS].splitlines())
    return "\n".join(lines).strip()


async def _sender(holding: Holding, choice: str, _: str) -> None:
    state = SenderState.APPROVED if choice == "approve" else SenderState.BLOCKED
    if await holding.house.store.flip_sender(holding.sender.id, state, by=_BY) is None:
        raise holding.gone()
    holding.house.departures.wake()


async def _confirm(holding: Holding, choice: str, _: str) -> None:
    store, message = holding.house.store, holding.about.message
    if choice == "not_mine":
        await store.return_hold(message.id, by=_BY)
    elif message.state is MessageState.HELD and not offers.holds_besides(holding):
        await store.release_hold(message.id, by=_BY)
    holding.house.departures.wake()


async def _reopen(holding: Holding, _: str, __: str) -> None:
    if await offers.is_closed(holding):
        await holding.house.store.reopen_thread(holding.about.pair.id, _BY)


async def _product_support(holding: Holding, choice: str, _: str) -> None:
    party, on = holding.party, choice == "turn_on"
    if party.settings.product_support is not on:
        settings = SettingsUpdate(product_support=on)
        await holding.house.store.put_party(party.marketplace_id, party.role, party.external_ref, settings=settings)


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
