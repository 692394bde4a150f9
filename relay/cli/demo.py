"""Defines `relay demo`, which runs a small marketplace on this computer, so that people can try the relay."""

import asyncio
import signal
import sys
from pathlib import Path

import click

from relay.demo import market, script
from relay.demo.daemon import DaemonError
from relay.demo.instructions import instructions
from relay.demo.market import DemoSetupError
from relay.demo.page import build
from relay.demo.running import running_demo
from relay.edge.web.server import WebServer

_PORT = click.IntRange(0, 65_535)


@click.command()
@click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("var/demo"),
    show_default=True,
    help="The directory of the demo's configuration, mailboxes and record.",
)
@click.option(
    "--script", "scripted", is_flag=True, help="Play the scenes on free ports, print the transcript, and end."
)
@click.option(
    "--port",
    type=_PORT,
    default=8080,
    show_default=True,
    help="The port of the page for your browser; 0 for a free one.",
)
@click.option("--mx-port", type=_PORT, default=2525, show_default=True, help="The port for other mail servers.")
@click.option("--submission-port", type=_PORT, default=2587, show_default=True, help="The port where sellers log in.")
@click.option(
    "--web-port",
    type=_PORT,
    default=8081,
    show_default=True,
    help="The port of the daemon's links, health and metrics.",
)
def demo(*, directory: Path, scripted: bool, port: int, mx_port: int, submission_port: int, web_port: int) -> None:
    """Start a relay with a few parties and their mailboxes, and watch how messages pass between them.

    The page shows the mailboxes and the record side by side. Links in mail lead to the daemon's own web server. The
    demo uses the loopback interface only. Ctrl-C ends it; the next start continues with the same data.
    """
    wanted = market.DemoPorts(mx=mx_port, submission=submission_port, web=web_port, sink=0)
    try:
        if scripted:
            sys.exit(0 if asyncio.run(script.play(_say)) else 1)
        asyncio.run(_live(directory, wanted, port))
    except (DemoSetupError, DaemonError) as error:
        raise click.ClickException(str(error)) from error


def _say(text: str) -> None:
    """Prints the text, with a question mark for each character that the terminal cannot show."""
    encoding = sys.stdout.encoding
    click.echo(text.encode(encoding, "replace").decode(encoding))


async def _live(directory: Path, wanted: market.DemoPorts, port: int) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with running_demo(directory, wanted) as running:
        page = WebServer(build(running), "127.0.0.1", port)
        url = f"http://127.0.0.1:{await page.start()}/"
        try:
            _say(instructions(running, url))
            ended = asyncio.create_task(running.daemon.ended())
            waiting = asyncio.create_task(stopped.wait())
            await asyncio.wait({ended, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if not stopped.is_set():
                raise DaemonError(f"the daemon has ended: {ended.result()}")
            ended.cancel()
        finally:
            await page.stop()
