"""Defines `relay queue`, which shows and flushes the queue of outgoing mail."""

import click

from relay.actions import queue as actions
from relay.cli import show
from relay.cli.context import CliContext, by_option, with_store
from relay.ports import Store


@click.group()
def queue() -> None:
    """The queue of outgoing mail. Mail that waits is in it too."""


@queue.command("list")
@show.as_json
@with_store
async def list_queue(_: CliContext, store: Store, *, as_json: bool) -> None:
    """Show the number of queued mails for each destination and state."""
    found = [
        {
            "destination": line.destination,
            "state": str(line.state),
            "count": line.count,
            "oldest_at": line.oldest_at,
            "next_due_at": line.next_due_at,
        }
        for line in await store.queue.lines()
    ]
    show.rows(found, as_json=as_json, empty="the queue is empty")


@queue.command("flush")
@click.option("--destination", metavar="DOMAIN", help="Only mail to this domain.")
@by_option
@show.as_json
@with_store
async def flush(session: CliContext, store: Store, *, destination: str | None, as_json: bool) -> None:
    """Try to deliver deferred mail now.

    The running daemon begins within delivery.poll_s. A destination that has just deferred mail is tried again only
    after delivery.retry.domain_back_off_s.
    """
    flushed = await actions.flush(session.actor, session.actions(store), destination)
    show.one({"flushed": flushed}, as_json=as_json)
