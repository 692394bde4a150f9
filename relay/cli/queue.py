"""`relay queue`: what is on its way out."""

import click

from relay.cli import show
from relay.cli.context import CliContext, with_store
from relay.ports import Store


@click.group()
def queue() -> None:
    """What is on its way out, and what waits."""


@queue.command("list")
@show.as_json
@with_store
async def list_queue(_: CliContext, store: Store, *, as_json: bool) -> None:
    """Count what is queued, by destination and state."""
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
@click.option("--destination", metavar="DOMAIN", help="Only what goes to this domain.")
@show.as_json
@with_store
async def flush(_: CliContext, store: Store, *, destination: str | None, as_json: bool) -> None:
    """Try deferred mail now.

    The running daemon takes it up within delivery.poll_s; a destination that has just deferred keeps its pause of
    delivery.retry.domain_back_off_s.
    """
    show.one({"flushed": await store.queue.flush(destination)}, as_json=as_json)
