"""Who writes without a login, told by DNS: the real daemon, a name server, and mail from anywhere."""

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dns.name
import pytest

from tests.e2e.scene import Scene, played, read
from tests.support.daemon import BUYER, FRONT, SELLER
from tests.support.dns import MiniDns
from tests.support.peers import Aside
from tests.support.signing import record, rsa_key, sealed, signed

OUTSIDE = "203.0.113.7"
ELSEWHERE = "203.0.113.99"
KEY = record(rsa_key()).decode()
ZONE = f"""
pottery.example. 60 IN TXT "v=spf1 ip4:{OUTSIDE} -all"
_dmarc.pottery.example. 60 IN TXT "v=DMARC1; p=none"
flaky.example. 60 IN TXT "v=spf1 ip4:{OUTSIDE} -all"
s._domainkey.pottery.example. 60 IN TXT "{KEY[:200]}" "{KEY[200:]}"
s._domainkey.list.example. 60 IN TXT "{KEY[:200]}" "{KEY[200:]}"
"""
AUTHENTICATION = 'verify = true\ntrusted_sealers = ["list.example"]'


@dataclass
class World:
    scene: Scene
    names: MiniDns

    def send(self, content: bytes, *, mail_from: str, to: str, client_ip: str = OUTSIDE) -> tuple[int, str]:
        """As a host outside would: the answer to the data."""
        with smtplib.SMTP("127.0.0.1", self.scene.relay.mx, source_address=(FRONT, 0), timeout=60) as smtp:
            smtp.ehlo("front.example")
            assert smtp.docmd("XCLIENT", f"ADDR={client_ip} HELO=mx.outside.example")[0] == 220
            smtp.ehlo("mx.outside.example")
            assert smtp.mail(mail_from)[0] == 250
            assert smtp.rcpt(to)[0] == 250
            code, text = smtp.data(content)
        return code, text.decode()

    def newest(self) -> Any:
        """The newest record, as the operator sees it."""
        (line, *_) = self.scene.relay.cli("message", "list")
        return self.scene.relay.cli("message", "show", line["id"])


def mail(writer: str, subject: str) -> bytes:
    return f"From: {writer}\r\nTo: alias@market.example\r\nSubject: {subject}\r\n\r\n{subject}\r\n".encode()


@contextmanager
def opened(directory: Path, marketplace: str = "") -> Iterator[World]:
    with Aside() as aside:
        names = aside.enter(MiniDns(ZONE))
        with played(
            directory,
            aside=aside,
            authentication=AUTHENTICATION,
            marketplace=marketplace,
            extra=f'\n[dns]\nservers = ["127.0.0.1"]\nport = {names.port}\ntimeout_s = 2\n',
        ) as scene:
            yield World(scene=scene, names=names)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with opened(tmp_path_factory.mktemp("relay")) as world:
        yield world


# R-IN-08, R-IN-09
def test_mail_that_spf_proves_is_relayed_and_the_results_are_in_the_record(world: World) -> None:
    code, said = world.send(mail(SELLER, "By SPF"), mail_from=SELLER, to=world.scene.buyer_alias)
    assert code == 250
    assert "recorded and queued" in said
    world.scene.letter(BUYER, "By SPF")
    shown = world.newest()
    assert shown["detail"]["authentication"] == ["spf=pass", "dkim=none", "arc=none", "dmarc=pass"]
    assert shown["detail"]["proof"] == "aligned"


# R-IN-09
def test_mail_that_a_signature_proves_is_relayed_whoever_hands_it_in(world: World) -> None:
    content = signed(mail(SELLER, "By DKIM"), domain="pottery.example")
    code, _ = world.send(content, mail_from="x@elsewhere.example", to=world.scene.buyer_alias, client_ip=ELSEWHERE)
    assert code == 250
    world.scene.letter(BUYER, "By DKIM")
    assert "dkim=pass" in world.newest()["detail"]["authentication"]


# R-IN-09
def test_mail_that_a_believed_list_has_changed_and_sealed_is_relayed(world: World) -> None:
    content = sealed(mail(SELLER, "By ARC"), domain="list.example", results="dmarc=pass header.from=pottery.example")
    code, _ = world.send(content, mail_from="list@list.example", to=world.scene.buyer_alias, client_ip=ELSEWHERE)
    assert code == 250
    world.scene.letter(BUYER, "By ARC")


# R-IN-09, R-UI-11
def test_a_reload_changes_who_is_believed_and_says_what_waits_for_a_restart(world: World) -> None:
    relay = world.scene.relay
    content = sealed(mail(SELLER, "Believed"), domain="list.example", results="dmarc=pass header.from=pottery.example")

    def handed_in(authentication: str, extra: str = "") -> int:
        """What is answered once the daemon has read that."""
        relay.authentication, relay.extra = authentication, world_extra + extra
        relay.configure()
        world.scene.reload()
        to = world.scene.buyer_alias
        return world.send(content, mail_from="list@list.example", to=to, client_ip=ELSEWHERE)[0]

    world_extra = relay.extra
    assert handed_in("verify = true") == 550
    assert "waits_for_restart" not in relay.log()
    assert handed_in(AUTHENTICATION, "\n[log]\nlevel = 'debug'\n[notices]\ndigest_s = 7\n") == 250
    assert '"waits_for_restart": ["notices", "log"]' in relay.log()
    relay.extra = world_extra
    relay.configure()
    world.scene.reload()


# R-IN-09, R-REC-01
@pytest.mark.parametrize("writer", [SELLER, "nobody@pottery.example"])
def test_a_forged_from_is_refused_recorded_and_told_to_nobody(world: World, writer: str) -> None:
    code, said = world.send(mail(writer, "Forged"), mail_from=writer, to=world.scene.buyer_alias, client_ip=ELSEWHERE)
    assert code == 550
    assert said.startswith("5.7.26")
    assert "dmarc_failed" in said
    shown = world.newest()
    assert shown["state"] == "refused"
    assert [reason["code"] for reason in shown["detail"]["reasons"]] == ["dmarc_failed"]
    assert {"spf=fail", "dmarc=fail"} <= set(shown["detail"]["authentication"])
    world.scene.drained()
    assert not [one for one in world.scene.sink.letters if "Forged" in (read(one)["Subject"] or "")]
    assert not [one for one in world.scene.sink.letters if b"Forged" in one.content]


# R-SND-02
def test_a_proven_address_that_nobody_listed_waits_for_the_owner(world: World) -> None:
    clerk = "clerk@pottery.example"
    code, said = world.send(mail(clerk, "From the clerk"), mail_from=clerk, to=world.scene.buyer_alias)
    assert code == 250
    assert "sender_pending" in said
    assert world.newest()["state"] == "held"
    world.scene.relay.cli("sender", "add", "--role", "seller", "--ref", "S1", clerk)
    world.scene.letter(BUYER, "From the clerk")


# R-ADR-07
def test_an_unproven_address_that_nobody_listed_is_a_strangers(world: World) -> None:
    stranger = "someone@elsewhere.example"
    code, said = world.send(mail(stranger, "Hello"), mail_from=stranger, to=world.scene.buyer_alias)
    assert code == 550
    assert said.startswith("5.1.1")


# R-IN-08
def test_while_dns_fails_mail_is_put_off_and_nothing_is_recorded(world: World) -> None:
    flaky = dns.name.from_text("flaky.example.")
    writer = "owner@flaky.example"
    world.scene.relay.cli("sender", "add", "--role", "seller", "--ref", "S1", writer)
    before = world.newest()["id"]
    world.names.servfail.add(flaky)
    code, said = world.send(mail(writer, "Put off"), mail_from=writer, to=world.scene.buyer_alias)
    assert code == 451
    assert said.startswith("4.")
    assert world.newest()["id"] == before
    world.names.servfail.remove(flaky)
    code, _ = world.send(mail(writer, "Put off"), mail_from=writer, to=world.scene.buyer_alias)
    assert code == 250
    world.scene.letter(BUYER, "Put off")


# R-IN-09
def test_without_proof_and_record_an_approved_address_is_held_for_confirmation(world: World) -> None:
    code, said = world.send(mail(BUYER, "Unproven"), mail_from=BUYER, to=world.scene.seller_alias)
    assert code == 250
    assert "sender_unproven" in said
    assert world.newest()["detail"]["authentication"] == ["spf=none", "dkim=none", "arc=none", "dmarc=none"]


# R-IN-09
@pytest.mark.parametrize(("fallback", "code"), [("refuse", 550), ("known_domain", 250)])
def test_other_fallbacks(tmp_path: Path, fallback: str, code: int) -> None:
    with opened(tmp_path, marketplace=f'authentication = "{fallback}"') as world:
        letter = {"to": world.scene.seller_alias, "client_ip": ELSEWHERE}
        assert world.send(mail(BUYER, "Fallback"), mail_from=BUYER, **letter)[0] == code
        assert world.send(mail(BUYER, "Another envelope"), mail_from="x@phone.example", **letter)[0] == 550
        forged = {"to": world.scene.buyer_alias, "client_ip": ELSEWHERE}
        assert world.send(mail(SELLER, "Forged"), mail_from=SELLER, **forged)[0] == 550


# R-POL-01
def test_a_simulation_sees_what_the_live_path_saw(world: World, tmp_path: Path) -> None:
    path = tmp_path / "mail.eml"
    path.write_bytes(mail(SELLER, "Simulated"))
    words = ("simulate", str(path), "--from", SELLER, "--to", world.scene.buyer_alias)
    (proven,) = world.scene.relay.cli(*words, "--client-ip", OUTSIDE, "--helo", "mx.outside.example")
    (forged,) = world.scene.relay.cli(*words, "--client-ip", ELSEWHERE)
    assert (proven["verdict"], forged["verdict"]) == ("relay", "refuse")
    assert forged["smtp_answer"].startswith("550 5.7.26")
