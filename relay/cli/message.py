"""Defines `relay message`, which shows the record of every message and all events about it."""

import asyncio
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

import click
import msgspec

from relay.actions import marks, messages, senders
from relay.cli import difference, show
from relay.cli.context import (
    CliContext,
    by_option,
    grounds_options,
    in_marketplace,
    known_pair,
    known_party,
    with_store,
)
from relay.core.mail.mime import body_start
from relay.core.model.event import Event
from relay.core.model.message import MessageState
from relay.core.model.party import Party, Role
from relay.core.model.reason import ReasonCode
from relay.core.rewrite.assemble import assemble
from relay.ports import MessageFilter, MessageSummary, ServerAnswer, Store, StoredMessage

_STATES = [str(state) for state in MessageState]
_FINAL = {MessageState.BOUNCED, MessageState.RETURNED, MessageState.REFUSED}
_POLL_S = 0.1

id_argument = click.argument("message_id", metavar="ID")


@click.group()
def message() -> None:
    """Messages, and all that happened to them."""


@message.command("list")
@in_marketplace
@click.option("--all", "everywhere", is_flag=True, help="Show the messages of all marketplaces.")
@click.option("--state", type=click.Choice(_STATES), help="Only messages in this state.")
@click.option("--pair", "pair_id", metavar="ID", help="Only messages of this pair.")
@click.option("--buyer", metavar="REF", help="Only messages from or to this buyer.")
@click.option("--seller", metavar="REF", help="Only messages from or to this seller.")
@click.option("--order", metavar="ORDER", help="Only messages about this order.")
@click.option(
    "--reason",
    type=click.Choice([str(code) for code in ReasonCode]),
    metavar="REASON",
    help="Only messages with this reason or warning, or with a delivery that failed for this reason.",
)
@click.option(
    "--sender",
    metavar="ADDRESS",
    help="Only messages from this entry of the list of senders: its id, or with --buyer or --seller its address.",
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Show at most so many.")
@show.as_json
@with_store
async def list_messages(
    session: CliContext,
    store: Store,
    *,
    marketplace: str | None,
    everywhere: bool,
    state: str | None,
    pair_id: str | None,
    buyer: str | None,
    seller: str | None,
    order: str | None,
    reason: str | None,
    sender: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List messages, newest first, with their authors.

    `sender` is the entry of the author's list of senders from which the message was written; most of its address is
    hidden. Several options limit the list to messages that fit all of them.
    """
    parties = {role: ref for role, ref in ((Role.BUYER, buyer), (Role.SELLER, seller)) if ref}
    if everywhere and parties:
        raise click.UsageError("--buyer and --seller are references in one marketplace; leave --all out")
    shop = None if everywhere else session.marketplace(marketplace)
    known = [await known_party(store, shop, role, ref) for role, ref in parties.items()] if shop else []
    if buyer and seller and shop:
        pair_id = (await known_pair(store, shop, buyer, seller)).id
    wanted = MessageFilter(
        pair_id=pair_id,
        party_id=known[0].id if len(known) == 1 else None,
        order_external_id=order,
        sender_id=await _sender_id(session, store, known, sender) if sender else None,
        reason=ReasonCode(reason) if reason else None,
    )
    found = await store.records.messages(
        shop.id if shop else None, state=MessageState(state) if state else None, limit=limit, wanted=wanted
    )
    addresses = await senders.masked(session.actor, session.actions(store), [one.sender_id for one in found])
    lines = [
        {
            "id": one.id,
            "received_at": one.received_at,
            "state": str(one.state),
            "author": str(one.author_role) if one.author_role else None,
            "ref": one.author_ref,
            "sender": addresses.get(one.sender_id or ""),
            "kind": one.kind,
            "order": one.order_external_id,
            "reasons": [str(code) for code in one.detail.reason_codes],
            "size_bytes": one.size_bytes,
        }
        for one in found
    ]
    show.rows(lines, as_json=as_json, empty="no messages")


async def _sender_id(session: CliContext, store: Store, parties: Sequence[Party], sender: str) -> str:
    """Returns the id of the entry that `sender` names: the id itself, or an address on the list of one of the parties.

    Raises ClickException if none of the lists has the address.
    """
    if "@" not in sender:
        return sender
    if not parties:
        raise click.UsageError("--sender with an address needs --buyer or --seller, whose list has it")
    for party in parties:
        found = await senders.find(session.actor, session.actions(store), party, sender)
        if found is not None:
            return found.id
    raise click.ClickException(f"the list of senders does not have {sender}")


@message.command("show")
@id_argument
@click.option(
    "--body",
    type=click.Choice(["original", "relayed", "report"]),
    help="Print the bytes of this form and nothing else; `report`: of mail that came to the return path.",
)
@click.option("--report", "report_id", metavar="REPORT", help="With --body report: which one; without it the last.")
@click.option("--diff", is_flag=True, help="Show the changes that the relay made, as a person would read them.")
@click.option(
    "--reveal", is_flag=True, help="Show the client, and the servers that did not take the message. This is recorded."
)
@grounds_options("--body, --diff and --reveal")
@show.as_json
@with_store
async def show_message(
    session: CliContext,
    store: Store,
    *,
    message_id: str,
    body: str | None,
    report_id: str | None,
    diff: bool,
    reveal: bool,
    as_json: bool,
) -> None:
    """Show the state and history of a message.

    Its text, and the addresses of its hosts, are shown only for a case and a reason, and this is recorded.
    """
    if reveal and (body or diff):
        raise click.UsageError("--reveal goes with the history of the message; leave --body and --diff out")
    if report_id and body != "report":
        raise click.UsageError("--report names a report for --body report")
    if body or diff:
        if body and diff:
            raise click.UsageError("--body prints one form, --diff compares the two; take one of them")
        if body == "report":
            report = await messages.read_report(
                session.actor, session.actions(store), message_id, report_id, session.grounds
            )
            for name, value in asdict(report.source).items():
                text = ", ".join(value) if isinstance(value, tuple) else value
                click.echo(f"{name}: {show.printable(text)}", err=True)
            _write(report.content)
            return
        stored = await messages.read_text(
            session.actor,
            session.actions(store),
            message_id,
            form=body or "diff",
            grounds=session.grounds,
        )
        content = stored.original if body == "original" else _relayed(stored)
        if diff:
            difference.tell(stored.original, content, stored.changes, as_json=as_json)
        else:
            _write(content)
        return
    summary = await _summary(store, message_id)
    described, answers = _described(summary), dict[str, ServerAnswer]()
    addresses = await senders.masked(session.actor, session.actions(store), [summary.sender_id])
    described["sender"] = addresses.get(summary.sender_id or "")
    if reveal:
        hosts = await messages.read_hosts(session.actor, session.actions(store), message_id, session.grounds)
        described, answers = described | {"client_ip": hosts.client_ip}, dict(hosts.answers)
    events = [_event(event, answers) for event in await store.records.history(message_id)]
    if as_json:
        show.one({**described, "events": events}, as_json=True)
        return
    show.one(described, as_json=False)
    click.echo()
    show.rows(events, as_json=False, empty="no events")


def _write(content: bytes) -> None:
    """Writes the bytes unchanged to a file or a pipe; to a terminal, without characters that could control it."""
    if sys.stdout.isatty():
        show.lines(content.decode("utf-8", "replace"))
    else:
        sys.stdout.buffer.write(content)


@message.command("history")
@id_argument
@show.as_json
@with_store
async def history(_: CliContext, store: Store, *, message_id: str, as_json: bool) -> None:
    """List everything that happened to a message, in order."""
    await _summary(store, message_id)
    events = [_event(event, {}) for event in await store.records.history(message_id)]
    show.rows(events, as_json=as_json, empty="no events")


@message.command("wait")
@id_argument
@click.option("--state", "wanted", type=click.Choice(_STATES), required=True, help="The state to wait for.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0),
    default=60,
    show_default=True,
    help="Wait at most so many seconds.",
)
@show.as_json
@with_store
async def wait(_: CliContext, store: Store, *, message_id: str, wanted: str, timeout_s: float, as_json: bool) -> None:
    """Wait until a message is in a state. Fails after --timeout, or if the message has ended in another state."""
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
@click.option("--undo", is_flag=True, help="Count the message again.")
@by_option
@show.as_json
@with_store
async def no_reply_needed(session: CliContext, store: Store, *, message_id: str, undo: bool, as_json: bool) -> None:
    """Leave a buyer's message out of the seller's response times. The buyer gets no message about it."""
    await _summary(store, message_id)
    changed = await marks.no_reply_needed(session.actor, session.actions(store), message_id, undo=undo)
    show.one({"message": message_id, "no_reply_needed": not undo, "changed": changed}, as_json=as_json)


async def _summary(store: Store, message_id: str) -> MessageSummary:
    summary = await store.records.summary(message_id)
    if summary is None:
        raise _unknown(message_id)
    return summary


def _unknown(message_id: str) -> click.ClickException:
    return click.ClickException(f"there is no message {message_id}; `relay message list` shows the newest")


def _relayed(stored: StoredMessage) -> bytes:
    assert stored.header is not None, "`read_text` has refused a message without a relayed form"
    return assemble(stored.original, body_start(stored.original), stored.header, stored.edits)


def _described(summary: MessageSummary) -> dict[str, object]:
    return {
        "id": summary.id,
        "received_at": summary.received_at,
        "state": str(summary.state),
        "marketplace": summary.marketplace_id,
        "pair": summary.pair_id,
        "author": str(summary.author_role) if summary.author_role else None,
        "author_ref": summary.author_ref,
        "sender_id": summary.sender_id,
        "order": summary.order_external_id,
        "kind": summary.kind,
        "size_bytes": summary.size_bytes,
        "policy_version": summary.policy_version,
        "detail": msgspec.to_builtins(asdict(summary.detail, dict_factory=_known)),
    }


def _known(values: Iterable[tuple[str, object]]) -> dict[str, object]:
    """Returns the values that are not None, by name."""
    return {name: value for name, value in values if value is not None}


def _event(event: Event, answers: Mapping[str, ServerAnswer]) -> dict[str, object]:
    """Returns an event as it is shown; a sealed answer stands in the place of its words without hosts."""
    answer = answers.get(event.id)
    data = event.data if answer is None else {**event.data, "server": answer.host, "ip": answer.ip, "text": answer.text}
    return {"at": event.at, "type": str(event.type), "data": data}
