"""Defines `relay hold`, which releases or returns held mail."""

import click

from relay.actions import holds
from relay.actions.actor import NotFoundError
from relay.cli import show
from relay.cli.context import CliContext, by_option, with_store
from relay.cli.message import id_argument
from relay.ports import Store


@click.group()
def hold() -> None:
    """Held mail. It waits for a decision on its sender or on its content, or for the next day's quota.

    `relay message list --state held` shows it.
    """


@hold.command("release")
@id_argument
@by_option
@show.as_json
@with_store
async def release(session: CliContext, store: Store, *, message_id: str, as_json: bool) -> None:
    """Release one held message, so that it is delivered.

    To release all held mail of a sender, and to let the sender write from now on, use `relay sender approve`.
    """
    try:
        done = await holds.release(session.actor, session.actions(store), message_id)
    except NotFoundError:
        done = False
    if not done:
        raise _not_held(message_id)
    show.one({"released": message_id}, as_json=as_json)


@hold.command("return")
@id_argument
@by_option
@show.as_json
@with_store
async def send_back(session: CliContext, store: Store, *, message_id: str, as_json: bool) -> None:
    """Return one held message to its writer, with a notice."""
    try:
        done = await holds.send_back(session.actor, session.actions(store), message_id)
    except NotFoundError:
        done = False
    if not done:
        raise _not_held(message_id)
    show.one({"returned": message_id}, as_json=as_json)


def _not_held(message_id: str) -> click.ClickException:
    return click.ClickException(f"{message_id} is not held (any more), or there is no such message")
