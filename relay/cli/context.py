"""CliContext, which every verb gets: the configuration, the actor, the open store. And options that verbs share."""

import asyncio
import functools
import getpass
import os
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import click

from relay import installation
from relay.actions.actor import Actor
from relay.actions.context import ActionContext, StoreContext
from relay.actions.grounds import Grounds
from relay.config import Config, load, marketplaces
from relay.core.mail.address import AddressError, fold
from relay.core.model.marketplace import Marketplace, Marketplaces
from relay.core.model.pair import Pair
from relay.core.model.party import Party, Role
from relay.edge.system import SystemClock
from relay.ports import Store

P = ParamSpec("P")


class CliContext:
    """One run of the command. The configuration is read when a verb first needs it."""

    def __init__(self, config_path: Path) -> None:
        self.config_path = config_path
        self.by: str | None = None
        """The value of --by, None if the verb does not have the option or it is left out."""
        self.grounds = Grounds(case="", reason="")
        """The values of --case and --reason."""

    @property
    def actor(self) -> Actor:
        """The person who runs the command, with all rights. Raises InvalidValueError for a --by without a name."""
        return Actor.admin(login_name() if self.by is None else self.by)

    def actions(self, store: Store) -> ActionContext:
        """Returns the context of actions on the open store."""
        return StoreContext(
            store=store, marketplaces=Marketplaces.of(self.marketplaces, self.config.hostname), clock=SystemClock()
        )

    @functools.cached_property
    def config(self) -> Config:
        return load(self.config_path)

    @property
    def base(self) -> Path:
        return self.config_path.resolve().parent

    @property
    def data_dir(self) -> Path:
        return installation.data_dir(self.config, self.base)

    @functools.cached_property
    def marketplaces(self) -> tuple[Marketplace, ...]:
        return marketplaces(self.config)

    def marketplace(self, wanted: str | None) -> Marketplace:
        """Returns the marketplace with this id, or the only one for None. Raises UsageError if there is none."""
        names = ", ".join(one.id for one in self.marketplaces)
        if wanted is None and len(self.marketplaces) > 1:
            raise click.UsageError(f"there are several marketplaces; say which with --marketplace: {names}")
        found = next((one for one in self.marketplaces if wanted in {None, one.id}), None)
        if found is None:
            raise click.UsageError(f'there is no marketplace "{wanted}" in {self.config_path}; there are: {names}')
        return found


def with_store(
    work: Callable[Concatenate[CliContext, Store, P], Coroutine[Any, Any, None]],
) -> Callable[P, None]:
    """Makes a verb of a coroutine function that works on the open store, whether the daemon runs or not."""

    @click.pass_obj
    @functools.wraps(work)
    def verb(session: CliContext, /, *args: P.args, **kwargs: P.kwargs) -> None:
        async def opened() -> None:
            async with installation.opened(session.config, session.base) as store:
                await work(session, store, *args, **kwargs)

        asyncio.run(opened())

    return verb


class MailAddress(click.ParamType[str]):
    """A mail address, kept as it was typed."""

    name = "address"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            fold(value)
        except AddressError as error:
            self.fail(f"not one mail address: {error}", param, ctx)
        return value


class SenderAddress(click.ParamType[str]):
    """A mail address, or `@domain` for all addresses of a domain, folded."""

    name = "address"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return fold(f"anyone{value}").removeprefix("anyone") if value.startswith("@") else fold(value)
        except AddressError as error:
            self.fail(f"not one mail address, nor @domain: {error}", param, ctx)


in_marketplace = click.option(
    "--marketplace", "-m", metavar="ID", help="The id of the marketplace; needed if there are several."
)
role_option = click.option(
    "--role",
    type=click.Choice([str(role) for role in Role]),
    required=True,
    help="The role of the party.",
)
ref_option = click.option("--ref", required=True, metavar="REF", help="The marketplace's own reference for the party.")
buyer_option = click.option("--buyer", required=True, metavar="REF", help="The buyer's reference.")
seller_option = click.option("--seller", required=True, metavar="REF", help="The seller's reference.")


def _set_by(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    ctx.obj.by = value


by_option = click.option(
    "--by",
    metavar="NAME",
    show_default="your login name",
    expose_value=False,
    callback=_set_by,
    help="The name that is recorded for this. A mail address is shortened to the part before the @.",
)


def _set_grounds(ctx: click.Context, option: click.Parameter, value: str | None) -> None:
    ctx.obj.grounds = replace(ctx.obj.grounds, **{str(option.name): value or ""})


def grounds_options(needed_with: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Adds --case, --reason and --by, which are recorded when something private is read (R-REC-06).

    `needed_with` names the options that read it, for the help.
    """
    case = click.option(
        "--case",
        metavar="CASE",
        expose_value=False,
        callback=_set_grounds,
        help=f"The case for which it is read; required with {needed_with}.",
    )
    reason = click.option(
        "--reason",
        metavar="TEXT",
        expose_value=False,
        callback=_set_grounds,
        help=f"Why it is read; required with {needed_with}.",
    )
    return lambda verb: case(reason(by_option(verb)))


def reveal(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --reveal to a verb, and the options that are recorded with it."""
    option = click.option("--reveal", is_flag=True, help="Show real mail addresses too. This is recorded.")
    return option(grounds_options("--reveal")(verb))


def login_name() -> str:
    """Returns the name of the person at the terminal, before `sudo`, or of the account that the process runs under.

    An account without a name, as in some containers, is named by its number.
    """
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"


async def known_party(store: Store, marketplace: Marketplace, role: Role, ref: str) -> Party:
    """Returns the party with this reference. Raises ClickException if there is none."""
    party = await store.parties.by_ref(marketplace.id, role, ref)
    if party is None:
        raise click.ClickException(
            f'{marketplace.id} has no {role} "{ref}"; `relay party add --role {role} --ref {ref} ...` makes one'
        )
    return party


async def known_pair(store: Store, marketplace: Marketplace, buyer: str, seller: str) -> Pair:
    """Returns the pair of the parties with these references. Raises ClickException if they are not a pair yet."""
    buying = await known_party(store, marketplace, Role.BUYER, buyer)
    selling = await known_party(store, marketplace, Role.SELLER, seller)
    pair = await store.pairs.between(buying.id, selling.id)
    if pair is None:
        raise click.ClickException(
            f'buyer "{buyer}" and seller "{seller}" are no pair yet; `relay pair add` makes them one'
        )
    return pair
