"""Writes the text that `relay demo` prints after its start: addresses, and commands that can be copied unchanged."""

import shlex
import sys
from pathlib import Path

from relay.demo.demo_parties import ALICE, BOB, CAROL, MARKETPLACE
from relay.demo.mailer import misspelt
from relay.demo.running import RunningDemo


def instructions(demo: RunningDemo, url: str) -> str:
    """Returns the text for `demo`, whose page is at `url`."""
    bob = demo.mailer.alias(ALICE, BOB)
    carol = demo.mailer.alias(ALICE, CAROL)
    relay = f"{_relay_command()} --config {shlex.quote(str(demo.market.config_path))}"
    return f"""\
The relay demo is running. Ctrl-C ends it.

  The page       {url}
  As seller      {ALICE.mailbox}, password {ALICE.password}
                 SMTP 127.0.0.1 port {demo.ports.submission}, STARTTLS (self-signed) or none
  As mail server 127.0.0.1 port {demo.ports.mx}
  Web server     {demo.ports.links}/healthz  /readyz  /metrics, /l/ behind the links in mails, /policy/{MARKETPLACE}
  Mailboxes      {demo.market.directory / "mailboxes"}

Try this, and watch the page:

  # A seller writes to Bob, who answers on the page
  {_swaks(demo, bob, "Your order 250-1001")}

  # Carol has opted out: the mail is returned with a notice
  {_swaks(demo, carol, "New arrivals")}

  # ... but a mail that is marked as important passes
  {_swaks(demo, carol, "[重要] Your order 250-1002")}

  # ... and asking first costs nothing: the answer comes by mail
  {_swaks(demo, f"check+{carol}", "New arrivals")}

  # A phone number comes back, and the notice shows the place
  {_swaks(demo, bob, "Your order 250-1001", "Please call me: 03-1234-5678")}

  # An address that is not on her list: the notice has a link to approve it
  {_swaks(demo, bob, "Your order 250-1001", sender=ALICE.unlisted_address)}

  # One letter of the alias is wrong
  {_swaks(demo, misspelt(bob), "Your order 250-1001")}

  # The record, as staff see it
  {relay} pair check --buyer {CAROL.ref} --seller {ALICE.ref}
  {relay} message list
  {relay} queue list
"""


def _relay_command() -> str:
    """Returns the command that starts `relay`; it works even if the virtual environment is not on PATH."""
    called = Path(sys.argv[0])
    return shlex.quote(str(called)) if called.name == "relay" else f"{shlex.quote(sys.executable)} -m relay"


def _swaks(
    demo: RunningDemo, to: str, subject: str, text: str = "Hello from Alice", *, sender: str = ALICE.mailbox
) -> str:
    words = (
        "swaks",
        *("--server", f"127.0.0.1:{demo.ports.submission}"),
        *("--auth", "PLAIN", "--auth-user", ALICE.mailbox, "--auth-password", ALICE.password),
        *("--from", sender, "--to", to),
        *("--header", f"Subject: {subject}"),
        *("--body", text),
    )
    return shlex.join(words)
