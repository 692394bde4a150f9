"""The way out: finding the other server by DNS, waiting for it, and telling the writer what became of his mail."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from email import message_from_bytes

import dns.name
import pytest

from tests.e2e.relay_env import RelayEnv, read, running_relay
from tests.store.cluster import free_port
from tests.support.dns import MiniDns
from tests.support.peers import BackgroundLoop, Transcript, swaks, until
from tests.support.peers_servers import smtp_sink
from tests.support.sink import Sink

pytestmark = pytest.mark.peer("swaks")

_ZONE = """
market.example. MX 10 mx.market.example.
phone.example. MX 20 second.phone.example.
phone.example. MX 10 first.phone.example.
first.phone.example. A 127.0.0.11
second.phone.example. A 127.0.0.12
pottery.example. A 127.0.0.12
nomail.example. MX 0 .
away.example. MX 10 mail.away.example.
mail.away.example. A 127.0.0.13
"""


@dataclass
class DnsEnv:
    """A relay that finds its way by DNS and tries again after minutes only, unless it is told to."""

    env: RelayEnv
    names: MiniDns

    def write(self, buyer: str, subject: str) -> Transcript:
        pair = self.env.add_pair(buyer, f"seller.of.{buyer.partition('@')[0]}@pottery.example")
        return swaks(self.env.relay.mx, mail_from=_seller(buyer), to=pair.buyer.alias.address, subject=subject)


def _seller(buyer: str) -> str:
    return f"seller.of.{buyer.partition('@')[0]}@pottery.example"


@pytest.fixture(scope="module")
def dns_env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DnsEnv]:
    with ExitStack() as stack:
        background = stack.enter_context(BackgroundLoop())
        names = background.enter(MiniDns(_ZONE))
        port = free_port()
        env = stack.enter_context(
            running_relay(
                tmp_path_factory.mktemp("relay"),
                Sink(host="127.0.0.12", port=port),
                background=background,
                delivery=f"port = {port}\nroute = []",
                retry="first_s = 300\nlongest_s = 300\ndomain_back_off_s = 3",
                extra=f'\n[dns]\nservers = ["127.0.0.1"]\nport = {names.port}\ntimeout_s = 2\n',
            )
        )
        yield DnsEnv(env=env, names=names)


@pytest.fixture(scope="module")
def short_retry_env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayEnv]:
    """A relay that has no patience: what takes days elsewhere takes seconds."""
    retry = "first_s = 0.2\nlongest_s = 0.3\njitter = 0\ndelayed_notice_s = 0.5\nexpire_s = 2\ndomain_back_off_s = 0.1"
    with running_relay(tmp_path_factory.mktemp("relay"), retry=retry, delivery="poll_s = 0.1") as env:
        yield env


# R-OUT-01, RFC 5321 §5.1
def test_the_second_mx_gets_the_mail_when_the_first_is_down(dns_env: DnsEnv) -> None:
    heard = dns_env.write("by.mx@phone.example", "By the second MX")
    dns_env.env.mail("by.mx@phone.example", "By the second MX")
    dns_env.env.becomes(heard.record_id, "accepted")
    assert ("phone.example", "MX", "udp") in dns_env.names.queries


# R-OUT-01, RFC 5321 §5.1
def test_a_domain_without_mx_gets_its_mail_at_its_address(dns_env: DnsEnv) -> None:
    pair = dns_env.env.add_pair("writes@phone.example", "by.a@pottery.example")
    swaks(
        dns_env.env.relay.mx, mail_from="writes@phone.example", to=pair.seller.alias.address, subject="By the address"
    )
    dns_env.env.mail("by.a@pottery.example", "By the address")


# R-OUT-04, R-OUT-05, RFC 7505
@pytest.mark.parametrize("domain", ["nomail.example", "gone.example"])
def test_a_domain_that_takes_no_mail_is_told_to_the_writer_at_once(dns_env: DnsEnv, domain: str) -> None:
    buyer = f"nobody.{domain[:4]}@{domain}"
    heard = dns_env.write(buyer, f"To {domain[:4]}")
    notice = dns_env.env.mail(_seller(buyer), f"To {domain[:4]}").content.decode()
    assert "X-Relay-Reason: host_unknown" in notice
    assert domain not in notice
    dns_env.env.becomes(heard.record_id, "bounced")


# R-OUT-02: unknown is never taken for no
def test_mail_waits_while_dns_fails_and_a_flush_sends_it_once_it_is_mended(dns_env: DnsEnv) -> None:
    dns_env.names.load(_ZONE + "flaky.example. A 127.0.0.12\n")
    dns_env.names.servfail.add(dns.name.from_text("flaky.example."))
    heard = dns_env.write("waits@flaky.example", "After the fault")
    dns_env.env.becomes(heard.record_id, "deferred")
    dns_env.names.servfail.clear()
    flushed = dns_env.env.relay.cli("queue", "flush", "--destination", "flaky.example")
    assert flushed == {"flushed": 1}
    dns_env.env.mail("waits@flaky.example", "After the fault")
    dns_env.env.becomes(heard.record_id, "accepted")


# R-OUT-02, R-UI-15
def test_mail_waits_for_a_server_that_is_down_and_arrives_once_when_it_is_back(dns_env: DnsEnv) -> None:
    buyer = "patient@away.example"
    heard = dns_env.write(buyer, "When you are back")
    dns_env.env.becomes(heard.record_id, "deferred")
    lines = dns_env.env.relay.cli("queue", "list", "--reveal", "--case", "C-1", "--reason", "a server is down")
    (line,) = (one for one in lines if one["destination"] == "away.example")
    assert (line["state"], line["count"]) == ("deferred", 1)
    back = dns_env.env.background.enter(Sink(host="127.0.0.13", port=dns_env.env.sink.port))
    dns_env.env.relay.cli("queue", "flush")
    until(lambda: back.mails)
    dns_env.env.becomes(heard.record_id, "accepted")
    assert dns_env.env.events(heard.record_id) == ["received", "queued", "deferred", "accepted"]
    assert len(back.mails) == 1


# R-OUT-04, R-OUT-05, R-OUT-07
def test_a_refused_mailbox_is_told_once_in_the_writers_thread_and_names_nobody(short_retry_env: RelayEnv) -> None:
    buyer = "no.such@phone.example"
    pair = short_retry_env.add_pair(buyer, "teller@pottery.example")
    short_retry_env.sink.say("rcpt", f"550 5.1.1 <{buyer}>: no such user at mail.phone.example [192.0.2.9]", to=buyer)
    heard = swaks(
        short_retry_env.relay.mx,
        "--h-Message-Id",
        "<own-1@pottery.example>",
        mail_from="teller@pottery.example",
        to=pair.buyer.alias.address,
        subject="To a dead mailbox",
    )
    short_retry_env.becomes(heard.record_id, "bounced")
    received = short_retry_env.mail("teller@pottery.example", "To a dead mailbox")
    notice, text = read(received), received.content.decode()
    assert (received.mail_from, notice["Auto-Submitted"]) == ("", "auto-replied")
    assert notice["In-Reply-To"].strip() == "<own-1@pottery.example>"
    assert notice.get_content_type() == "multipart/report"
    for line in ("Action: failed", "Status: 5.1.1", f"Final-Recipient: rfc822; {pair.buyer.alias.address}"):
        assert line in text
    for secret in ("no.such", "phone.example", "192.0.2.9"):
        assert secret not in text
    assert len(short_retry_env.mails("teller@pottery.example")) == 1


# R-OUT-02, R-OUT-03
def test_a_mail_that_is_deferred_arrives_later_and_its_record_says_so(env: RelayEnv) -> None:
    buyer = "greylisted@phone.example"
    pair = env.add_pair(buyer, "waiter@pottery.example")
    env.sink.say("rcpt", "451 4.7.1 try again later", to=buyer, times=2)
    heard = swaks(env.relay.mx, mail_from="waiter@pottery.example", to=pair.buyer.alias.address, subject="Try again")
    env.mail(buyer, "Try again")
    env.becomes(heard.record_id, "accepted")
    assert env.events(heard.record_id) == ["received", "queued", "deferred", "deferred", "accepted"]


# R-OUT-02, R-OUT-05
def test_a_late_mail_is_told_as_late_once_and_then_as_given_up(short_retry_env: RelayEnv) -> None:
    buyer = "always.full@phone.example"
    pair = short_retry_env.add_pair(buyer, "late@pottery.example")
    short_retry_env.sink.say("rcpt", "452 4.2.2 mailbox full", to=buyer)
    heard = swaks(
        short_retry_env.relay.mx, mail_from="late@pottery.example", to=pair.buyer.alias.address, subject="Late mail"
    )
    delayed = short_retry_env.mail("late@pottery.example", "Late mail").content.decode()
    assert "Action: delayed" in delayed
    assert "Will-Retry-Until:" in delayed
    short_retry_env.becomes(heard.record_id, "bounced")
    given_up = short_retry_env.mail("late@pottery.example", "Late mail", 2).content.decode()
    assert "Action: failed" in given_up
    assert "X-Relay-Reason: expired" in given_up
    assert len(short_retry_env.mails("late@pottery.example")) == 2
    assert buyer not in delayed + given_up


# R-OUT-04, R-REC-06: a bounce that comes back later is translated, once, and kept to be read for a case
def test_a_bounce_to_the_return_path_becomes_one_notice(short_retry_env: RelayEnv) -> None:
    buyer = "bounces.later@phone.example"
    pair = short_retry_env.add_pair(buyer, "informed@pottery.example")
    heard = swaks(
        short_retry_env.relay.mx,
        mail_from="informed@pottery.example",
        to=pair.buyer.alias.address,
        subject="Comes back",
    )
    received = short_retry_env.mail(buyer, "Comes back")
    short_retry_env.becomes(heard.record_id, "accepted")
    report = (
        f"From: MAILER-DAEMON@phone.example\\nTo: {received.mail_from}\\nSubject: Undeliverable\\nMIME-Version: 1.0\\n"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\\n\\n"
        "--b\\nContent-Type: text/plain\\n\\nSorry.\\n"
        "--b\\nContent-Type: message/delivery-status\\n\\nReporting-MTA: dns; mail.phone.example\\n\\n"
        f"Final-Recipient: rfc822; {buyer}\\nAction: failed\\nStatus: 5.1.1\\n\\n--b--\\n"
    )
    for _ in range(2):
        answer = swaks(short_retry_env.relay.mx, "--data", report, mail_from="<>", to=received.mail_from)
        answer.shows("S: 250 2.*")
    short_retry_env.becomes(heard.record_id, "bounced")
    notice = short_retry_env.mail("informed@pottery.example", "Comes back").content.decode()
    assert "X-Relay-Reason: mailbox_unknown" in notice
    assert buyer not in notice
    assert len(short_retry_env.mails("informed@pottery.example")) == 1
    first, again = (
        event.data
        for event in short_retry_env.ask(lambda store: store.records.history(heard.record_id))
        if event.data.get("by") == "report"
    )
    assert (first["confirmed"], again["outcome"]) == ("same_host", "repeated")
    why = ["--case", "C-1", "--reason", "dispute"]
    command = ["message", "show", heard.record_id, "--body", "report"]
    assert short_retry_env.relay.run(*command).returncode == 2
    shown = short_retry_env.relay.run(*command, "--report", first["report"], *why)
    assert "Status: 5.1.1" in shown.stdout
    assert "client_ip: 127.0.0.1" in shown.stderr
    assert short_retry_env.relay.run(*command, "--report", "none", *why).returncode == 1
    assert buyer not in short_retry_env.relay.run("message", "show", heard.record_id).stdout


# R-POL-02: an opt-out takes effect on what waits
def test_an_opt_out_returns_what_is_still_on_its_way(dns_env: DnsEnv) -> None:
    buyer = "had.enough@phone.example"
    heard = _deferred(dns_env, buyer, "Colour of the vase")
    dns_env.env.relay.run("opt-out", "set", "--buyer", "had.enough").check_returncode()
    dns_env.env.relay.cli("queue", "flush")
    dns_env.env.becomes(heard.record_id, "returned")
    notice = dns_env.env.mail(_seller(buyer), "Colour of the vase").content.decode()
    assert "X-Relay-Reason: opted_out" in notice
    assert not dns_env.env.mails(buyer)


# R-ADR-04: mail goes where the party is now, and the old mailbox still is nobody's business
def test_what_waits_goes_to_the_new_mailbox_of_a_party_that_moved(dns_env: DnsEnv) -> None:
    heard = _deferred(dns_env, "moves@phone.example", "Follow me")
    new = "moved@pottery.example"
    dns_env.env.relay.cli("party", "set", "--role", "buyer", "--ref", "moves", "--mailbox", new)
    dns_env.env.relay.cli("queue", "flush")
    dns_env.env.mail(new, "Follow me")
    dns_env.env.becomes(heard.record_id, "accepted")
    assert not dns_env.env.mails("moves@phone.example")


# R-SND-07
def test_what_waits_for_a_party_that_was_suspended_comes_back_with_a_neutral_reason(dns_env: DnsEnv) -> None:
    buyer = "barred@phone.example"
    heard = _deferred(dns_env, buyer, "To the suspended")
    dns_env.env.relay.cli("party", "set", "--role", "buyer", "--ref", "barred", "--state", "suspended")
    dns_env.env.relay.cli("queue", "flush")
    dns_env.env.becomes(heard.record_id, "returned")
    notice = dns_env.env.mail(_seller(buyer), "To the suspended").content.decode()
    assert "X-Relay-Reason: recipient_unavailable" in notice
    assert "suspended" not in notice.replace("To the suspended", "")


def _deferred(dns_env: DnsEnv, buyer: str, subject: str) -> Transcript:
    dns_env.env.sink.say("rcpt", "451 4.3.0 not now", to=buyer)
    heard = dns_env.write(buyer, subject)
    dns_env.env.becomes(heard.record_id, "deferred")
    dns_env.env.sink.say("rcpt", "250 2.1.5 now", to=buyer)
    return heard


# R-OUT-02: a host that is down is not dialled once per message
def test_a_domain_whose_server_is_down_is_left_alone_for_a_while(dns_env: DnsEnv) -> None:
    tired = dns_env.env.background.enter(Sink(host="127.0.0.15", port=dns_env.env.sink.port))
    tired.say("connect", "421 4.3.2 too busy")
    dns_env.names.load(_ZONE + "busy.example. A 127.0.0.15\n")
    first = dns_env.write("one@busy.example", "Is anybody there")
    dns_env.env.becomes(first.record_id, "deferred")
    second = dns_env.write("two@busy.example", "Is anybody there")
    dns_env.env.becomes(second.record_id, "deferred")
    assert dns_env.env.events(second.record_id) == ["received", "queued"]
    assert tired.sessions == 1


# R-OUT-01
@pytest.mark.peer("smtp-sink")
def test_smtp_sink_takes_what_the_relay_sends(dns_env: DnsEnv) -> None:
    with smtp_sink("127.0.0.14", dns_env.env.sink.port) as mails:
        dns_env.names.load(_ZONE + "sink.example. A 127.0.0.14\n")
        heard = dns_env.write("anyone@sink.example", "Into the sink")
        dns_env.env.becomes(heard.record_id, "accepted")
        mail = message_from_bytes(until(mails)[0])
    assert mail["Subject"] == "Into the sink"
    assert mail["X-Rcpt-Args"] == "<anyone@sink.example>"
    assert mail["X-Mail-Args"].startswith("<b.")
