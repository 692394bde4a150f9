"""The `relay` command: one file per verb group, no logic of its own.

Exit code 0: done. 1: it could not be done, one clear message on standard error. 2: the command was used wrongly.
"""

from importlib import import_module
from pathlib import Path
from typing import Any, Final

import click

from relay import __version__
from relay.cli.context import CliContext
from relay.config import ConfigError
from relay.core.mail.address import AddressError
from relay.edge.tls import TlsError
from relay.ports import StoreError, UnavailableError

VERBS: Final = (
    "init",
    "check",
    "serve",
    "demo",
    "marketplace",
    "party",
    "pair",
    "order",
    "sender",
    "opt-out",
    "policy",
    "bypass",
    "thread",
    "response",
    "message",
    "hold",
    "queue",
    "keys",
    "simulate",
)
"""In the order in which an operator meets them; each is a command of that name in the module of that name."""
_EXPECTED: Final = (ConfigError, StoreError, UnavailableError, TlsError, AddressError, OSError)


class Verbs(click.Group):
    """Loads a verb's module when it is asked for, and answers what was to be expected by a message, not a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - likewise
        if cmd_name not in VERBS:
            return None
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(import_module(f"relay.cli.{name}"), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except _EXPECTED as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--config",
    "config_path",
    envvar="RELAY_CONFIG",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("config.toml"),
    show_default="config.toml, or RELAY_CONFIG",
    help="The configuration file.",
)
@click.version_option(__version__, prog_name="relay")
@click.pass_context
def main(ctx: click.Context, config_path: Path) -> None:
    """An anonymizing mail relay for marketplaces.

    Begin with `relay demo` to see it work, or with `relay init` for an installation of your own; then `relay check`
    says what is still missing, and `relay serve` runs it. The other verbs work beside the running daemon. Every verb
    explains itself with --help; those that show data take --json.
    """
    ctx.obj = CliContext(config_path)
