"""`relay opt-out`: buyers who want no unsolicited seller mail (R-POL-02)."""

from datetime import UTC, datetime

import click

from relay.cli import show
from relay.cli.context import CliContext, buyer_option, in_marketplace, known_party, with_store
from relay.core.model.kind import Kind
from relay.core.model.optout import OptOut
from relay.core.model.party import Party, Role
from relay.ports import Store

seller_scope = click.option("--seller", metavar="REF", help="This seller's mail only.")
kind_scope = click.option("--kind", type=click.Choice([str(kind) for kind in Kind]), help="This kind of mail only.")


@click.group("opt-out")
def opt_out() -> None:
    """A buyer's opt-out of unsolicited seller mail: of all sellers, of one, or of one kind."""


@opt_out.command("set")
@in_marketplace
@buyer_option
@seller_scope
@kind_scope
@with_store
async def set_opt_out(
    session: CliContext, store: Store, *, marketplace: str | None, buyer: str, seller: str | None, kind: str | None
) -> None:
    """Opt a buyer out. It holds for queued mail too; answers and important mail still pass."""
    await _put(session, store, marketplace, buyer, seller, kind, out=True)
    click.echo("opted out")


@opt_out.command("clear")
@in_marketplace
@buyer_option
@seller_scope
@kind_scope
@with_store
async def clear_opt_out(
    session: CliContext, store: Store, *, marketplace: str | None, buyer: str, seller: str | None, kind: str | None
) -> None:
    """End the opt-out of exactly this scope."""
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
    """List a buyer's opt-outs that touch the sellers the buyer is paired with."""
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
    scope = OptOut(
        buyer_id=buying.id,
        seller_id=selling.id if selling else None,
        kind=Kind(kind) if kind else None,
        source="command line",
        changed_at=datetime.now(UTC),
    )
    await store.opt_outs.put(scope, out=out)
