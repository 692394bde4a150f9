"""Defines `relay pair`, for the pairs of one buyer and one seller and their aliases."""

from datetime import UTC, datetime

import click

from relay.actions import pairs
from relay.cli import show
from relay.cli.context import (
    CliContext,
    buyer_option,
    by_option,
    in_marketplace,
    known_pair,
    known_party,
    seller_option,
    with_store,
)
from relay.core.model.pair import Pair
from relay.core.model.party import Role
from relay.ports import Store
from relay.steps.gather import reach


@click.group()
def pair() -> None:
    """Pairs of one buyer and one seller. The two may write to each other by their aliases."""


@pair.command("add")
@in_marketplace
@buyer_option
@seller_option
@by_option
@show.as_json
@with_store
async def add(
    session: CliContext, store: Store, *, marketplace: str | None, buyer: str, seller: str, as_json: bool
) -> None:
    """Make a pair of a buyer and a seller, and print both aliases. An existing pair keeps its aliases."""
    shop = session.marketplace(marketplace)
    buying = await known_party(store, shop, Role.BUYER, buyer)
    selling = await known_party(store, shop, Role.SELLER, seller)
    show.one(described(await pairs.put(session.actor, session.actions(store), shop, buying, selling)), as_json=as_json)


@pair.command("list")
@in_marketplace
@show.as_json
@with_store
async def list_pairs(session: CliContext, store: Store, *, marketplace: str | None, as_json: bool) -> None:
    """List the pairs of a marketplace."""
    found = await store.pairs.in_marketplace(session.marketplace(marketplace).id)
    show.rows([described(one) for one in found], as_json=as_json, empty="no pairs yet")


@pair.command("show")
@click.argument("pair_id", metavar="ID")
@show.as_json
@with_store
async def show_pair(_: CliContext, store: Store, *, pair_id: str, as_json: bool) -> None:
    """Show one pair."""
    show.one(described(await _known(store, pair_id)), as_json=as_json)


@pair.command("close")
@click.argument("pair_id", metavar="ID")
@by_option
@show.as_json
@with_store
async def close(session: CliContext, store: Store, *, pair_id: str, as_json: bool) -> None:
    """Retire both aliases of a pair, so that the two can no longer write to each other.

    Mail that was accepted before is still delivered. `relay pair renew` opens the pair again, with new aliases.
    """
    found = await _known(store, pair_id)
    show.one(described(await pairs.close(session.actor, session.actions(store), found)), as_json=as_json)


@pair.command("renew")
@click.argument("pair_id", metavar="ID")
@click.option("--role", type=click.Choice([str(role) for role in Role]), help="Only the alias of this side.")
@by_option
@show.as_json
@with_store
async def renew(session: CliContext, store: Store, *, pair_id: str, role: str | None, as_json: bool) -> None:
    """Retire the aliases of a pair and make new ones, as after an alias became known to spammers."""
    found = await _known(store, pair_id)
    shop, roles = session.marketplace(found.marketplace_id), {Role(role)} if role else set(Role)
    show.one(described(await pairs.renew(session.actor, session.actions(store), shop, found, roles)), as_json=as_json)


async def _known(store: Store, pair_id: str) -> Pair:
    found = await store.pairs.get(pair_id)
    if found is None:
        raise click.ClickException(f"there is no pair {pair_id}; `relay pair list` shows them")
    return found


@pair.command("check")
@in_marketplace
@buyer_option
@seller_option
@click.option("--order", "order_id", metavar="ORDER", help="Whether the seller may write about this order of the two.")
@show.as_json
@with_store
async def check(
    session: CliContext,
    store: Store,
    *,
    marketplace: str | None,
    buyer: str,
    seller: str,
    order_id: str | None,
    as_json: bool,
) -> None:
    """Show whether the seller may write to the buyer now: open, critical_only or closed.

    The reason is private to the buyer and is not shown. A seller can ask the same by a mail to the alias
    with `check+` before it.
    """  # R-POL-19
    shop = session.marketplace(marketplace)
    found = await known_pair(store, shop, buyer, seller)
    order = await store.orders.get(shop.id, order_id) if order_id else None
    if order_id and (order is None or order.pair_id != found.id):
        raise click.ClickException(f"there is no order {order_id} between the two")
    show.one({"reach": str(await reach(store, shop, found, order, datetime.now(UTC)))}, as_json=as_json)


def described(found: Pair) -> show.Row:
    return {
        "id": found.id,
        "buyer": found.buyer.party.external_ref,
        "buyer_alias": found.buyer.alias.address,
        "seller": found.seller.party.external_ref,
        "seller_alias": found.seller.alias.address,
        "closed": found.is_closed,
        "created_at": found.created_at,
    }
