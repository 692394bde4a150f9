"""Who writes without a login, told by DNS: the real daemon, a name server, and mail from anywhere."""

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dns.name
import pytest

from tests.e2e.relay_env import RelayEnv, read, running_relay
from tests.support.daemon import BUYER, FRONT, SELLER
from tests.support.dns import MiniDns
from tests.support.peers import BackgroundLoop
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

REVEAL = ("--reveal", "--case", "C-7", "--reason", "a parcel went astray")


@dataclass
class DnsEnv:
    env: RelayEnv
    names: MiniDns

    def send(self, content: bytes, *, mail_from: str, to: str, client_ip: str = OUTSIDE) -> tuple[int, str]:
        """As a host outside would: the answer to the data."""
        with smtplib.SMTP("127.0.0.1", self.env.relay.mx, source_address=(FRONT, 0), timeout=60) as smtp:
            smtp.ehlo("front.example")
            assert smtp.docmd("XCLIENT", f"ADDR={client_ip} HELO=mx.outside.example")[0] == 220
            smtp.ehlo("mx.outside.example")
            assert smtp.mail(mail_from)[0] == 250
            assert smtp.rcpt(to)[0] == 250
            code, text = smtp.data(content)
        return code, text.decode()

    def newest(self) -> Any:
        """The newest record, as the operator sees it."""
        (line, *_) = self.env.relay.cli("message", "list")
        return self.env.relay.cli("message", "show", line["id"])


def mail(writer: str, subject: str, to: str = "alias@market.example") -> bytes:
    return f"From: {writer}\r\nTo: {to}\r\nSubject: {subject}\r\n\r\n{subject}\r\n".encode()


@contextmanager
def opened(directory: Path, marketplace: str = "") -> Iterator[DnsEnv]:
    with BackgroundLoop() as background:
        names = background.enter(MiniDns(ZONE))
        with running_relay(
            directory,
            background=background,
            authentication=AUTHENTICATION,
            marketplace=marketplace,
            extra=f'\n[dns]\nservers = ["127.0.0.1"]\nport = {names.port}\ntimeout_s = 2\n',
        ) as env:
            yield DnsEnv(env=env, names=names)


@pytest.fixture(scope="module")
def dns_env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DnsEnv]:
    with opened(tmp_path_factory.mktemp("relay")) as dns_env:
        yield dns_env


# R-IN-08, R-IN-09
def test_mail_that_spf_proves_is_relayed_and_the_results_are_in_the_record(dns_env: DnsEnv) -> None:
    code, said = dns_env.send(mail(SELLER, "By SPF"), mail_from=SELLER, to=dns_env.env.buyer_alias)
    assert code == 250
    assert "recorded and queued" in said
    dns_env.env.mail(BUYER, "By SPF")
    shown = dns_env.newest()
    assert shown["detail"]["authentication"] == ["spf=pass", "dkim=none", "arc=none", "dmarc=pass"]
    assert shown["detail"]["proof"] == "aligned"


# R-IN-09
def test_mail_that_a_signature_proves_is_relayed_whoever_hands_it_in(dns_env: DnsEnv) -> None:
    content = signed(mail(SELLER, "By DKIM", dns_env.env.buyer_alias), domain="pottery.example")
    code, _ = dns_env.send(content, mail_from="x@elsewhere.example", to=dns_env.env.buyer_alias, client_ip=ELSEWHERE)
    assert code == 250
    dns_env.env.mail(BUYER, "By DKIM")
    assert "dkim=pass" in dns_env.newest()["detail"]["authentication"]
    again = {"mail_from": "x@elsewhere.example", "to": dns_env.env.buyer_alias, "client_ip": ELSEWHERE}
    code, said = dns_env.send(content, **again)
    assert (code, said.endswith("recorded, not delivered (duplicate)")) == (250, True)
    code, said = dns_env.send(b"Subject: pay 500 EUR\r\n" + content, **again)
    assert (code, "(sender_unproven)" in said) == (550, True)


# R-IN-09
def test_a_signing_domain_is_confirmed_by_command(dns_env: DnsEnv) -> None:
    party = ("--role", "seller", "--ref", "S1")
    content = signed(mail(SELLER, "Not named"), domain="pottery.example")
    given = {"mail_from": "x@elsewhere.example", "to": dns_env.env.buyer_alias, "client_ip": ELSEWHERE}
    assert dns_env.send(content, **given)[0] == 550
    done = dns_env.env.relay.cli("sender", "confirm-domain", *party, "Pottery.Example")
    assert (done["confirmed"], done["changed"]) == (True, True)
    dns_env.env.mail(BUYER, "Not named")
    assert dns_env.env.relay.cli("sender", "domains", *party, *REVEAL) == [{"domain": "pottery.example"}]
    assert dns_env.send(signed(mail(SELLER, "Now"), domain="pottery.example"), **given)[0] == 250
    undone = dns_env.env.relay.cli("sender", "confirm-domain", *party, "pottery.example", "--undo")
    assert (undone["confirmed"], undone["changed"]) == (False, True)
    assert dns_env.env.relay.cli("sender", "domains", *party)["confirmed"] == 0


# R-IN-09
def test_mail_that_a_believed_list_has_changed_and_sealed_is_relayed(dns_env: DnsEnv) -> None:
    content = sealed(mail(SELLER, "By ARC"), domain="list.example", results="dmarc=pass header.from=pottery.example")
    code, _ = dns_env.send(content, mail_from="list@list.example", to=dns_env.env.buyer_alias, client_ip=ELSEWHERE)
    assert code == 250
    dns_env.env.mail(BUYER, "By ARC")


# R-IN-09, R-UI-11
def test_a_reload_changes_who_is_believed_and_says_what_waits_for_a_restart(dns_env: DnsEnv) -> None:
    relay = dns_env.env.relay
    content = sealed(mail(SELLER, "Believed"), domain="list.example", results="dmarc=pass header.from=pottery.example")

    def handed_in(authentication: str, extra: str = "") -> int:
        """What is answered once the daemon has read that."""
        relay.authentication, relay.extra = authentication, extra_before + extra
        relay.configure()
        dns_env.env.reload()
        to = dns_env.env.buyer_alias
        return dns_env.send(content, mail_from="list@list.example", to=to, client_ip=ELSEWHERE)[0]

    extra_before = relay.extra
    assert handed_in("verify = true") == 550
    assert "waits_for_restart" not in relay.log()
    assert handed_in(AUTHENTICATION, "\n[log]\nlevel = 'debug'\n[notices]\ndigest_s = 7\n") == 250
    assert '"waits_for_restart":["notices","log"]' in relay.log()
    relay.extra = extra_before
    relay.configure()
    dns_env.env.reload()


# R-IN-09, R-REC-01
@pytest.mark.parametrize("writer", [SELLER, "nobody@pottery.example"])
def test_a_forged_from_is_refused_recorded_and_told_to_nobody(dns_env: DnsEnv, writer: str) -> None:
    code, said = dns_env.send(mail(writer, "Forged"), mail_from=writer, to=dns_env.env.buyer_alias, client_ip=ELSEWHERE)
    assert code == 550
    assert said.startswith("5.7.26")
    assert "dmarc_failed" in said
    shown = dns_env.newest()
    assert shown["state"] == "refused"
    assert [reason["code"] for reason in shown["detail"]["reasons"]] == ["dmarc_failed"]
    assert {"spf=fail", "dmarc=fail"} <= set(shown["detail"]["authentication"])
    dns_env.env.drained()
    assert not [one for one in dns_env.env.sink.mails if "Forged" in (read(one)["Subject"] or "")]
    assert not [one for one in dns_env.env.sink.mails if b"Forged" in one.content]


# R-SND-02
def test_a_proven_address_that_nobody_listed_waits_for_the_owner(dns_env: DnsEnv) -> None:
    clerk = "clerk@pottery.example"
    code, said = dns_env.send(mail(clerk, "From the clerk"), mail_from=clerk, to=dns_env.env.buyer_alias)
    assert code == 250
    assert "sender_pending" in said
    assert dns_env.newest()["state"] == "held"
    dns_env.env.relay.cli("sender", "add", "--role", "seller", "--ref", "S1", clerk)
    dns_env.env.mail(BUYER, "From the clerk")


# R-IN-09
def test_an_unproven_address_hears_the_same_whether_it_is_listed_or_not(dns_env: DnsEnv) -> None:
    to = dns_env.env.seller_alias
    stranger = "someone@elsewhere.example"
    answers = {dns_env.send(mail(one, "Hello"), mail_from=one, to=to) for one in (stranger, BUYER)}
    assert len(answers) == 1
    assert answers.pop()[1].startswith("5.7.1 We cannot verify")


# R-IN-08
def test_while_dns_fails_mail_is_put_off_and_nothing_is_recorded(dns_env: DnsEnv) -> None:
    flaky = dns.name.from_text("flaky.example.")
    writer = "owner@flaky.example"
    dns_env.env.relay.cli("sender", "add", "--role", "seller", "--ref", "S1", writer)
    before = dns_env.newest()["id"]
    dns_env.names.servfail.add(flaky)
    code, said = dns_env.send(mail(writer, "Put off"), mail_from=writer, to=dns_env.env.buyer_alias)
    assert code == 451
    assert said.startswith("4.")
    assert dns_env.newest()["id"] == before
    dns_env.names.servfail.remove(flaky)
    code, _ = dns_env.send(mail(writer, "Put off"), mail_from=writer, to=dns_env.env.buyer_alias)
    assert code == 250
    dns_env.env.mail(BUYER, "Put off")


# R-IN-09
def test_without_proof_and_record_an_approved_address_is_held_for_confirmation(dns_env: DnsEnv) -> None:
    code, said = dns_env.send(mail(BUYER, "Unproven"), mail_from=BUYER, to=dns_env.env.seller_alias)
    assert code == 550
    assert "sender_unproven" in said
    assert dns_env.newest()["state"] == "held"
    assert dns_env.newest()["detail"]["authentication"] == ["spf=none", "dkim=none", "arc=none", "dmarc=none"]


# R-IN-09
@pytest.mark.parametrize(("fallback", "code"), [("refuse", 550), ("known_domain", 250)])
def test_other_fallbacks(tmp_path: Path, fallback: str, code: int) -> None:
    with opened(tmp_path, marketplace=f'authentication = "{fallback}"') as dns_env:
        received = {"to": dns_env.env.seller_alias, "client_ip": ELSEWHERE}
        assert dns_env.send(mail(BUYER, "Fallback"), mail_from=BUYER, **received)[0] == code
        assert dns_env.send(mail(BUYER, "Another envelope"), mail_from="x@phone.example", **received)[0] == 550
        forged = {"to": dns_env.env.buyer_alias, "client_ip": ELSEWHERE}
        assert dns_env.send(mail(SELLER, "Forged"), mail_from=SELLER, **forged)[0] == 550


# R-POL-01
def test_a_simulation_sees_what_the_live_path_saw(dns_env: DnsEnv, tmp_path: Path) -> None:
    path = tmp_path / "mail.eml"
    path.write_bytes(mail(SELLER, "Simulated"))
    words = ("simulate", str(path), "--from", SELLER, "--to", dns_env.env.buyer_alias)
    (proven,) = dns_env.env.relay.cli(*words, "--client-ip", OUTSIDE, "--helo", "mx.outside.example")
    (forged,) = dns_env.env.relay.cli(*words, "--client-ip", ELSEWHERE)
    assert (proven["verdict"], forged["verdict"]) == ("relay", "refuse")
    assert forged["smtp_answer"].startswith("550 5.7.26")
