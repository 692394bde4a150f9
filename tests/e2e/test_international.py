"""International and odd addresses, and 8-bit text, by way of a real Postfix that offers all, less, or least."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from email import message_from_bytes, policy

import dkim
import pytest

from tests.e2e.scene import Scene, played, read
from tests.store.cluster import free_port
from tests.support.daemon import SELLER
from tests.support.peers import Aside, swaks, until
from tests.support.peers_servers import Postfix, home
from tests.support.sink import Letter, Sink

pytestmark = [
    pytest.mark.peer("postfix"),
    pytest.mark.peer("swaks"),
    pytest.mark.skipif(os.getuid() != 0, reason="Postfix is started by root"),
]

_LESS = {"all.example": "", "less.example": "smtputf8", "least.example": "smtputf8,8bitmime"}
"""Domains by what their server does not offer."""
_ROUTE = '[[delivery.route]]\ndomain = "{}"\nhost = "127.0.0.1"\nport = {}\ntls = "none"\n'


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with ExitStack() as stack:
        aside = stack.enter_context(Aside())
        ports = {domain: free_port() for domain in _LESS}
        sink = Sink(port=free_port())
        scene = stack.enter_context(
            played(
                tmp_path_factory.mktemp("relay"),
                sink,
                aside=aside,
                delivery="\n".join(_ROUTE.format(domain, port) for domain, port in ports.items())
                + _ROUTE.format("xn--r8jz45g.example", ports["all.example"])
                + _ROUTE.format("xn--r8jz45g.less.example", ports["less.example"])
                + _ROUTE.format("*", sink.port),
            )
        )
        postfix = Postfix(
            stack.enter_context(home()),
            settings=f"default_transport = smtp:[127.0.0.1]:{sink.port}\nsmtputf8_enable = yes\n",
            doors={
                port: {
                    "smtpd_discard_ehlo_keywords": _LESS[domain],
                    "smtpd_relay_restrictions": "permit_mynetworks,reject",
                }
                for domain, port in ports.items()
            },
        )
        stack.callback(postfix.stop)
        yield scene


def _letter(scene: Scene, subject: str) -> Letter:
    """The first that is no notice."""
    return until(
        lambda: [one for one in scene.sink.letters if one.mail_from and subject in (read(one)["Subject"] or "")]
    )[0]


def _verifies(scene: Scene, content: bytes) -> bool:
    keys = {one["name"]: one["value"].encode() for one in scene.relay.cli("keys", "records") if one["type"] == "TXT"}
    fields = message_from_bytes(content, policy=policy.compat32).get_all("DKIM-Signature", [])
    return len(fields) == 2 and all(
        dkim.DKIM(content).verify(idx=index, dnsfunc=lambda name, timeout=5: keys[name.decode().rstrip(".")])
        for index in range(2)
    )


# R-REW-10, R-REW-11
@pytest.mark.parametrize("domain", _LESS)
def test_8_bit_text_reads_the_same_whatever_the_server_offers_and_its_signatures_hold(
    scene: Scene, domain: str
) -> None:
    buyer = f"reads@{domain}"
    pair = scene.introduce(buyer, f"writes.to.{domain}@pottery.example")
    text = "Größe 10 cm, 絵付けの皿"
    mail = (
        f"From: writes.to.{domain}@pottery.example\\nSubject: Eight {domain}\\nMIME-Version: 1.0\\n"
        f"Content-Type: text/plain; charset=utf-8\\nContent-Transfer-Encoding: 8bit\\n\\n{text}\\n"
    )
    heard = swaks(
        scene.relay.mx, "--data", mail, mail_from=f"writes.to.{domain}@pottery.example", to=pair.buyer.alias.address
    )
    letter = _letter(scene, f"Eight {domain}")
    # Postfix puts its trace field in front, where no signature looks.
    assert _verifies(scene, letter.content)
    assert text in read(letter).get_content()
    assert letter.content.isascii() == (domain == "least.example")
    scene.becomes(heard.record_id, "accepted")
    history = scene.relay.cli("message", "history", heard.record_id)
    (accepted,) = (one["data"] for one in history if one["type"] == "accepted" and "item" not in one["data"])
    assert accepted.get("downgraded", 0) == int(domain == "least.example")


# R-REW-11
def test_an_international_mailbox_gets_its_mail_where_the_server_takes_it(scene: Scene) -> None:
    pair = scene.introduce("花子@例え.example", "shop.one@pottery.example")
    heard = swaks(
        scene.relay.mx, mail_from="shop.one@pottery.example", to=pair.buyer.alias.address, subject="To Hanako"
    )
    letter = _letter(scene, "To Hanako")
    assert letter.rcpt_to == ["花子@xn--r8jz45g.example"]
    assert "SMTPUTF8" in letter.params
    assert "花子@".encode() in letter.content
    assert _verifies(scene, letter.content)
    scene.becomes(heard.record_id, "accepted")


# R-REW-11, R-OUT-05
def test_an_international_mailbox_behind_an_older_server_is_told_as_the_reason(scene: Scene) -> None:
    pair = scene.introduce("花子@less.example", "shop.two@pottery.example")
    heard = swaks(scene.relay.mx, mail_from="shop.two@pottery.example", to=pair.buyer.alias.address, subject="Too new")
    scene.becomes(heard.record_id, "bounced")
    notice = scene.letter("shop.two@pottery.example", "Too new")
    assert "X-Relay-Reason: smtputf8_unsupported" in notice.content.decode()
    assert "Status: 5.6.7" in notice.content.decode()
    assert "花子" not in str(read(notice))


# R-REW-11
def test_an_international_domain_alone_asks_nothing_of_the_server(scene: Scene) -> None:
    pair = scene.introduce("jiro@例え.less.example", "shop.three@pottery.example")
    swaks(scene.relay.mx, mail_from="shop.three@pottery.example", to=pair.buyer.alias.address, subject="To Jiro")
    letter = _letter(scene, "To Jiro")
    assert letter.rcpt_to == ["jiro@xn--r8jz45g.less.example"]
    assert read(letter)["To"] == "jiro@xn--r8jz45g.less.example"


# R-ADR-03
@pytest.mark.parametrize("local", ["ha..na", "hanako.", ".hanako", "ha.-_na"])
def test_the_odd_local_parts_of_carriers_cross_both_ways(scene: Scene, local: str) -> None:
    mailbox, seller = f"{local}@least.example", f"shop.{local.replace('.', 'x')}@pottery.example"
    pair = scene.introduce(mailbox, seller)
    swaks(scene.relay.mx, mail_from=seller, to=pair.buyer.alias.address, subject=f"Out {local}")
    letter = _letter(scene, f"Out {local}")
    quoted = local if local == "ha.-_na" else f'"{local}"'
    assert letter.rcpt_to == [f"{quoted}@least.example"]
    assert f"To: {quoted}@least.example".encode() in letter.content
    for number, written in enumerate((mailbox, f'"{local}"@least.example')):
        heard = swaks(scene.relay.mx, mail_from=written, to=pair.seller.alias.address, subject=f"Back{number} {local}")
        heard.shows("S: 250 2.0.0 *")
        answer = _letter(scene, f"Back{number} {local}")
        assert answer.rcpt_to == [seller]
        assert "least.example" not in answer.content.decode()


def test_the_scene_has_its_own_seller(scene: Scene) -> None:
    heard = swaks(scene.relay.mx, mail_from=SELLER, to=scene.buyer_alias, subject="Plain")
    _letter(scene, "Plain")
    scene.becomes(heard.record_id, "accepted")
