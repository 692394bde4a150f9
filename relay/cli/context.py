"""What the verbs share: the configuration, the open store, and the options that name a party."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import click

from relay import installation
from relay.config import Config, load, marketplaces
from relay.core.mail.address import AddressError, fold, fold_domain
from relay.core.model.marketplace import Marketplace
from relay.core.model.pair import Pair
from relay.core.model.party import Party, Role
from relay.ports import Store
from relay.steps.services import Marketplaces

P = ParamSpec("P")

OWN_ADDRESS = "is at a domain of the relay itself, so it is never a party's own address"


class CliContext:
    """One run of the command. The configuration is read when a verb first asks for it."""

    def __init__(self, config_path: Path) -> None:
        self.config_path = config_path

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

    @functools.cached_property
    def marketplaces_by_domain(self) -> Marketplaces:
        return Marketplaces.of(self.marketplaces, self.config.hostname)

    def check_foreign(self, option: str, *addresses: str) -> None:
        """Raises UsageError when an address, or `@domain`, is at a domain of the relay itself."""
        if any(self.marketplaces_by_domain.is_own(address) for address in addresses):
            raise click.UsageError(f"{option}: {OWN_ADDRESS}")

    def marketplace(self, wanted: str | None) -> Marketplace:
        """The one asked for; None is the only one there is."""
        names = ", ".join(one.id for one in self.marketplaces)
        if wanted is None and len(self.marketplaces) > 1:
            raise click.UsageError(f"there are several marketplaces; say which with --marketplace: {names}")
        found = next((one for one in self.marketplaces if wanted in {None, one.id}), None)
        if found is None:
            raise click.UsageError(f'there is no marketplace "{wanted}" in {self.config_path}, but {names}')
        return found


def with_store(
    work: Callable[Concatenate[CliContext, Store, P], Coroutine[Any, Any, None]],
) -> Callable[P, None]:
    """A verb that works on the open store, beside a running daemon or without one."""

    @click.pass_obj
    @functools.wraps(work)
    def verb(session: CliContext, /, *args: P.args, **kwargs: P.kwargs) -> None:
        async def opened() -> None:
            async with installation.opened(session.config, session.base) as store:
                await work(session, store, *args, **kwargs)

        asyncio.run(opened())

    return verb


class MailAddress(click.ParamType[str]):
    name = "address"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            fold(value)
        except AddressError as error:
            self.fail(f"not one mail address: {error}", param, ctx)
        return value


class SenderAddress(click.ParamType[str]):
    """An address, or `@domain` for everyone there, folded."""

    name = "address"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return fold(f"anyone{value}").removeprefix("anyone") if value.startswith("@") else fold(value)
        except AddressError as error:
            self.fail(f"not one mail address, nor @domain: {error}", param, ctx)


in_marketplace = click.option(
    "--marketplace", "-m", metavar="ID", help="Which marketplace; may be left out when there is one."
)
reveal = click.option("--reveal", is_flag=True, help="Show real mail addresses. Mind who can see your screen.")
role_option = click.option(
    "--role", type=click.Choice([str(role) for role in Role]), required=True, help="Which side the party is on."
)
ref_option = click.option("--ref", required=True, metavar="REF", help="The marketplace's own reference for the party.")
buyer_option = click.option("--buyer", required=True, metavar="REF", help="The buyer's reference.")
seller_option = click.option("--seller", required=True, metavar="REF", help="The seller's reference.")
by_option = click.option("--by", metavar="NAME", required=True, help="Who decides; kept with the record.")
login_option = click.option(
    "--by",
    envvar=["SUDO_USER", "USER", "LOGNAME"],
    default="command line",
    show_default="your login",
    help="Who does it; kept with it.",
)


async def known_party(store: Store, marketplace: Marketplace, role: Role, ref: str) -> Party:
    party = await store.party(marketplace.id, role, ref)
    if party is None:
        raise click.ClickException(
            f'{marketplace.id} has no {role} "{ref}"; `relay party add --role {role} --ref {ref} ...` makes one'
        )
    return party


async def known_pair(store: Store, marketplace: Marketplace, buyer: str, seller: str) -> Pair:
    """The pair of two references; fails where the two are none yet."""
    buying = await known_party(store, marketplace, Role.BUYER, buyer)
    selling = await known_party(store, marketplace, Role.SELLER, seller)
    for pair in await store.pairs(marketplace.id):
        if (pair.buyer.party.id, pair.seller.party.id) == (buying.id, selling.id):
            return pair
    raise click.ClickException(
        f'buyer "{buyer}" and seller "{seller}" are no pair yet; `relay pair add` makes them one'
    )


async def introduce(store: Store, marketplace: Marketplace, buyer: Party, seller: Party) -> Pair:
    """The pair of two parties; a new one gets aliases under the domains that fit their mailboxes (R-ADR-03)."""
    domains = {party.role: await _alias_domain(store, marketplace, party) for party in (buyer, seller)}
    return await store.put_pair(marketplace.id, buyer.id, seller.id, domains)


async def _alias_domain(store: Store, marketplace: Marketplace, party: Party) -> str:
    mailbox = await store.mailbox(party.id)
    return marketplace.alias_domain(fold_domain(mailbox.rpartition("@")[2]) if mailbox else "")
