"""`relay thread`: threads that have closed for want of mail (R-POL-18)."""

import click

from relay.cli import show
from relay.cli.context import CliContext, buyer_option, by_option, in_marketplace, known_pair, seller_option, with_store
from relay.ports import Store


@click.group()
def thread() -> None:
    """Threads: the mail of a pair about one order, or about none. They close after a time without mail."""


@thread.command("reopen")
@in_marketplace
@buyer_option
@seller_option
@by_option
@show.as_json
@with_store
async def reopen(
    session: CliContext, store: Store, *, marketplace: str | None, buyer: str, seller: str, by: str, as_json: bool
) -> None:
    """Reopen all threads of a pair, as if they had had mail now."""
    pair = await known_pair(store, session.marketplace(marketplace), buyer, seller)
    await store.threads.reopen(pair.id, by)
    show.one({"reopened": pair.id}, as_json=as_json)
