"""What `relay demo` prints once it runs: the page, and commands that can be copied as they stand."""

import shlex
import sys
from pathlib import Path

from relay.demo.cast import ALICE, BOB, CAROL
from relay.demo.life import Life
from relay.demo.post import misspelt


def guide(life: Life, url: str) -> str:
    bob = life.post.alias(ALICE, BOB)
    carol = life.post.alias(ALICE, CAROL)
    relay = f"{_ourselves()} --config {shlex.quote(str(life.town.config_path))}"
    return f"""\
The relay demo is running. Ctrl-C ends it.

  The page       {url}
  As seller      {ALICE.mailbox}, password {ALICE.password}
                 SMTP 127.0.0.1 port {life.ports.submission}, STARTTLS (self-signed) or none
  As mail server 127.0.0.1 port {life.ports.mx}
  Health         http://127.0.0.1:{life.ports.web}/healthz  /readyz  /metrics
  Mailboxes      {life.town.directory / "mailboxes"}

Try this, and watch the page:

  # A seller writes to Bob, who answers on the page
  {_swaks(life, bob, "Your order 250-1001")}

  # Carol has opted out: the mail is returned with a notice
  {_swaks(life, carol, "New arrivals")}

  # ... but a mail that is marked as important passes
  {_swaks(life, carol, "[重要] Your order 250-1002")}

  # One letter of the alias is wrong
  {_swaks(life, misspelt(bob), "Your order 250-1001")}

  # The record, as staff see it
  {relay} message list
  {relay} queue list
"""


def _ourselves() -> str:
    """The command as it was called, or what amounts to it: a virtual environment need not be on the path."""
    called = Path(sys.argv[0])
    return shlex.quote(str(called)) if called.name == "relay" else f"{shlex.quote(sys.executable)} -m relay"


def _swaks(life: Life, to: str, subject: str) -> str:
    words = (
        "swaks",
        *("--server", f"127.0.0.1:{life.ports.submission}"),
        *("--auth", "PLAIN", "--auth-user", ALICE.mailbox, "--auth-password", ALICE.password),
        *("--from", ALICE.mailbox, "--to", to),
        *("--header", f"Subject: {subject}"),
        *("--body", "Hello from Alice"),
    )
    return shlex.join(words)
