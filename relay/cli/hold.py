"""`relay hold`: mail that waits for somebody's word."""

import click

from relay.cli import show
from relay.cli.context import CliContext, by_option, with_store
from relay.cli.message import id_argument
from relay.ports import Store


@click.group()
def hold() -> None:
    """Mail that waits: for a word on its writer or on what it holds, or for the next day's quota.

    `relay message list --state held` shows what is held.
    """


@hold.command("release")
@id_argument
@by_option
@show.as_json
@with_store
async def release(_: CliContext, store: Store, *, message_id: str, by: str, as_json: bool) -> None:
    """Let one held message go on its way.

    To let a writer's mail pass from now on, all that is held of it included: `relay sender approve`.
    """
    if not await store.holds.release(message_id, by):
        raise click.ClickException(f"{message_id}: not held (any more), or no such message")
    show.one({"released": message_id}, as_json=as_json)


@hold.command("return")
@id_argument
@by_option
@show.as_json
@with_store
async def send_back(_: CliContext, store: Store, *, message_id: str, by: str, as_json: bool) -> None:
    """Send one held message back to its writer, with a notice."""
    if not await store.holds.refuse(message_id, by):
        raise click.ClickException(f"{message_id}: not held (any more), or no such message")
    show.one({"returned": message_id}, as_json=as_json)
