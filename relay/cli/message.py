"""`relay message`: the record of what came in, and what became of it."""

import asyncio
import sys
import time

import click

from relay.cli import show
from relay.cli.session import Session, in_marketplace, login_option, with_store
from relay.core.model.event import Event
from relay.core.model.message import MessageState
from relay.core.rewrite.assemble import assemble
from relay.core.rewrite.mime import body_start
from relay.ports import MessageSummary, Store, StoredMessage

_STATES = [str(state) for state in MessageState]
_FINAL = {MessageState.BOUNCED, MessageState.RETURNED, MessageState.REFUSED}
_POLL_S = 0.1

id_argument = click.argument("message_id", metavar="ID")


@click.group()
def message() -> None:
    """The record: every message, and everything that happened to it."""


@message.command("list")
@in_marketplace
@click.option("--all", "everywhere", is_flag=True, help="Of all marketplaces.")
@click.option("--state", type=click.Choice(_STATES), help="Only in this state.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many, newest first.")
@show.as_json
@with_store
async def list_messages(
    session: Session,
    store: Store,
    *,
    marketplace: str | None,
    everywhere: bool,
    state: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List messages, newest first."""
    shop = None if everywhere else session.marketplace(marketplace).id
    found = await store.messages(shop, state=MessageState(state) if state else None, limit=limit)
    names = ("id", "received_at", "state", "author", "kind", "order", "size_bytes")
    lines = [{name: value for name, value in _described(one).items() if name in names} for one in found]
    show.rows(lines, as_json=as_json, empty="no messages")


@message.command("show")
@id_argument
@click.option("--body", type=click.Choice(["original", "relayed"]), help="Print these bytes and nothing else.")
@click.option("--case", metavar="CASE", help="The case for which the body is read; required with --body.")
@click.option("--reason", metavar="TEXT", help="Why the body is read; required with --body.")
@show.as_json
@with_store
async def show_message(
    _: Session, store: Store, *, message_id: str, body: str | None, case: str | None, reason: str | None, as_json: bool
) -> None:
    """Show a message's state and history. Its text is shown for a case and a reason only."""
    if body:
        # R-REC-06
        if not (case and case.strip() and reason and reason.strip()):
            raise click.UsageError("--body takes --case and --reason: a body is read for a dispute, and says for which")
        stored = await store.message(message_id)
        if stored is None:
            raise _unknown(message_id)
        sys.stdout.buffer.write(_bytes(stored, body))
        return
    summary = await _summary(store, message_id)
    events = [_event(event) for event in await store.history(message_id)]
    if as_json:
        show.one({**_described(summary), "events": events}, as_json=True)
        return
    show.one(_described(summary), as_json=False)
    click.echo()
    show.rows(events, as_json=False, empty="no events")


@message.command("history")
@id_argument
@show.as_json
@with_store
async def history(_: Session, store: Store, *, message_id: str, as_json: bool) -> None:
    """List what happened to a message, in order."""
    await _summary(store, message_id)
    show.rows([_event(event) for event in await store.history(message_id)], as_json=as_json, empty="no events")


@message.command("wait")
@id_argument
@click.option("--state", "wanted", type=click.Choice(_STATES), required=True, help="What to wait for.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=0), default=60, show_default=True, help="Seconds.")
@show.as_json
@with_store
async def wait(_: Session, store: Store, *, message_id: str, wanted: str, timeout_s: float, as_json: bool) -> None:
    """Wait until a message is in a state. Fails at the timeout, or when it has ended in another state."""
    until_s = time.monotonic() + timeout_s
    while True:
        summary = await _summary(store, message_id)
        if summary.state == wanted:
            show.one(_described(summary), as_json=as_json)
            return
        if summary.state in _FINAL:
            raise click.ClickException(f"{message_id} has ended as {summary.state}, not {wanted}")
        if time.monotonic() >= until_s:
            raise click.ClickException(f"{message_id} is still {summary.state}, not {wanted}, after {timeout_s:g} s")
        await asyncio.sleep(_POLL_S)


@message.command("no-reply-needed")
@id_argument
@click.option("--undo", is_flag=True, help="Take that back.")
@login_option
@show.as_json
@with_store
async def no_reply_needed(_: Session, store: Store, *, message_id: str, undo: bool, by: str, as_json: bool) -> None:
    """Leave a buyer's message out of the seller's response clock. The buyer hears nothing of it."""
    await _summary(store, message_id)
    changed = await store.mark_no_reply(message_id, by=by, undo=undo)
    show.one({"message": message_id, "no_reply_needed": not undo, "changed": changed}, as_json=as_json)


async def _summary(store: Store, message_id: str) -> MessageSummary:
    summary = await store.summary(message_id)
    if summary is None:
        raise _unknown(message_id)
    return summary


def _unknown(message_id: str) -> click.ClickException:
    return click.ClickException(f"there is no message {message_id}; `relay message list` shows the newest")


def _bytes(stored: StoredMessage, body: str) -> bytes:
    if body == "original":
        return stored.original
    if stored.header is None:
        raise click.ClickException("it was not relayed, so there is no relayed form")
    return assemble(stored.original, body_start(stored.original), stored.header, stored.edits)


def _described(summary: MessageSummary) -> dict[str, object]:
    return {
        "id": summary.id,
        "received_at": summary.received_at,
        "state": str(summary.state),
        "marketplace": summary.marketplace_id,
        "pair": summary.pair_id,
        "author": str(summary.author_role) if summary.author_role else None,
        "order": summary.order_external_id,
        "kind": summary.kind,
        "size_bytes": summary.size_bytes,
        "policy_version": summary.policy_version,
        "detail": summary.detail,
    }


def _event(event: Event) -> dict[str, object]:
    return {"at": event.at, "type": str(event.type), "data": event.data}
