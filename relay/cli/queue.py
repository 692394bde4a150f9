"""Defines `relay queue`, which shows and flushes the queue of outgoing mail."""

from collections.abc import Sequence

import click

from relay.actions import queue as actions
from relay.cli import show
from relay.cli.context import CliContext, by_option, reveal, with_store
from relay.core.destination import shown
from relay.ports import QueueLine, Store


@click.group()
def queue() -> None:
    """The queue of outgoing mail. Mail that waits is in it too."""


@queue.command("list")
@reveal
@show.as_json
@with_store
async def list_queue(session: CliContext, store: Store, *, reveal: bool, as_json: bool) -> None:
    """Show the number of queued mails for each destination and state.

    Providers that the relay knows have their names, all other destinations are `other`. With --reveal each has a line.
    """
    if reveal:
        found = await actions.read_domains(session.actor, session.actions(store), session.grounds)
    else:
        found = [(shown(line.destination), line) for line in await store.queue.lines()]
    show.rows(_counted(found), as_json=as_json, empty="the queue is empty")


def _counted(found: Sequence[tuple[str, QueueLine]]) -> list[show.Row]:
    """Returns one row for each name and state, in this order."""
    groups: dict[tuple[str, str], list[QueueLine]] = {}
    for name, line in found:
        groups.setdefault((name, str(line.state)), []).append(line)
    return [
        {
            "destination": name,
            "state": state,
            "count": sum(line.count for line in lines),
            "oldest_at": min(line.oldest_at for line in lines),
            "next_due_at": min(line.next_due_at for line in lines),
        }
        for (name, state), lines in sorted(groups.items())
    ]


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
