"""Defines `relay hold`, which releases or returns held mail."""

import click

from relay.actions import holds
from relay.actions.actor import NotFoundError
from relay.cli import show
from relay.cli.context import CliContext, by_option, in_marketplace, with_store
from relay.cli.message import id_argument
from relay.ports import HeldMessage, Store
from relay.steps.staff_mail import Decider, waits_for


@click.group()
def hold() -> None:
    """Held mail. It waits for a decision on its sender or on its content, or for the next day's quota.

    `relay hold list` shows the mail that waits for your decision.
    """


@hold.command("list")
@in_marketplace
@click.option(
    "--for",
    "decider",
    type=click.Choice([*map(str, Decider), "anybody"]),
    default=str(Decider.STAFF),
    show_default=True,
    help="Show mail that waits for this decision: of the staff, of the owner of the writer's account, or of nobody.",
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Show at most so many.")
@show.as_json
@with_store
async def list_held(
    session: CliContext, store: Store, *, marketplace: str | None, decider: str, limit: int, as_json: bool
) -> None:
    """List held messages, those first whose time ends first.

    At `until` a message is returned to its writer, or sent if it waits for nobody's decision.
    """
    is_for_staff = decider == Decider.STAFF
    found = await store.holds.held(session.marketplace(marketplace).id, beside_senders=is_for_staff, limit=10_000)
    lines = [_described(one) for one in found if decider in {"anybody", waits_for(one)}]
    show.rows(lines[:limit], as_json=as_json, empty="nothing waits")


def _described(held: HeldMessage) -> show.Row:
    message = held.message
    return {
        "id": message.id,
        "waits_for": str(waits_for(held)),
        "reasons": [str(code) for code in message.detail.reason_codes],
        "since": message.received_at,
        "until": held.until,
        "author": str(message.author_role) if message.author_role else None,
        "order": message.order_external_id,
        "pair": message.pair_id,
    }


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
