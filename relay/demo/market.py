"""Founding the town: a directory with configuration, keys and a seeded store that the real daemon is started on.

Founding twice is harmless: what is there is kept, the configuration is written anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher

from relay.config import Config, parse
from relay.core.model.optout import OptOut
from relay.core.model.order import OrderUpdate
from relay.core.model.pair import Pair
from relay.core.model.party import Party, Role
from relay.demo import cast
from relay.demo.cast import CAST, Character
from relay.edge.system import SystemClock, locked
from relay.edge.tls import make_self_signed
from relay.installation import opened
from relay.ports import Store
from relay.store.crypto import MasterKeys

CONFIG_NAME: Final = "config.toml"
_MARK: Final = "# Written by `relay demo`, anew at each start."
_CONFIG: Final = """\
{mark}
data_dir = "."
hostname = "relay.demo.example"

[[listener]]
kind = "mx"
port = {mx}

[[listener]]
kind = "submission"
port = {submission}

[networks]
trusted = ["127.0.0.0/8"]
plain_auth = true

[authentication]
verify = false

[limits]
unknown_recipient_delay_s = 0

[delivery]
poll_s = 0.2
[[delivery.route]]
domain = "*"
host = "127.0.0.1"
port = {sink}
tls = "none"

[delivery.retry]
first_s = 2
longest_s = 10
expire_s = 60
delayed_notice_s = 15
domain_back_off_s = 0

[web]
port = {web}

[log]
level = "warning"

[[marketplace]]
id = "{marketplace}"
name = "Demo Market"
domain = "{domain}"
mobile_domain = "{mobile_domain}"
mobile_carriers = ["{carrier}"]
operator = "{operator}"
help_url = "https://{domain}/help"
authentication = "known_domain"
"""


class TownError(Exception):
    """The directory cannot hold a demo; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPorts:
    """What the daemon is asked to listen on (0: a free one), and where the mailboxes' server listens."""

    mx: int
    submission: int
    web: int
    sink: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """`aliases[writer, to]` is the address by which one character reaches another. `config_path` is for the daemon
    and for `relay --config`."""

    directory: Path
    config: Config
    aliases: Mapping[tuple[str, str], str]

    @property
    def config_path(self) -> Path:
        return self.directory / CONFIG_NAME

    @property
    def certificate(self) -> Path:
        return self.directory / self.config.tls.certificate


async def found(directory: Path, ports: DemoPorts) -> Market:
    """Raises TownError, and StoreError when the store cannot be opened or a running demo has the directory."""
    try:
        _claim(directory / CONFIG_NAME)
        with locked(directory):
            config = _lay_out(directory, ports)
            aliases = await _populate(config, directory)
    except OSError as error:
        raise TownError(f"cannot write the demo's files: {error.strerror}: {error.filename}") from error
    return Market(directory=directory, config=config, aliases=aliases)


def _claim(config: Path) -> None:
    """Another installation's directory is left alone."""
    config.parent.mkdir(parents=True, exist_ok=True)
    if config.exists() and not config.read_text(encoding="utf-8", errors="replace").startswith(_MARK):
        raise TownError(f"{config} was not written by the demo; give it a directory of its own with --dir")


def _lay_out(directory: Path, ports: DemoPorts) -> Config:
    """The files that `relay serve` needs."""
    text = _CONFIG.format(
        mark=_MARK,
        mx=ports.mx,
        submission=ports.submission,
        web=ports.web,
        sink=ports.sink,
        marketplace=cast.MARKETPLACE,
        domain=cast.DOMAIN,
        mobile_domain=cast.MOBILE_DOMAIN,
        carrier=cast.CARRIER,
        operator=cast.OPERATOR_MAILBOX,
    )
    (directory / CONFIG_NAME).write_text(text, encoding="utf-8")
    config = parse(text)
    master_key, certificate = directory / config.master_key, directory / config.tls.certificate
    if not master_key.exists():
        master_key.parent.mkdir(mode=0o700, exist_ok=True)
        MasterKeys.create(master_key)
    if not certificate.exists():
        make_self_signed(certificate.parent, ["localhost"])
    return config


async def _populate(config: Config, directory: Path) -> dict[tuple[str, str], str]:
    """Seeds the store; the aliases by writer and addressee."""
    aliases: dict[tuple[str, str], str] = {}
    async with opened(config, directory) as store:
        parties = {character.ref: await _settle(store, character) for character in CAST}
        for purchase in cast.PURCHASES:
            pair = await _introduce(store, purchase, parties)
            aliases[purchase.seller, purchase.buyer] = pair.buyer.alias.address
            aliases[purchase.buyer, purchase.seller] = pair.seller.alias.address
    return aliases


async def _settle(store: Store, character: Character) -> Party:
    party = await store.parties.put(
        cast.MARKETPLACE,
        character.role,
        character.ref,
        mailbox=character.mailbox,
        locale=character.locale,
        display_name=character.name,
    )
    if character.role is Role.SELLER and not await store.app_passwords.of_username(character.mailbox):
        await store.app_passwords.add(party.id, "demo", PasswordHasher().hash(character.password))
    if character.opted_out:
        now = SystemClock().now()
        await store.opt_outs.put(
            OptOut(buyer_id=party.id, seller_id=None, kind=None, source="demo", changed_at=now), out=True
        )
    return party


async def _introduce(store: Store, purchase: cast.Purchase, parties: Mapping[str, Party]) -> Pair:
    buyer, seller = parties[purchase.buyer], parties[purchase.seller]
    mobile = cast.BY_REF[purchase.buyer].mobile
    domains = {Role.BUYER: cast.MOBILE_DOMAIN if mobile else cast.DOMAIN, Role.SELLER: cast.DOMAIN}
    pair = await store.pairs.put(cast.MARKETPLACE, buyer.id, seller.id, domains)
    await store.orders.put(
        OrderUpdate(
            marketplace_id=cast.MARKETPLACE,
            pair_id=pair.id,
            external_id=purchase.order,
            items=(purchase.item,),
            state="shipped",
        )
    )
    return pair
