"""The relay among the servers that a company has: Postfix in front, Postfix as smarthost, Dovecot for mailboxes."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage

import dkim
import pytest

from relay.edge import tls
from tests.e2e.relay_env import RelayEnv, read, running_relay
from tests.store.cluster import free_port
from tests.support.daemon import BUYER, SELLER
from tests.support.peers import BackgroundLoop, swaks, until
from tests.support.peers_servers import Dovecot, Postfix, home
from tests.support.sink import Sink

pytestmark = [
    pytest.mark.peer("postfix"),
    pytest.mark.peer("dovecot"),
    pytest.mark.peer("swaks"),
    pytest.mark.skipif(os.getuid() != 0, reason="Postfix is started by root"),
]

PASSWORD = "smarthost-secret"


@dataclass
class Company:
    """`by_lmtp` and `by_smtp` are Postfix listeners in front of the relay."""

    env: RelayEnv
    postfix: Postfix
    dovecot: Dovecot
    by_lmtp: int
    by_smtp: int


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """Mail to buyers leaves by Postfix as smarthost, mail to sellers goes to Dovecot."""
    with ExitStack() as stack:
        directory = tmp_path_factory.mktemp("relay")
        dovecot = Dovecot(stack.enter_context(home()), password=PASSWORD)
        stack.callback(dovecot.stop)
        smarthost = free_port()
        certificate, _ = tls.make_self_signed(directory / "mta", ["localhost"])
        (directory / "password").write_text(PASSWORD + "\n")
        delivery = f"""
            ca_file = "{certificate}"
            [[delivery.route]]
            domain = "phone.example"
            host = "localhost"
            port = {smarthost}
            tls = "required"
            username = "relay"
            password_file = "{directory / "password"}"
            [[delivery.route]]
            domain = "pottery.example"
            host = "127.0.0.1"
            port = {dovecot.lmtp}
            protocol = "lmtp"
            tls = "none"
        """
        background = stack.enter_context(BackgroundLoop())
        sink = Sink()
        env = stack.enter_context(running_relay(directory, sink, background=background, delivery=delivery))
        by_lmtp, by_smtp = free_port(), free_port()
        settings = f"""
relay_domains = market.example
default_transport = smtp:[127.0.0.1]:{sink.port}
transport_maps = inline:{{{{ market.example=smtp:[127.0.0.1]:{env.relay.mx} }}}}
smtpd_tls_cert_file = {{home}}/cert.pem
smtpd_tls_key_file = {{home}}/key.pem
smtpd_sasl_type = dovecot
smtpd_sasl_path = {dovecot.home}/auth
smtp_tls_security_level = may
"""
        mta_home = stack.enter_context(home())
        for name in ("cert.pem", "key.pem"):
            (mta_home / name).write_bytes((directory / "mta" / name).read_bytes())
        logged_in = {
            "smtpd_tls_security_level": "encrypt",
            "smtpd_tls_auth_only": "yes",
            "smtpd_sasl_auth_enable": "yes",
            "smtpd_recipient_restrictions": "permit_sasl_authenticated,reject",
            "smtpd_relay_restrictions": "permit_sasl_authenticated,reject",
        }
        postfix = Postfix(
            mta_home,
            settings=settings,
            listeners={
                by_lmtp: {"content_filter": f"lmtp:[127.0.0.1]:{env.relay.lmtp}"},
                by_smtp: {"content_filter": f"smtp:[127.0.0.1]:{env.relay.mx}"},
                smarthost: logged_in,
            },
        )
        stack.callback(postfix.stop)
        yield Company(env=env, postfix=postfix, dovecot=dovecot, by_lmtp=by_lmtp, by_smtp=by_smtp)


def _in_mailbox(company: Company, address: str, subject: str) -> EmailMessage:
    def found() -> list[EmailMessage]:
        mails = [message_from_bytes(one, policy=policy.default) for one in company.dovecot.mails(address)]
        return [mail for mail in mails if mail["Subject"] == subject]

    return until(found)[0]


# R-IN-01, R-OUT-01
@pytest.mark.parametrize("door", ["by_lmtp", "by_smtp"])
def test_postfix_in_front_hands_over_and_dovecot_keeps_what_the_relay_sends(company: Company, door: str) -> None:
    env = company.env
    heard = swaks(getattr(company, door), mail_from=BUYER, to=env.seller_alias, subject=f"In front {door}")
    heard.shows("S: 250 2.0.0 Ok: queued as *")
    mail = _in_mailbox(company, SELLER, f"In front {door}")
    assert env.buyer_alias in mail["From"]
    assert "company.example" not in mail.as_string()
    assert BUYER not in mail.as_string()
    assert mail["Return-Path"].startswith("<b.")


# R-IN-05, R-ADR-07
def test_behind_postfix_one_unknown_recipient_does_not_lose_the_other(company: Company) -> None:
    env = company.env
    unknown = "a" * 16 + "@market.example"
    swaks(company.by_lmtp, mail_from=BUYER, to=f"{env.seller_alias},{unknown}", subject="One of two")
    assert _in_mailbox(company, SELLER, "One of two")
    bounce = env.mail(BUYER, "Undelivered")
    assert "550 5.1.1 Address unknown" in bounce.content.decode()
    assert unknown in bounce.content.decode()


# R-OUT-01: TLS is verified, the login is done under it
def test_postfix_as_smarthost_takes_mail_after_login_over_verified_tls(company: Company) -> None:
    env = company.env
    heard = swaks(env.relay.mx, mail_from=SELLER, to=env.buyer_alias, subject="By the smarthost")
    mail = read(env.mail(BUYER, "By the smarthost"))
    assert env.seller_alias in mail["From"]
    env.becomes(heard.record_id, "accepted")
    (accepted,) = (
        e for e in env.ask(lambda store: store.records.history(heard.record_id)) if str(e.type) == "accepted"
    )
    assert accepted.data["tls"].startswith("TLSv1.")
    assert "sasl_method=PLAIN, sasl_username=relay" in company.postfix.log()


# R-OUT-04, R-OUT-05: Postfix's own report finds back to its message and is translated
def test_what_the_smarthost_bounces_later_is_told_to_the_writer_in_his_thread(company: Company) -> None:
    env, buyer, seller = company.env, "left.town@phone.example", "asks@pottery.example"
    pair = env.add_pair(buyer, seller)
    env.sink.say("rcpt", f"550 5.1.1 <{buyer}>: user unknown at mailhost.phone.example", to=buyer)
    heard = swaks(
        env.relay.mx,
        "--h-Message-Id",
        "<asked@pottery.example>",
        mail_from=seller,
        to=pair.buyer.alias.address,
        subject="Are you there",
    )
    env.becomes(heard.record_id, "bounced")
    assert "accepted" in env.events(heard.record_id)
    notice = until(lambda: company.dovecot.mails(seller))[0].decode()
    assert "<asked@pottery.example>" in notice
    assert "X-Relay-Reason: mailbox_unknown" in notice
    for secret in ("left.town", "phone.example", "company.example"):
        assert secret not in notice, notice


# R-REW-10: what servers on the way do to a mail does not break its signature
def test_the_signatures_hold_after_postfix_passed_the_mail_on(company: Company) -> None:
    env = company.env
    swaks(env.relay.mx, mail_from=SELLER, to=env.buyer_alias, subject="Signed")
    received = env.mail(BUYER, "Signed")
    published = {record["name"]: record["value"].encode() for record in env.relay.cli("keys", "records")}
    signed = dkim.DKIM(received.content)
    assert received.content.count(b"DKIM-Signature:") == 2
    for index in range(2):
        assert signed.verify(idx=index, dnsfunc=lambda name, **_: published[name.decode().rstrip(".")])
