"""`relay party`: buyers and sellers, and the sellers' app passwords."""

import secrets
from collections.abc import Callable

import click
from argon2 import PasswordHasher

from relay.cli import show
from relay.cli.context import (
    CliContext,
    MailAddress,
    in_marketplace,
    known_party,
    ref_option,
    reveal,
    role_option,
    with_store,
)
from relay.core import wall_clock
from relay.core.model.party import Party, PartyState, Role, SettingsUpdate
from relay.ports import Store

_SETTABLE = [str(state) for state in PartyState if state is not PartyState.ERASED]
_PASSWORD_BYTES = 18


@click.group()
def party() -> None:
    """Buyers and sellers: the accounts of the marketplace that write and get mail."""


mailbox_option = click.option(
    "--mailbox", type=MailAddress(), help="The real mail address; the old one stays in the history."
)
locale_option = click.option(
    "--locale", help="The language of notices: en or ja. New parties: the marketplace's first."
)
name_option = click.option("--name", help="The display name that the other side may see.")


@party.command("add")
@in_marketplace
@role_option
@ref_option
@mailbox_option
@locale_option
@name_option
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
    """Add a party; one that exists is updated, so this is safe to repeat."""
    shop = session.marketplace(marketplace)
    session.check_foreign("--mailbox", mailbox or "")
    known = await store.party(shop.id, Role(role), ref)
    if known is None and mailbox is None:
        raise click.UsageError("a new party needs --mailbox")
    if locale is None and known is None:
        locale = shop.locales[0]
    _check_locale(locale, shop.locales)
    put = await store.put_party(shop.id, Role(role), ref, mailbox=mailbox, locale=locale, display_name=name)
    show.one(await _described(store, put, reveal=False), as_json=as_json)


@party.command("set")
@in_marketplace
@role_option
@ref_option
@mailbox_option
@locale_option
@name_option
@click.option("--state", type=click.Choice(_SETTABLE), help="Suspended and closed parties neither send nor get mail.")
@click.option("--time-zone", metavar="ZONE", help="A buyer's, such as Asia/Tokyo; \"\" for the policy's.")
@click.option("--quiet-hours", metavar="HH:MM-HH:MM", help='A buyer\'s, or "off"; "" for the policy\'s.')
@click.option(
    "--product-support",
    type=click.Choice(["on", "off"]),
    help="A seller's: whether product questions about orders that the operator fulfils are his.",
)
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
    """Change a party; what is left out stays as it is."""
    shop = session.marketplace(marketplace)
    session.check_foreign("--mailbox", mailbox or "")
    known = await known_party(store, shop, Role(role), ref)
    settings = _settings(known, time_zone, quiet_hours, product_support)
    _check_locale(locale, shop.locales)
    put = await store.put_party(
        shop.id,
        Role(role),
        ref,
        mailbox=mailbox,
        locale=locale,
        display_name=name,
        state=PartyState(state) if state else None,
        settings=settings,
    )
    show.one(await _described(store, put, reveal=False), as_json=as_json)


@party.command("list")
@in_marketplace
@click.option("--role", type=click.Choice([str(role) for role in Role]), help="Only this side.")
@reveal
@show.as_json
@with_store
async def list_parties(
    session: CliContext, store: Store, *, marketplace: str | None, role: str | None, reveal: bool, as_json: bool
) -> None:
    """List the parties of a marketplace."""
    found = await store.parties(session.marketplace(marketplace).id, Role(role) if role else None)
    show.rows([await _described(store, one, reveal=reveal) for one in found], as_json=as_json, empty="no parties yet")


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
    """Show one party."""
    found = await known_party(store, session.marketplace(marketplace), Role(role), ref)
    show.one(await _described(store, found, reveal=reveal), as_json=as_json)


@party.group()
def password() -> None:
    """App passwords for the submission ports; two are live at once, so that they can be rotated."""


@password.command("add")
@in_marketplace
@click.option(
    "--role",
    type=click.Choice([str(role) for role in Role]),
    default=str(Role.SELLER),
    show_default=True,
    help="Whose account it is.",
)
@ref_option
@click.option("--label", default="", help="Where it is used, so that the right one can be revoked.")
@show.as_json
@with_store
async def add_password(
    session: CliContext, store: Store, *, marketplace: str | None, role: str, ref: str, label: str, as_json: bool
) -> None:
    """Make an app password. It is shown this once; the relay keeps a hash. A third one ends the oldest."""
    owner = await known_party(store, session.marketplace(marketplace), Role(role), ref)
    made = secrets.token_urlsafe(_PASSWORD_BYTES)
    password_id = await store.add_app_password(owner.id, label, PasswordHasher().hash(made))
    show.one({"id": password_id, "username": ref, "password": made}, as_json=as_json)


@password.command("revoke")
@click.argument("password_id", metavar="ID")
@with_store
async def revoke_password(_: CliContext, store: Store, *, password_id: str) -> None:
    """End an app password at once."""
    if not await store.revoke_app_password(password_id):
        raise click.ClickException(f"there is no live app password {password_id}")
    click.echo(f"{password_id} is revoked")


def _check_locale(locale: str | None, locales: tuple[str, ...]) -> None:
    if locale is not None and locale not in locales:
        raise click.UsageError(f"--locale: the marketplace speaks {', '.join(locales)}")


def _settings(
    known: Party, time_zone: str | None, quiet_hours: str | None, product_support: str | None
) -> SettingsUpdate:
    """Returns the settings that the options change. Raises UsageError when one is wrong or for the other role."""
    asked = {"--time-zone": time_zone, "--quiet-hours": quiet_hours, "--product-support": product_support}
    ours = ("--product-support",) if known.role is Role.SELLER else ("--time-zone", "--quiet-hours")
    if foreign := [name for name, value in asked.items() if value is not None and name not in ours]:
        raise click.UsageError(f"{foreign[0]} is not for a {known.role}")
    _check(time_zone, wall_clock.zone, "--time-zone: an IANA time zone, such as Asia/Tokyo")
    _check(
        quiet_hours if quiet_hours != "off" else None,
        wall_clock.stretch,
        '--quiet-hours: such as 22:00-07:00, or "off"',
    )
    return SettingsUpdate(
        time_zone=time_zone,
        quiet_hours=quiet_hours,
        product_support=None if product_support is None else product_support == "on",
    )


def _check(value: str | None, accepts: Callable[[str], object], expected: str) -> None:
    if value:
        try:
            accepts(value)
        except ValueError:
            raise click.UsageError(expected) from None


async def _described(store: Store, found: Party, *, reveal: bool) -> show.Row:
    described: dict[str, object] = {
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
    if reveal:
        described["mailbox"] = await store.mailbox(found.id)
    return described
