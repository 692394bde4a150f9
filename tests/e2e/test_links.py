"""Signed links as mail programs and people use them: out of a delivered mail, over HTTP, to what the daemon then does."""

import re
import socket
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from urllib.parse import urlencode, urlsplit

import pytest

from tests.e2e.relay_env import RelayEnv, read
from tests.support.daemon import PASSWORD
from tests.support.narrowing import not_none
from tests.support.peers import Transcript, swaks

pytestmark = pytest.mark.peer("swaks")

FORM = "application/x-www-form-urlencoded"
ONE_CLICK = b"List-Unsubscribe=One-Click"


class Shop:
    """A buyer and a seller of a test's own."""

    def __init__(self, env: RelayEnv, name: str) -> None:
        self.env = env
        self.buyer, self.seller = f"{name}@phone.example", f"{name}-shop@pottery.example"
        self.pair = env.add_pair(self.buyer, self.seller)

    def write(self, subject: str, *options: str) -> Transcript:
        return swaks(
            self.env.relay.mx, *options, mail_from=self.seller, to=self.pair.buyer.alias.address, subject=subject
        )

    def ask(self, subject: str) -> EmailMessage:
        """A question of the buyer's as the seller got it."""
        swaks(self.env.relay.mx, mail_from=self.buyer, to=self.pair.seller.alias.address, subject=subject)
        return read(self.env.mail(self.seller, subject))

    def unsubscribe_url(self, subject: str) -> str:
        self.write(subject)
        return one_click_url(read(self.env.mail(self.buyer, subject)))


def one_click_url(mail: EmailMessage) -> str:
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"  # RFC 8058 §3.1
    found = re.fullmatch(r"<(http[^<>\s]+)>", mail["List-Unsubscribe"])
    assert found
    return found[1]


def link_in(mail: EmailMessage) -> str:
    return str(re.findall(r"http\S+/l/[\w-]+", not_none(mail.get_body(("plain",))).get_content())[0])


def request(url: str, data: bytes | None = None, content_type: str = FORM, method: str | None = None) -> int:
    asked = urllib.request.Request(url, data, {"Content-Type": content_type} if data else {}, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=20) as answer:
            assert answer.geturl() == url  # not led elsewhere
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def choose(url: str, choice: str) -> int:
    return request(url, urlencode({"choice": choice}).encode())


# R-POL-02, R-POL-03, RFC 8058
def test_one_click_from_a_delivered_mail_stops_the_seller_but_not_his_answers(env: RelayEnv) -> None:
    shop = Shop(env, "one-click")
    question = shop.ask("When does it come?")
    shop.write("Special offers")
    mail = read(env.mail(shop.buyer, "Special offers"))
    url = one_click_url(mail)
    for signature in not_none(mail.get_all("DKIM-Signature")):  # RFC 8058 §4
        signed = not_none(re.search(r"\bh=([^;]+)", re.sub(r"\s", "", signature)))[1].lower().split(":")
        assert {"list-unsubscribe", "list-unsubscribe-post"} <= {*signed}
    assert (request(url), request(url, method="HEAD")) == (200, 200)
    shop.write("Still welcome")
    env.mail(shop.buyer, "Still welcome")

    assert request(url, ONE_CLICK) == 200
    heard = shop.write("More offers")
    notice = env.mail(shop.seller, "More offers").content.decode()
    assert "X-Relay-Reason: opted_out" in notice
    assert "returned" in env.events(heard.record_id)
    shop.write("It comes today", "--h-In-Reply-To", question["Message-ID"])
    env.mail(shop.buyer, "It comes today")
    assert not env.mails(shop.buyer, "More offers")
    history = env.ask(lambda store: store.opt_outs.history(shop.pair.buyer.party.id))
    assert [(one.out, one.opt_out.source, one.opt_out.seller_id) for one in history] == [
        (True, "one-click", shop.pair.seller.party.id)
    ]


# RFC 8058 §3.1: either encoding, by whatever writes to a socket
def test_a_program_that_knows_only_sockets_opts_out(env: RelayEnv) -> None:
    url = urlsplit(Shop(env, "socket").unsubscribe_url("By the socket"))
    body = b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'
    head = (
        f"POST {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection((url.hostname, url.port), timeout=20) as connection:
        connection.sendall(head.encode() + body)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    header = answer.partition(b"\r\n\r\n")[0].lower()
    assert header.startswith(b"http/1.1 200 ")
    assert b"\r\nset-cookie:" not in header
    assert b"\r\nlocation:" not in header


def test_a_client_that_leaves_half_way_changes_nothing_and_is_no_error(env: RelayEnv) -> None:
    shop = Shop(env, "leaves")
    url = urlsplit(shop.unsubscribe_url("Half a form"))
    head = f"POST {url.path} HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\nContent-Length: 26\r\n\r\n"
    with socket.create_connection((url.hostname, url.port), timeout=20) as connection:
        connection.sendall(head.encode() + ONE_CLICK[:-1])
    assert request(url.geturl()) == 200
    assert env.ask(lambda store: store.opt_outs.history(shop.pair.buyer.party.id)) == []
    assert "Traceback" not in env.relay.log()


# R-POL-02: takes effect on queued mail too
def test_mail_in_the_queue_comes_back_when_its_reader_opts_out(env: RelayEnv) -> None:
    shop = Shop(env, "queued")
    url = shop.unsubscribe_url("Before")
    env.sink.say("rcpt", "451 4.3.2 later", to=shop.buyer)
    heard = shop.write("Stuck")
    env.becomes(heard.record_id, "deferred")
    assert request(url, ONE_CLICK) == 200
    env.becomes(heard.record_id, "returned")
    assert "X-Relay-Reason: opted_out" in env.mail(shop.seller, "Stuck").content.decode()
    assert not env.mails(shop.buyer, "Stuck")


# R-SND-02
def test_a_pending_sender_is_approved_from_the_notice_and_its_mail_leaves_once(env: RelayEnv) -> None:
    shop = Shop(env, "approve")
    login = ("--auth", "PLAIN", "--auth-user", shop.seller, "--auth-password", PASSWORD)
    for number in (1, 2):
        swaks(
            env.relay.submission,
            *login,
            mail_from="approve-helper@pottery.example",
            to=shop.pair.buyer.alias.address,
            subject=f"From the helper {number}",
        )
    url = link_in(read(env.mail(shop.seller)))
    assert request(url) == 200
    assert env.mails(shop.buyer) == []
    with ThreadPoolExecutor(4) as pool:
        assert [*pool.map(lambda _: choose(url, "approve"), range(8))] == [200] * 8
    for number in (1, 2):
        env.mail(shop.buyer, f"From the helper {number}")
    env.drained()
    assert len(env.mails(shop.buyer)) == 2


# R-REW-09
def test_a_report_reaches_the_operator(env: RelayEnv) -> None:
    shop = Shop(env, "report")
    heard = shop.write("Pay me elsewhere")
    mail = read(env.mail(shop.buyer, "Pay me elsewhere"))
    links = re.findall(r"http\S+/l/[\w-]+", not_none(mail.get_body(("plain",))).get_content())
    assert {choose(link, "report") for link in links} == {200, 400}  # one of the footer's links is for that
    received = env.mail("ops@operator.example", heard.record_id).content.decode()
    assert shop.buyer not in received
    assert shop.seller not in received


def test_neither_log_nor_metrics_nor_urls_hold_a_token_or_an_address(env: RelayEnv) -> None:
    shop = Shop(env, "private")
    url = shop.unsubscribe_url("Quiet")
    forged = f"{url[:-4]}zzzz?who={shop.buyer}"
    assert [request(url), request(url, ONE_CLICK), request(forged), request(url, b"{}", "application/json")] == [
        200,
        200,
        404,
        415,
    ]
    token = urlsplit(url).path.rpartition("/")[2]
    base = url.partition("/l/")[0]
    with urllib.request.urlopen(f"{base}/metrics", timeout=20) as answer:
        metrics = answer.read().decode()
    assert 'relay_links_total{outcome="done",purpose="opt_out"}' in metrics
    for text in (env.relay.log(), metrics):
        assert token[:20] not in text
        assert shop.buyer not in text
        assert shop.seller not in text
    assert "@" not in url
