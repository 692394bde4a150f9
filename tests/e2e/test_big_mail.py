"""Big mail through the daemon: it waits on the disk unreadable, counts in one budget, and arrives whole (R-IN-06)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.relay_env import RelayEnv, running_relay
from tests.support.daemon import BUYER, DOMAIN, SELLER
from tests.support.dialogue import Dialogue
from tests.support.peers import until

LIMITS = "\n[limits]\nmessage_bytes = 1000000\nunread_bytes = 1000000\nbytes_times_recipients = 2000000\n"
SECRET = b"the glaze is made of ash"


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayEnv]:
    with running_relay(tmp_path_factory.mktemp("relay"), extra=LIMITS) as env:
        yield env


def begin(env: RelayEnv, client: Dialogue, mail_from: str, *rcpt_to: str) -> None:
    client.reply()
    lines = ("EHLO desk.example", f"MAIL FROM:<{mail_from}>", *(f"RCPT TO:<{to}>" for to in rcpt_to), "DATA")
    client.say(*lines)
    replies = [client.reply() for _ in lines]
    assert replies[-1].startswith("354"), replies
    client.send(f"From: {mail_from}\r\nSubject: About the glaze\r\n\r\n".encode())


def test_a_big_mail_waits_unreadable_takes_its_share_and_arrives_whole(env: RelayEnv) -> None:  # R-REC-04
    line = b"%s, and so on for a long time\r\n" % SECRET
    half = line * 9_000
    with Dialogue(env.relay.mx) as first, Dialogue(env.relay.mx) as second:
        begin(env, first, SELLER, env.buyer_alias)
        first.send(half)
        files = Path(f"/proc/{env.relay.process.pid}/fd") if env.relay.process else Path()
        (spool,) = until(lambda: [fd for fd in files.iterdir() if "(deleted)" in str(fd.readlink())])
        until(lambda: len(spool.read_bytes()) > 300_000)
        assert SECRET not in spool.read_bytes()
        begin(env, second, SELLER, env.buyer_alias)
        second.send(half * 2 + b".\r\n")
        assert second.reply().startswith("452 4.3.1")
        first.send(half + b".\r\n")
        assert first.reply().startswith("250")
    received = env.mail(BUYER, "About the glaze")
    assert received.content.count(SECRET) == 18_000
    stored = b"".join(path.read_bytes() for path in env.relay.directory.rglob("*") if path.is_file())
    assert SECRET not in stored


def test_a_mail_of_a_stranger_to_the_operator_is_not_multiplied(env: RelayEnv) -> None:  # R-IN-10
    addresses = [f"postmaster+{number}@{DOMAIN}" for number in range(100)]
    for size_bytes, code in ((900_000, "452 4.5.3"), (10_000, "250 2.0.0")):
        with Dialogue(env.relay.mx) as client:
            begin(env, client, "x@elsewhere.example", *addresses)
            client.send(b"y" * size_bytes + b"\r\n.\r\n")
            assert client.reply().startswith(code)
    env.drained()
    assert len(env.mails("ops@operator.example")) == 1
