"""`relay message`: the record of what came in, and what became of it."""

import asyncio
import sys
import time

import click

from relay.cli import difference, show
from relay.cli.context import CliContext, in_marketplace, login_option, with_store
from relay.core import redact
from relay.core.mail.mime import body_start
from relay.core.model.event import Event
from relay.core.model.message import MessageState
from relay.core.rewrite.assemble import assemble
from relay.ports import MessageSummary, Store, StoredMessage

_STATES = [str(state) for state in MessageState]
_FINAL = {MessageState.BOUNCED, MessageState.RETURNED, MessageState.REFUSED}
_POLL_S = 0.1
_LONGEST_WORD = 200

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
    session: CliContext,
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
    found = await store.records.messages(shop, state=MessageState(state) if state else None, limit=limit)
    names = ("id", "received_at", "state", "author", "kind", "order", "size_bytes")
    lines = [{name: value for name, value in _described(one).items() if name in names} for one in found]
    show.rows(lines, as_json=as_json, empty="no messages")


@message.command("show")
@id_argument
@click.option("--body", type=click.Choice(["original", "relayed"]), help="Print these bytes and nothing else.")
@click.option("--diff", is_flag=True, help="Show what was changed, as a person would read it.")
@click.option("--case", metavar="CASE", help="The case for which the text is read; required with --body and --diff.")
@click.option("--reason", metavar="TEXT", help="Why the text is read; required with --body and --diff.")
@login_option
@show.as_json
@with_store
async def show_message(
    _: CliContext,
    store: Store,
    *,
    message_id: str,
    body: str | None,
    diff: bool,
    case: str | None,
    reason: str | None,
    by: str,
    as_json: bool,
) -> None:
    """Show a message's state and history. Its text is shown for a case and a reason only, and who read it is kept."""
    if body or diff:
        if body and diff:
            raise click.UsageError("--body prints one form, --diff compares the two; take one of them")
        stored = await _stored(store, message_id)
        content = _bytes(stored, body or "relayed")
        await _note_view(store, message_id, what=body or "diff", case=case, reason=reason, by=by)
        if diff:
            difference.tell(stored.original, content, stored.changes, as_json=as_json)
        else:
            sys.stdout.buffer.write(content)
        return
    summary = await _summary(store, message_id)
    events = [_event(event) for event in await store.records.history(message_id)]
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
async def history(_: CliContext, store: Store, *, message_id: str, as_json: bool) -> None:
    """List what happened to a message, in order."""
    await _summary(store, message_id)
    show.rows([_event(event) for event in await store.records.history(message_id)], as_json=as_json, empty="no events")


@message.command("wait")
@id_argument
@click.option("--state", "wanted", type=click.Choice(_STATES), required=True, help="What to wait for.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=0), default=60, show_default=True, help="Seconds.")
@show.as_json
@with_store
async def wait(_: CliContext, store: Store, *, message_id: str, wanted: str, timeout_s: float, as_json: bool) -> None:
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
async def no_reply_needed(_: CliContext, store: Store, *, message_id: str, undo: bool, by: str, as_json: bool) -> None:
    """Leave a buyer's message out of the seller's response clock. The buyer hears nothing of it."""
    await _summary(store, message_id)
    changed = await store.records.mark_no_reply(message_id, by=by, undo=undo)
    show.one({"message": message_id, "no_reply_needed": not undo, "changed": changed}, as_json=as_json)


async def _note_view(
    store: Store, message_id: str, *, what: str, case: str | None, reason: str | None, by: str
) -> None:
    """Before anything is shown (R-REC-06)."""
    if not (case and case.strip() and reason and reason.strip()):
        raise click.UsageError("a text is read for a dispute: say for which with --case, and why with --reason")
    said = {"what": what, "case": case, "reason": reason, "by": by}
    # Events hold no address, and these are people's words.
    data = {name: redact.addresses(redact.clip(text.strip(), _LONGEST_WORD), set()) for name, text in said.items()}
    await store.records.note_view(message_id, {**data})


async def _stored(store: Store, message_id: str) -> StoredMessage:
    stored = await store.records.message(message_id)
    if stored is None:
        raise _unknown(message_id)
    return stored


async def _summary(store: Store, message_id: str) -> MessageSummary:
    summary = await store.records.summary(message_id)
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
