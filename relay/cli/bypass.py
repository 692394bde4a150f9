"""`relay bypass`: a seller's points for misused marks of importance, and their reset (R-POL-06)."""

from datetime import UTC, datetime, timedelta

import click

from relay.cli import show
from relay.cli.context import CliContext, by_option, in_marketplace, known_party, with_store
from relay.core.model import days
from relay.core.model.marketplace import Marketplace
from relay.core.model.party import Party, Role
from relay.core.policy.bypass import per_day
from relay.ports import Store, Use

seller_argument = click.argument("seller", metavar="SELLER")


@click.group()
def bypass() -> None:
    """Marks of importance that pass a buyer's opt-out: the uses and the points of a seller."""


@bypass.command("show")
@in_marketplace
@seller_argument
@show.as_json
@with_store
async def show_bypass(
    session: CliContext, store: Store, *, marketplace: str | None, seller: str, as_json: bool
) -> None:
    """Show a seller's score, what it means, today's uses, and each point's cause."""
    shop = session.marketplace(marketplace)
    party = await known_party(store, shop, Role.SELLER, seller)
    described = await _described(store, shop, party, datetime.now(UTC))
    history: list[show.Row] = [
        {"at": one.at, "points": one.points, "cause": one.cause, "message": one.message_id}
        for one in await store.misuse_history(party.id)
    ]
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
async def restore(
    session: CliContext, store: Store, *, marketplace: str | None, seller: str, by: str, as_json: bool
) -> None:
    """Reset a seller's points to 0; the history is kept."""
    shop = session.marketplace(marketplace)
    party = await known_party(store, shop, Role.SELLER, seller)
    await store.restore_bypass(party.id, by)
    show.one(await _described(store, shop, party, datetime.now(UTC)), as_json=as_json)


async def _described(store: Store, shop: Marketplace, seller: Party, now: datetime) -> show.Row:
    policy = shop.policy_at(now)
    rules = policy.bypass
    score = await store.misuse_score(seller.id, now - timedelta(seconds=rules.score_s))
    (used,) = await store.used([Use(scope="bypass", subject_id=seller.id, day=days.day_of(now, policy).isoformat())])
    steps = ((rules.off_at, "off"), (rules.smaller_at, "smaller quota"), (rules.warn_at, "warned"), (0, "free"))
    return {
        "seller": seller.external_ref,
        "score": score,
        "standing": next(word for at, word in steps if score >= at),
        "used_today": used,
        "per_day": 0 if score >= rules.off_at else per_day(rules, score) or None,
    }
