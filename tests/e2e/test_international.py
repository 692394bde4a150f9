"""International and odd addresses, and 8-bit text, by way of a real Postfix that offers all, less, or least."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from email import message_from_bytes, policy

import dkim
import pytest

from tests.e2e.relay_env import RelayEnv, read, running_relay
from tests.store.cluster import free_port
from tests.support.daemon import SELLER
from tests.support.peers import BackgroundLoop, swaks, until
from tests.support.peers_servers import Postfix, home
from tests.support.sink import ReceivedMail, Sink

pytestmark = [
    pytest.mark.peer("postfix"),
    pytest.mark.peer("swaks"),
    pytest.mark.skipif(os.getuid() != 0, reason="Postfix is started by root"),
]

_LESS = {"all.example": "", "less.example": "smtputf8", "least.example": "smtputf8,8bitmime"}
"""Domains by what their server does not offer."""
_ROUTE = '[[delivery.route]]\ndomain = "{}"\nhost = "127.0.0.1"\nport = {}\ntls = "none"\n'


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayEnv]:
    with ExitStack() as stack:
        background = stack.enter_context(BackgroundLoop())
        ports = {domain: free_port() for domain in _LESS}
        sink = Sink(port=free_port())
        env = stack.enter_context(
            running_relay(
                tmp_path_factory.mktemp("relay"),
                sink,
                background=background,
                delivery="\n".join(_ROUTE.format(domain, port) for domain, port in ports.items())
                + _ROUTE.format("xn--r8jz45g.example", ports["all.example"])
                + _ROUTE.format("xn--r8jz45g.less.example", ports["less.example"])
                + _ROUTE.format("*", sink.port),
            )
        )
        postfix = Postfix(
            stack.enter_context(home()),
            settings=f"default_transport = smtp:[127.0.0.1]:{sink.port}\nsmtputf8_enable = yes\n",
            listeners={
                port: {
                    "smtpd_discard_ehlo_keywords": _LESS[domain],
                    "smtpd_relay_restrictions": "permit_mynetworks,reject",
                }
                for domain, port in ports.items()
            },
        )
        stack.callback(postfix.stop)
        yield env


def _letter(env: RelayEnv, subject: str) -> ReceivedMail:
    """The first that is no notice."""
    return until(lambda: [one for one in env.sink.mails if one.mail_from and subject in (read(one)["Subject"] or "")])[
        0
    ]


def _verifies(env: RelayEnv, content: bytes) -> bool:
    keys = {one["name"]: one["value"].encode() for one in env.relay.cli("keys", "records") if one["type"] == "TXT"}
    fields = message_from_bytes(content, policy=policy.compat32).get_all("DKIM-Signature", [])
    return len(fields) == 2 and all(
        dkim.DKIM(content).verify(idx=index, dnsfunc=lambda name, timeout=5: keys[name.decode().rstrip(".")])
        for index in range(2)
    )


# R-REW-10, R-REW-11
@pytest.mark.parametrize("domain", _LESS)
def test_8_bit_text_reads_the_same_whatever_the_server_offers_and_its_signatures_hold(
    env: RelayEnv, domain: str
) -> None:
    buyer = f"reads@{domain}"
    pair = env.add_pair(buyer, f"writes.to.{domain}@pottery.example")
    text = "Größe 10 cm, 絵付けの皿"
    mail = (
        f"From: writes.to.{domain}@pottery.example\\nSubject: Eight {domain}\\nMIME-Version: 1.0\\n"
        f"Content-Type: text/plain; charset=utf-8\\nContent-Transfer-Encoding: 8bit\\n\\n{text}\\n"
    )
    heard = swaks(
        env.relay.mx, "--data", mail, mail_from=f"writes.to.{domain}@pottery.example", to=pair.buyer.alias.address
    )
    received = _letter(env, f"Eight {domain}")
    # Postfix puts its trace field in front, where no signature looks.
    assert _verifies(env, received.content)
    assert text in read(received).get_content()
    assert received.content.isascii() == (domain == "least.example")
    env.becomes(heard.record_id, "accepted")
    history = env.relay.cli("message", "history", heard.record_id)
    (accepted,) = (one["data"] for one in history if one["type"] == "accepted" and "item" not in one["data"])
    assert accepted.get("downgraded", 0) == int(domain == "least.example")


# R-REW-11
def test_an_international_mailbox_gets_its_mail_where_the_server_takes_it(env: RelayEnv) -> None:
    pair = env.add_pair("花子@例え.example", "shop.one@pottery.example")
    heard = swaks(env.relay.mx, mail_from="shop.one@pottery.example", to=pair.buyer.alias.address, subject="To Hanako")
    received = _letter(env, "To Hanako")
    assert received.rcpt_to == ["花子@xn--r8jz45g.example"]
    assert "SMTPUTF8" in received.params
    assert "花子@".encode() in received.content
    assert _verifies(env, received.content)
    env.becomes(heard.record_id, "accepted")


# R-REW-11, R-OUT-05
def test_an_international_mailbox_behind_an_older_server_is_told_as_the_reason(env: RelayEnv) -> None:
    pair = env.add_pair("花子@less.example", "shop.two@pottery.example")
    heard = swaks(env.relay.mx, mail_from="shop.two@pottery.example", to=pair.buyer.alias.address, subject="Too new")
    env.becomes(heard.record_id, "bounced")
    notice = env.mail("shop.two@pottery.example", "Too new")
    assert "X-Relay-Reason: smtputf8_unsupported" in notice.content.decode()
    assert "Status: 5.6.7" in notice.content.decode()
    assert "花子" not in str(read(notice))


# R-REW-11
def test_an_international_domain_alone_asks_nothing_of_the_server(env: RelayEnv) -> None:
    pair = env.add_pair("jiro@例え.less.example", "shop.three@pottery.example")
    swaks(env.relay.mx, mail_from="shop.three@pottery.example", to=pair.buyer.alias.address, subject="To Jiro")
    received = _letter(env, "To Jiro")
    assert received.rcpt_to == ["jiro@xn--r8jz45g.less.example"]
    assert read(received)["To"] == "jiro@xn--r8jz45g.less.example"


# R-ADR-03
@pytest.mark.parametrize("local", ["ha..na", "hanako.", ".hanako", "ha.-_na"])
def test_the_odd_local_parts_of_carriers_cross_both_ways(env: RelayEnv, local: str) -> None:
    mailbox, seller = f"{local}@least.example", f"shop.{local.replace('.', 'x')}@pottery.example"
    pair = env.add_pair(mailbox, seller)
    swaks(env.relay.mx, mail_from=seller, to=pair.buyer.alias.address, subject=f"Out {local}")
    received = _letter(env, f"Out {local}")
    quoted = local if local == "ha.-_na" else f'"{local}"'
    assert received.rcpt_to == [f"{quoted}@least.example"]
    assert f"To: {quoted}@least.example".encode() in received.content
    for number, written in enumerate((mailbox, f'"{local}"@least.example')):
        heard = swaks(env.relay.mx, mail_from=written, to=pair.seller.alias.address, subject=f"Back{number} {local}")
        heard.shows("S: 250 2.0.0 *")
        answer = _letter(env, f"Back{number} {local}")
        assert answer.rcpt_to == [seller]
        assert "least.example" not in answer.content.decode()


def test_the_scene_has_its_own_seller(env: RelayEnv) -> None:
    heard = swaks(env.relay.mx, mail_from=SELLER, to=env.buyer_alias, subject="Plain")
    _letter(env, "Plain")
    env.becomes(heard.record_id, "accepted")
