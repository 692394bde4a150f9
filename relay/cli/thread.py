"""Defines `relay thread`, which reopens threads that closed after a time without mail (R-POL-18)."""

import click

from relay.actions import threads
from relay.cli import show
from relay.cli.context import CliContext, buyer_option, by_option, in_marketplace, known_pair, seller_option, with_store
from relay.ports import Store


@click.group()
def thread() -> None:
    """Threads of a pair, each about one order or about none. A thread closes after a time without mail."""


@thread.command("reopen")
@in_marketplace
@buyer_option
@seller_option
@by_option
@show.as_json
@with_store
async def reopen(
    session: CliContext, store: Store, *, marketplace: str | None, buyer: str, seller: str, as_json: bool
) -> None:
    """Reopen all threads of a pair. The time without mail is counted from now."""
    pair = await known_pair(store, session.marketplace(marketplace), buyer, seller)
    await threads.reopen(session.actor, session.actions(store), pair)
    show.one({"reopened": pair.id}, as_json=as_json)
