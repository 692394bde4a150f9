"""Through the real daemon: nothing of the buyer reaches the seller, in whatever place and writing it was sent."""

import smtplib
from collections.abc import Iterator

import pytest

from tests.e2e.relay_env import RelayEnv, running_relay
from tests.support import leaks
from tests.support.daemon import BUYER, SELLER
from tests.support.leak_reader import found

HELO = "desktop-7q2.yamada-home.example"
MAC = "yamadas-macbook.local"
SIBLING = "hanako.office@second-home.example"
COLLEAGUE = "anyone@yamada-family.example"
NAME = "Hanako Yamada-Suzuki"
SECRETS = (BUYER, HELO, MAC, SIBLING, COLLEAGUE, NAME)
HEADER = (
    f"Received: from smtp7.private-isp.example ([192.0.2.77]) by {MAC}; Mon, 23 Nov 2026 01:00:00 +0000\r\n"
    f'From: "{NAME}" <{BUYER}>\r\nMessage-ID: <%s@{MAC}>\r\nMIME-Version: 1.0\r\nX-Originating-IP: [192.0.2.77]\r\n'
)


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayEnv]:
    """A daemon that adds no footer, and a buyer with another mailbox and a domain of her own."""
    with running_relay(tmp_path_factory.mktemp("relay"), marketplace="footer = false") as env:
        for address in (SIBLING, "@yamada-family.example"):
            env.relay.cli("sender", "add", "--role", "buyer", "--ref", "B1", address)
        yield env


def cases() -> Iterator[tuple[str, bytes]]:
    for secret in (BUYER, SIBLING, COLLEAGUE, HELO, MAC):
        yield from leaks.everywhere(secret)
    yield from leaks.part_headers(NAME)


def test_nothing_of_the_buyer_reaches_the_seller(env: RelayEnv) -> None:  # R-REW-01, R-REW-04
    sent = list(cases())
    with smtplib.SMTP("127.0.0.1", env.relay.mx, local_hostname=HELO) as client:
        for number, (_, rest) in enumerate(sent):
            client.sendmail(BUYER, [env.seller_alias], (HEADER % number).encode() + rest)
    env.drained()
    arrived = [received.content for received in env.sink.mails if SELLER in received.rcpt_to]
    # Policy returns the files of types that it does not take; texts, pages, headers and names of files are left.
    assert len(arrived) >= 400
    assert [hits for content in arrived if (hits := found(content, SECRETS))] == []


def test_a_mail_without_secrets_arrives_with_the_same_body(env: RelayEnv) -> None:  # R-REW-04
    bodies = [rest for _, rest in leaks.charset_texts("someone@third.example")]
    before = len(env.sink.mails)
    with smtplib.SMTP("127.0.0.1", env.relay.mx, local_hostname=HELO) as client:
        for number, rest in enumerate(bodies):
            client.sendmail(BUYER, [env.seller_alias], (HEADER % f"same{number}").encode() + rest)
    env.drained()
    arrived = {_body(received.content) for received in env.sink.mails[before:]}
    assert {_body(rest) for rest in bodies} <= arrived


def _body(content: bytes) -> bytes:
    return content.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")  # SMTP ends the last line
