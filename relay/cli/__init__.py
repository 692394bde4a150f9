"""Defines the `relay` command, with one module for each group of verbs.

A verb reads its options, looks up the things that they name, calls a function of `relay.actions` if it changes
something, and prints the result.

The exit code is 0 if the work was done. It is 1 if the work was not done, with one message on standard error. It is 2
if the command line was wrong.
"""

from importlib import import_module
from pathlib import Path
from typing import Any, Final

import click

from relay import __version__
from relay.actions.actor import ActionError, InvalidValueError
from relay.cli.context import CliContext
from relay.config import ConfigError
from relay.core.mail.address import AddressError
from relay.edge.system import forbid_core_dumps
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
    "audit",
    "simulate",
)
"""The verbs in the order in which an administrator needs them. A module of the same name defines each verb."""
_EXPECTED: Final = (ActionError, ConfigError, StoreError, UnavailableError, TlsError, AddressError, OSError)
_ARGUMENTS: Final = {"address": "ADDRESS", "seller": "SELLER"}
"""The fields of actions that a verb takes as arguments, with the names of these arguments in the help.

A verb takes all other fields as options.
"""


class Verbs(click.Group):
    """The group of all verbs.

    It loads the module of a verb when the verb is used, and shows an expected error as one message without a traceback.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
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
        except InvalidValueError as error:
            name = _ARGUMENTS.get(error.field, f"--{error.field.replace('_', '-')}")
            raise click.UsageError(error.worded(name)) from error
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

    Run `relay demo` to see it work, or `relay init` to make an installation of your own. `relay check` then lists what
    is still missing, and `relay serve` starts the relay. All other verbs can be used while it runs. Every verb has
    --help, and verbs that show data have --json.
    """
    forbid_core_dumps()
    ctx.obj = CliContext(config_path)
