"""Defines `relay bypass`: shows and resets the points of a seller for misused marks of importance (R-POL-06)."""

import click

from relay.actions import bypass as actions
from relay.actions.context import ActionContext
from relay.cli import show
from relay.cli.context import CliContext, by_option, in_marketplace, known_party, with_store
from relay.core.model.marketplace import Marketplace
from relay.core.model.party import Party, Role
from relay.ports import Misuse, Restoration, Store

seller_argument = click.argument("seller", metavar="SELLER")


@click.group()
def bypass() -> None:
    """Marks of importance, and their misuse. A seller's mail with such a mark passes a buyer's opt-out."""


@bypass.command("show")
@in_marketplace
@seller_argument
@show.as_json
@with_store
async def show_bypass(
    session: CliContext, store: Store, *, marketplace: str | None, seller: str, as_json: bool
) -> None:
    """Show a seller's misuse points and their causes, the standing that follows from them, and the marks used today."""
    shop = session.marketplace(marketplace)
    party = await known_party(store, shop, Role.SELLER, seller)
    described = await _described(session.actions(store), shop, party)
    history = [_line(one) for one in await store.limits.misuse_history(party.id)]
    if as_json:
        show.one({**described, "history": history}, as_json=True)
        return
    show.one(described, as_json=False)
    click.echo()
    show.rows(history, as_json=False, empty="no points")


@bypass.command("restore")
@in_marketplace
@seller_argument
@by_option
@show.as_json
@with_store
async def restore(session: CliContext, store: Store, *, marketplace: str | None, seller: str, as_json: bool) -> None:
    """Reset a seller's points to 0. The history is kept."""
    shop = session.marketplace(marketplace)
    party = await known_party(store, shop, Role.SELLER, seller)
    await actions.restore(session.actor, session.actions(store), party)
    show.one(await _described(session.actions(store), shop, party), as_json=as_json)


async def _described(context: ActionContext, shop: Marketplace, seller: Party) -> show.Row:
    standing = await actions.standing(context, shop, seller)
    return {
        "seller": seller.external_ref,
        "score": standing.score,
        "standing": standing.level,
        "used_today": standing.used_today,
        "per_day": standing.per_day,
    }


def _line(line: Misuse | Restoration) -> show.Row:
    match line:
        case Misuse():
            return {"at": line.at, "points": line.points, "cause": line.cause.value, "message": line.message_id}
        case Restoration():
            return {"at": line.at, "points": 0, "cause": f"restored by {line.by}", "message": ""}
