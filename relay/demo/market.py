"""Sets up the demo's directory: configuration, keys and a store with the parties, ready for the real daemon.

If the same directory is set up again, its keys and its data are kept, and the configuration is written again.
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
from relay.demo import demo_parties
from relay.demo.demo_parties import PARTIES, DemoParty
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

[notices]
sweep_s = 0.5

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
policies = "policies"
"""
_POLICY: Final = """\
version = "demo-1"
effective_at = 2026-01-01T00:00:00Z

# In the demo people answer within seconds, with the same texts again and again.
[limits]
instant_reply_s = 0
repeated_text_bytes = 0
pair_per_hour = 0
"""


class DemoSetupError(Exception):
    """Raised if the demo cannot use the directory. The message says why, and how to correct it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPorts:
    """The ports on which the daemon shall listen (0 for any free port), and the port of the parties' mail server."""

    mx: int
    submission: int
    web: int
    sink: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoMarket:
    """The demo's installation. `aliases[writer, to]` is the address at which `writer` reaches `to`."""

    directory: Path
    config: Config
    aliases: Mapping[tuple[str, str], str]

    @property
    def config_path(self) -> Path:
        """The configuration file, for the daemon and for `relay --config`."""
        return self.directory / CONFIG_NAME

    @property
    def certificate(self) -> Path:
        return self.directory / self.config.tls.certificate


async def set_up(directory: Path, ports: DemoPorts) -> DemoMarket:
    """Sets up `directory` and returns the installation.

    Raises DemoSetupError if the directory cannot be used, and StoreError if the store cannot be opened or is in use.
    """
    try:
        _refuse_foreign_directory(directory / CONFIG_NAME)
        with locked(directory):
            config = _write_files(directory, ports)
            aliases = await _seed_store(config, directory)
    except OSError as error:
        raise DemoSetupError(f"cannot write the demo's files: {error.strerror}: {error.filename}") from error
    return DemoMarket(directory=directory, config=config, aliases=aliases)


def _refuse_foreign_directory(config: Path) -> None:
    """Raises DemoSetupError if the directory has a configuration file that the demo did not write."""
    config.parent.mkdir(parents=True, exist_ok=True)
    if config.exists() and not config.read_text(encoding="utf-8", errors="replace").startswith(_MARK):
        raise DemoSetupError(f"{config} was not written by the demo; give it a directory of its own with --dir")


def _write_files(directory: Path, ports: DemoPorts) -> Config:
    """Writes the files that `relay serve` needs, and returns the configuration."""
    text = _CONFIG.format(
        mark=_MARK,
        mx=ports.mx,
        submission=ports.submission,
        web=ports.web,
        sink=ports.sink,
        marketplace=demo_parties.MARKETPLACE,
        domain=demo_parties.DOMAIN,
        mobile_domain=demo_parties.MOBILE_DOMAIN,
        carrier=demo_parties.CARRIER,
        operator=demo_parties.OPERATOR_MAILBOX,
    )
    (directory / CONFIG_NAME).write_text(text, encoding="utf-8")
    policies = directory / "policies"
    policies.mkdir(exist_ok=True)
    (policies / "demo.toml").write_text(_POLICY, encoding="utf-8")
    config = parse(text)
    master_key, certificate = directory / config.master_key, directory / config.tls.certificate
    if not master_key.exists():
        master_key.parent.mkdir(mode=0o700, exist_ok=True)
        MasterKeys.create(master_key)
    if not certificate.exists():
        make_self_signed(certificate.parent, ["localhost"])
    return config


async def _seed_store(config: Config, directory: Path) -> dict[tuple[str, str], str]:
    """Puts the parties and their orders into the store, and returns the aliases by (writer, addressee)."""
    aliases: dict[tuple[str, str], str] = {}
    async with opened(config, directory) as store:
        parties = {demo_party.ref: await _put_party(store, demo_party) for demo_party in PARTIES}
        for purchase in demo_parties.PURCHASES:
            pair = await _put_pair(store, purchase, parties)
            aliases[purchase.seller, purchase.buyer] = pair.buyer.alias.address
            aliases[purchase.buyer, purchase.seller] = pair.seller.alias.address
    return aliases


async def _put_party(store: Store, demo_party: DemoParty) -> Party:
    party = await store.parties.put(
        demo_parties.MARKETPLACE,
        demo_party.role,
        demo_party.ref,
        mailbox=demo_party.mailbox,
        locale=demo_party.locale,
        display_name=demo_party.name,
    )
    if demo_party.role is Role.SELLER and not await store.app_passwords.of_username(demo_party.mailbox):
        await store.app_passwords.add(party.id, "demo", PasswordHasher().hash(demo_party.password))
    if demo_party.opted_out:
        now = SystemClock().now()
        await store.opt_outs.put(
            OptOut(buyer_id=party.id, seller_id=None, kind=None, source="demo", changed_at=now), out=True
        )
    return party


async def _put_pair(store: Store, purchase: demo_parties.Purchase, parties: Mapping[str, Party]) -> Pair:
    buyer, seller = parties[purchase.buyer], parties[purchase.seller]
    mobile = demo_parties.BY_REF[purchase.buyer].mobile
    domains = {
        Role.BUYER: demo_parties.MOBILE_DOMAIN if mobile else demo_parties.DOMAIN,
        Role.SELLER: demo_parties.DOMAIN,
    }
    pair = await store.pairs.put(demo_parties.MARKETPLACE, buyer.id, seller.id, domains)
    await store.orders.put(
        OrderUpdate(
            marketplace_id=demo_parties.MARKETPLACE,
            pair_id=pair.id,
            external_id=purchase.order,
            items=(purchase.item,),
            state="shipped",
        )
    )
    return pair
