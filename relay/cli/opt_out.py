"""Defines `relay opt-out`, for buyers who want no unsolicited mail from sellers (R-POL-02)."""

import click

from relay.actions import opt_outs
from relay.cli import show
from relay.cli.context import CliContext, buyer_option, by_option, in_marketplace, known_party, with_store
from relay.core.model.kind import Kind
from relay.core.model.party import Party, Role
from relay.ports import Store

seller_scope = click.option("--seller", metavar="REF", help="Only the mail of this seller.")
kind_scope = click.option("--kind", type=click.Choice([str(kind) for kind in Kind]), help="Only mail of this kind.")


@click.group("opt-out")
def opt_out() -> None:
    """Opt-outs of unsolicited mail. A buyer opts out of all sellers, of one seller, or of one kind of mail."""


@opt_out.command("set")
@in_marketplace
@buyer_option
@seller_scope
@kind_scope
@by_option
@with_store
async def set_opt_out(
    session: CliContext, store: Store, *, marketplace: str | None, buyer: str, seller: str | None, kind: str | None
) -> None:
    """Opt a buyer out of unsolicited mail. Answers and important mail still pass.

    Queued mail to which the opt-out applies is returned.
    """
    await _put(session, store, marketplace, buyer, seller, kind, out=True)
    click.echo("opted out")


@opt_out.command("clear")
@in_marketplace
@buyer_option
@seller_scope
@kind_scope
@by_option
@with_store
async def clear_opt_out(
    session: CliContext, store: Store, *, marketplace: str | None, buyer: str, seller: str | None, kind: str | None
) -> None:
    """End the opt-out with exactly these options."""
    await _put(session, store, marketplace, buyer, seller, kind, out=False)
    click.echo("cleared")


@opt_out.command("list")
@in_marketplace
@buyer_option
@show.as_json
@with_store
async def list_opt_outs(
    session: CliContext, store: Store, *, marketplace: str | None, buyer: str, as_json: bool
) -> None:
    """List a buyer's opt-outs that apply to the sellers with whom the buyer is a pair."""
    shop = session.marketplace(marketplace)
    party = await known_party(store, shop, Role.BUYER, buyer)
    sellers = {
        pair.seller.party.id: pair.seller.party.external_ref
        for pair in await store.pairs.in_marketplace(shop.id)
        if pair.buyer.party.id == party.id
    }
    found = {one for seller_id in sellers for one in await store.opt_outs.in_force(party.id, seller_id)}
    lines = [
        {
            "seller": sellers[one.seller_id] if one.seller_id else "all",
            "kind": str(one.kind) if one.kind else "all",
            "source": one.source,
            "changed_at": one.changed_at,
        }
        for one in sorted(found, key=lambda one: one.changed_at)
    ]
    show.rows(lines, as_json=as_json, empty="no opt-out")


async def _put(
    session: CliContext,
    store: Store,
    marketplace: str | None,
    buyer: str,
    seller: str | None,
    kind: str | None,
    *,
    out: bool,
) -> None:
    shop = session.marketplace(marketplace)
    buying = await known_party(store, shop, Role.BUYER, buyer)
    selling: Party | None = await known_party(store, shop, Role.SELLER, seller) if seller else None
    await opt_outs.put(
        session.actor,
        session.actions(store),
        buying,
        selling.id if selling else None,
        Kind(kind) if kind else None,
        out=out,
    )
