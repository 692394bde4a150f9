"""Defines `relay serve`, which runs the daemon."""

import asyncio
import json
import sys
from typing import Any

import click

from relay import app
from relay.cli.context import CliContext
from relay.edge.observe import configure_logging

if sys.platform != "win32":
    import uvloop

    _new_loop = uvloop.new_event_loop
else:
    _new_loop = asyncio.new_event_loop


@click.command()
@click.pass_obj
def serve(session: CliContext) -> None:
    """Run the relay until SIGTERM or SIGINT. SIGHUP reads marketplaces, policies, [authentication], certificates again.

    When all ports are open, one JSON line on standard output names them: {"ready": true, "ports": {...}}. The log goes
    to standard error. At a stop, the relay finishes the mail in transfer and loses nothing.
    """
    configure_logging(session.config.log)
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        runner.run(app.serve(session.config_path, announce=_announce))


def _announce(ready: dict[str, Any]) -> None:
    print(json.dumps(ready), flush=True)  # noqa: T201 - the program that started us waits for this line
