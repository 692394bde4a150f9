"""Defines `relay party`, for buyers and sellers and for the app passwords of their mail programs."""

from collections.abc import Mapping

import click

from relay.actions import parties, passwords
from relay.actions.parties import PartyUpdate
from relay.cli import show
from relay.cli.context import (
    CliContext,
    MailAddress,
    by_option,
    in_marketplace,
    known_party,
    ref_option,
    reveal,
    role_option,
    with_store,
)
from relay.config import Config
from relay.core.model.party import Party, PartyState, Role
from relay.ports import Store

_SETTABLE = [str(state) for state in PartyState if state is not PartyState.ERASED]


@click.group()
def party() -> None:
    """Buyers and sellers, with their mailboxes."""


mailbox_option = click.option(
    "--mailbox", type=MailAddress(), help="The real mail address. An earlier one stays in the history."
)
locale_option = click.option(
    "--locale", help="The language of notices: en or ja. Default of a new party: the marketplace's first."
)
name_option = click.option("--name", help="The display name that the other side may see.")


@party.command("add")
@in_marketplace
@role_option
@ref_option
@mailbox_option
@locale_option
@name_option
@by_option
@show.as_json
@with_store
async def add(
    session: CliContext,
    store: Store,
    *,
    marketplace: str | None,
    role: str,
    ref: str,
    mailbox: str | None,
    locale: str | None,
    name: str | None,
    as_json: bool,
) -> None:
    """Add a party, or change it if it exists already. This can be repeated."""
    shop = session.marketplace(marketplace)
    update = PartyUpdate(mailbox=mailbox, locale=locale, display_name=name)
    put = await parties.put(session.actor, session.actions(store), shop, Role(role), ref, update)
    show.one(_described(put), as_json=as_json)


@party.command("set")
@in_marketplace
@role_option
@ref_option
@mailbox_option
@locale_option
@name_option
@click.option("--state", type=click.Choice(_SETTABLE), help="A suspended or closed party neither sends nor gets mail.")
@click.option("--time-zone", metavar="ZONE", help='Of a buyer, such as Asia/Tokyo; "" for the policy\'s time zone.')
@click.option(
    "--quiet-hours", metavar="HH:MM-HH:MM", help='Of a buyer, or "off"; "" for the quiet hours of the policy.'
)
@click.option(
    "--product-support",
    type=click.Choice(["on", "off"]),
    help="Of a seller: whether the seller answers product questions about orders that the operator fulfils.",
)
@by_option
@show.as_json
@with_store
async def change(
    session: CliContext,
    store: Store,
    *,
    marketplace: str | None,
    role: str,
    ref: str,
    mailbox: str | None,
    locale: str | None,
    name: str | None,
    state: str | None,
    time_zone: str | None,
    quiet_hours: str | None,
    product_support: str | None,
    as_json: bool,
) -> None:
    """Change a party. An option that is left out leaves the value as it is."""
    shop = session.marketplace(marketplace)
    await known_party(store, shop, Role(role), ref)
    update = PartyUpdate(
        mailbox=mailbox,
        locale=locale,
        display_name=name,
        state=PartyState(state) if state else None,
        time_zone=time_zone,
        quiet_hours=quiet_hours,
        product_support=None if product_support is None else product_support == "on",
    )
    put = await parties.put(session.actor, session.actions(store), shop, Role(role), ref, update)
    show.one(_described(put), as_json=as_json)


@party.command("list")
@in_marketplace
@click.option("--role", type=click.Choice([str(role) for role in Role]), help="Only buyers, or only sellers.")
@reveal
@show.as_json
@with_store
async def list_parties(
    session: CliContext, store: Store, *, marketplace: str | None, role: str | None, reveal: bool, as_json: bool
) -> None:
    """List the parties of a marketplace."""
    found = await store.parties.in_marketplace(session.marketplace(marketplace).id, Role(role) if role else None)
    lines: list[show.Row] = [_described(one) for one in found]
    if reveal:
        mailboxes = await parties.read_mailboxes(session.actor, session.actions(store), found, session.grounds)
        lines = [_revealed(one, mailboxes) for one in found]
    show.rows(lines, as_json=as_json, empty="no parties yet")


@party.command("show")
@in_marketplace
@role_option
@ref_option
@reveal
@show.as_json
@with_store
async def show_party(
    session: CliContext, store: Store, *, marketplace: str | None, role: str, ref: str, reveal: bool, as_json: bool
) -> None:
    """Show one party. Without --reveal most of its mailbox is hidden: s…o@pottery.example."""
    found = await known_party(store, session.marketplace(marketplace), Role(role), ref)
    if reveal:
        mailboxes = await parties.read_mailboxes(session.actor, session.actions(store), [found], session.grounds)
        mailbox = mailboxes[found.id]
    else:
        mailbox = await parties.masked_mailbox(session.actor, session.actions(store), found)
    show.one({**_described(found), "mailbox": mailbox}, as_json=as_json)


@party.group()
def password() -> None:
    """App passwords, with which mail programs log in.

    A party may have two at a time, so that one can replace the other. A third one revokes the oldest.
    """


@password.command("add")
@in_marketplace
@click.option(
    "--role",
    type=click.Choice([str(role) for role in Role]),
    default=str(Role.SELLER),
    show_default=True,
    help="Whether the account is a buyer's or a seller's.",
)
@ref_option
@click.option("--label", default="", help="The device or program that uses it, to know which one to revoke.")
@by_option
@show.as_json
@with_store
async def add_password(
    session: CliContext, store: Store, *, marketplace: str | None, role: str, ref: str, label: str, as_json: bool
) -> None:
    """Make an app password and show it with all that a mail program needs to send: server, port, user and password.

    The password can be shown only now. A third live password revokes the oldest.
    """
    owner = await known_party(store, session.marketplace(marketplace), Role(role), ref)
    made = await passwords.add(session.actor, session.actions(store), owner, label)
    is_local = all(one.host in {"127.0.0.1", "::1"} for one in session.config.listener if one.kind == "submission")
    server = "localhost" if is_local else session.config.hostname
    shown = {"id": made.id, "server": server, "security": _security(session.config)}
    show.one({**shown, "username": ref, "password": made.password}, as_json=as_json)


def _security(config: Config) -> str:
    """Returns the ports for mail programs with the names that mail programs give to their kinds of security."""
    names = {"starttls": "STARTTLS", "implicit": "TLS", "none": "no encryption"}
    return ", ".join(f"{names[one.tls]} {one.port}" for one in config.listener if one.kind == "submission")


@password.command("revoke")
@click.argument("password_id", metavar="ID")
@by_option
@with_store
async def revoke_password(session: CliContext, store: Store, *, password_id: str) -> None:
    """Revoke an app password at once."""
    await passwords.revoke(session.actor, session.actions(store), password_id)
    click.echo(f"{password_id} is revoked")


def _described(found: Party) -> show.Row:
    return {
        "role": str(found.role),
        "ref": found.external_ref,
        "state": str(found.state),
        "locale": found.locale,
        "name": found.display_name,
        "time_zone": found.settings.time_zone,
        "quiet_hours": found.settings.quiet_hours,
        "product_support": found.settings.product_support,
        "id": found.id,
    }


def _revealed(found: Party, mailboxes: Mapping[str, str | None]) -> show.Row:
    return {**_described(found), "mailbox": mailboxes[found.id]}
