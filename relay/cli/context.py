"""Defines `CliContext`, which every verb gets, and the options and look-ups that several verbs share."""

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
from relay.core.mail.address import AddressError, fold, fold_entry
from relay.core.model.marketplace import Marketplace, Marketplaces
from relay.core.model.pair import Pair
from relay.core.model.party import Party, Role
from relay.edge.system import SystemClock
from relay.ports import Store

P = ParamSpec("P")


class CliContext:
    """One run of the command: its configuration, its actor and the grounds for reading private data.

    The configuration is read when a verb first needs it.
    """

    def __init__(self, config_path: Path) -> None:
        self.config_path = config_path
        self.by: str | None = None
        """The value of --by; None if the verb does not have this option or if the option is left out."""
        self.grounds = Grounds(case="", reason="")
        """The values of --case and --reason."""

    @property
    def actor(self) -> Actor:
        """The person who runs the command, with all rights. Raises InvalidValueError if --by has no name."""
        return Actor.admin(login_name() if self.by is None else self.by)

    def actions(self, store: Store) -> ActionContext:
        """Returns the context that actions need, made of the open store and the configuration."""
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
        """Returns the marketplace with the id `wanted`, or the only marketplace if `wanted` is None.

        Raises UsageError if no marketplace has this id, or if `wanted` is None and there are several marketplaces.
        """
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
    """Returns a verb that opens the store and runs the coroutine function `work` on it.

    The daemon may run at the same time.
    """

    @click.pass_obj
    @functools.wraps(work)
    def verb(session: CliContext, /, *args: P.args, **kwargs: P.kwargs) -> None:
        async def opened() -> None:
            async with installation.opened(session.config, session.base) as store:
                await work(session, store, *args, **kwargs)

        asyncio.run(opened())

    return verb


class MailAddress(click.ParamType[str]):
    """A parameter type for a mail address; the value is kept as it was typed."""

    name = "address"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            fold(value)
        except AddressError as error:
            self.fail(f"not one mail address: {error}", param, ctx)
        return value


class SenderAddress(click.ParamType[str]):
    """A parameter type for a mail address, or for `@domain`, which means all addresses of a domain.

    The value is case-folded.
    """

    name = "address"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return fold_entry(value)
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
    """Returns a decorator that adds the options --case, --reason and --by to a verb.

    Their values are recorded when something private is read (R-REC-06). `needed_with` names, in the help, the options
    that read something private.
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
    """Adds the option --reveal to a verb, and the options whose values are recorded with its use."""
    option = click.option("--reveal", is_flag=True, help="Show real mail addresses too. This is recorded.")
    return option(grounds_options("--reveal")(verb))


def login_name() -> str:
    """Returns the name of the account that runs the command or, under `sudo`, that called `sudo`.

    Returns "uid" and a number for an account without a name, which exists in some containers.
    """
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"


async def known_party(store: Store, marketplace: Marketplace, role: Role, ref: str) -> Party:
    """Returns the party with this reference. Raises ClickException if no party has this reference."""
    party = await store.parties.by_ref(marketplace.id, role, ref)
    if party is None:
        raise click.ClickException(
            f'{marketplace.id} has no {role} "{ref}"; `relay party add --role {role} --ref {ref} ...` makes one'
        )
    return party


async def known_pair(store: Store, marketplace: Marketplace, buyer: str, seller: str) -> Pair:
    """Returns the pair of the parties with these references.

    Raises ClickException if a party does not exist, or if the two are not a pair yet.
    """
    buying = await known_party(store, marketplace, Role.BUYER, buyer)
    selling = await known_party(store, marketplace, Role.SELLER, seller)
    pair = await store.pairs.between(buying.id, selling.id)
    if pair is None:
        raise click.ClickException(
            f'buyer "{buyer}" and seller "{seller}" are no pair yet; `relay pair add` makes them one'
        )
    return pair
