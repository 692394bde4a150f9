"""Defines `relay init`, which makes an installation. Existing files are kept, so the verb can be repeated safely."""

import asyncio
import json
from pathlib import Path
from typing import Final

import click
from click.core import ParameterSource

from relay import installation
from relay.actions import keys
from relay.actions.dns_records import wanted, zone_line
from relay.cli.context import CliContext, MailAddress
from relay.config import Config, load, parse
from relay.core.mail.address import fold_domain
from relay.core.notice.texts import LANGUAGES
from relay.edge.tls import make_self_signed
from relay.ports import StoreError
from relay.store.crypto import MasterKeys

_CONFIG: Final = """\
# The relay's configuration. Every other key, with its default, is in config.example.toml; `relay check` says what is
# wrong. Paths start from data_dir, data_dir from this file.
data_dir = "var"
hostname = {hostname}

# Mail from anywhere.
[[listener]]
kind = "mx"
host = {host}
port = {mx}

# Logins of sellers' mail programs.
[[listener]]
kind = "submission"
host = {host}
port = {submission}

[[listener]]
kind = "submission"
host = {host}
port = {submissions}
tls = "implicit"

# SPF, DKIM, DMARC and ARC of mail from anywhere; on the loopback interface alone there is nothing to verify.
[authentication]
verify = {verify}

# Networks beyond the public internet into which the DNS of a recipient may lead mail.
[delivery]
allowed_networks = {allowed}
{routes}
# Signed links, health and metrics. Set public_url to where readers of mails reach the links (docs/links.md).
[web]
host = "127.0.0.1"
port = 8080

[[marketplace]]
id = {id}
name = {name}
domain = {domain}
operator = {operator}
help_url = {help_url}
locales = {locales}
authentication = {fallback}
{mobile}"""
_OPTIONS: Final = {"marketplace_id": "--id", "locales": "--locale"}
_SINK: Final = """
# All mail goes to a program on this computer that shows it, such as Mailpit (`mailpit` alone; http://localhost:8025).
[[delivery.route]]
domain = "*"
host = "127.0.0.1"
port = 1025
tls = "none"
"""
_PUBLIC: Final = {
    "host": "0.0.0.0",  # noqa: S104 - an MX is public
    "mx": 25,
    "submission": 587,
    "submissions": 465,
    "verify": True,
    "allowed": [],
    "fallback": "hold",
}
_LOCAL: Final = {
    "host": "127.0.0.1",
    "mx": 2525,
    "submission": 2587,
    "submissions": 2465,
    "verify": False,
    "allowed": ["127.0.0.0/8", "::1/128"],
    "fallback": "known_domain",
}


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path), default=Path())
@click.option("--domain", default="marketplace.example", show_default=True, help="The domain of the aliases.")
@click.option("--hostname", help="This server's name in DNS.  [default: mx. and the domain]")
@click.option(
    "--operator",
    type=MailAddress(),
    default="operator@company.example",
    show_default=True,
    help="The mail address that gets the mail to postmaster@ and abuse@; not at an alias domain.",
)
@click.option(
    "--id", "marketplace_id", default="shop", show_default=True, help="The marketplace's id in commands and records."
)
@click.option("--name", default="Marketplace", show_default=True, help="The marketplace's name in mail.")
@click.option("--help-url", help="The help page that notices link to.  [default: made from the domain]")
@click.option(
    "--locale",
    "locales",
    multiple=True,
    type=click.Choice(LANGUAGES),
    help="A language of the marketplace, the most usual first; may be repeated.  [default: en, ja]",
)
@click.option(
    "--mobile-domain", default="", help="A second alias domain, for mailboxes at mobile carriers that refuse the first."
)
@click.option(
    "--local",
    is_flag=True,
    help="Try the relay without root: high ports on the loopback interface, no look-ups of senders, and all mail goes "
    "to port 1025 of this computer, where a program such as Mailpit shows it.",
)
@click.pass_context
def init(
    ctx: click.Context,
    *,
    directory: Path,
    domain: str,
    hostname: str | None,
    operator: str,
    marketplace_id: str,
    name: str,
    help_url: str | None,
    locales: tuple[str, ...],
    mobile_domain: str,
    local: bool,
) -> None:
    """Make an installation. It is made in DIRECTORY, by default the current directory.

    This makes config.toml, the data directory with the master key, a self-signed certificate, the database, and DKIM
    keys. It prints the DNS records to publish and the next steps. Nothing that exists is overwritten. An option that
    differs from an existing config.toml is refused.
    """
    path = directory / "config.toml"
    words = {
        "hostname": hostname or f"mx.{domain}",
        "domain": domain,
        "operator": operator,
        "id": marketplace_id,
        "name": name,
        "locales": locales or LANGUAGES,
        "help_url": help_url or f"https://{fold_domain(domain)}/help",
        **(_LOCAL if local else _PUBLIC),
    }
    # A JSON value is a TOML value.
    values = {name: json.dumps(word, ensure_ascii=False) for name, word in words.items()}
    mobile = f"mobile_domain = {json.dumps(mobile_domain, ensure_ascii=False)}\n" if mobile_domain else ""
    text = _CONFIG.format_map({**values, "routes": _SINK if local else "", "mobile": mobile})
    parse(text, source="the options")
    if path.exists():
        given = {name for name in ctx.params if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE}
        _refuse_other_values(load(path), parse(text, source="the options"), given, path)
    directory.mkdir(parents=True, exist_ok=True)
    if not _there(path):
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        click.echo(f"made   {path}")
    session = CliContext(path)
    master_key = session.data_dir / session.config.master_key
    has_master_key = master_key.exists()
    if not has_master_key:
        _refuse_a_second_master_key(session.config, session.data_dir, master_key)
    _make_files(session.config, session.data_dir)
    try:
        records = asyncio.run(_make_keys(session))
    except StoreError:
        if not has_master_key:  # the store was encrypted with another one, whose backup belongs here
            master_key.unlink()
            click.echo(f"removed {master_key}, which does not open the store", err=True)
        raise
    click.echo("\nPublish in DNS, beside the address of this host:\n")
    click.echo("\n".join(f"  {record}" for record in records))
    click.echo(_next_steps(path, session.data_dir / session.config.master_key))


def _refuse_other_values(config: Config, asked: Config, given: set[str], path: Path) -> None:
    """Raises UsageError if an option that was given on the command line differs from the existing configuration."""
    wanted = asked.marketplace[0]
    known = next((one for one in config.marketplace if one.id == wanted.id), config.marketplace[0])
    values = {
        "domain": (known.domain, wanted.domain),
        "hostname": (config.hostname, asked.hostname),
        "operator": (known.operator, wanted.operator),
        "marketplace_id": (known.id, wanted.id),
        "name": (known.name, wanted.name),
        "help_url": (known.help_url, wanted.help_url),
        "locales": (known.locales, wanted.locales),
        "mobile_domain": (known.mobile_domain, wanted.mobile_domain),
        "local": (config.authentication.verify, asked.authentication.verify),
    }
    differing = [name for name, (is_set, asked_for) in values.items() if name in given and is_set != asked_for]
    if differing:
        options = ", ".join(_OPTIONS.get(name, f"--{name.replace('_', '-')}") for name in differing)
        raise click.UsageError(
            f"{path} exists with other values for {options}; edit the file, or leave the options out"
        )


def _refuse_a_second_master_key(config: Config, data_dir: Path, master_key: Path) -> None:
    """Raises ClickException if the store exists already, because a new master key could not open it."""
    scheme, _, name = config.store.partition(":")
    if scheme == "sqlite" and (data_dir / name).exists():
        raise click.ClickException(
            f"{master_key} is missing, but {data_dir / name} is encrypted with it; restore the key from its backup. "
            "Nothing was changed"
        )


def _make_files(config: Config, data_dir: Path) -> None:
    if not data_dir.exists():
        data_dir.mkdir(mode=0o700, parents=True)
        click.echo(f"made   {data_dir}/")
    master_key = data_dir / config.master_key
    if not _there(master_key):
        master_key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        MasterKeys.create(master_key)
        click.echo(f"made   {master_key}")
    certificate, key = data_dir / config.tls.certificate, data_dir / config.tls.key
    if not any([_there(certificate), _there(key)]):
        made, made_key = make_self_signed(certificate.parent, [config.hostname, "localhost"])
        made.rename(certificate)
        made_key.rename(key)
        click.echo(f"made   {certificate} (self-signed) and {key}")


async def _make_keys(session: CliContext) -> list[str]:
    async with installation.opened(session.config, session.base) as store:
        for key in await keys.generate(
            session.actor, session.actions(store), session.marketplaces, session.config.dkim.algorithms
        ):
            click.echo(f"made   DKIM key {key.selector} for {key.domain}")
        return [zone_line(one) for one in await wanted(store, session.marketplaces, session.config.hostname)]


def _there(path: Path) -> bool:
    """Returns whether the file exists. If it exists, prints that the file is kept."""
    if path.exists():
        click.echo(f"exists {path}, kept")
        return True
    return False


def _next_steps(config: Path, master_key: Path) -> str:
    return f"""
Then:
  copy {master_key} to a safe place: without it the record cannot be read
  relay --config {config} check
  relay --config {config} order add 1001 --buyer B1 --seller S1 \\
    --buyer-mailbox buyer@mail.example --seller-mailbox seller@mail.example
  relay --config {config} party password add --ref S1
  relay --config {config} serve"""
