"""What an operator meets: a start that cannot be, a reload under open connections, the pages, and what the log tells."""

import asyncio
import os
import re
import signal
import socket
import sqlite3
import ssl
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from relay.edge import tls
from tests.e2e.relay_env import RelayEnv, running_relay
from tests.support.daemon import BUYER, PASSWORD, SELLER, Relay
from tests.support.dialogue import Dialogue
from tests.support.peers import swaks, until

# ---------------------------------------------------------------- a start that cannot be


def _edit(old: str, new: str) -> Callable[[Relay], None]:
    def edit(relay: Relay) -> None:
        text = relay.config_path.read_text()
        assert old in text
        relay.config_path.write_text(text.replace(old, new, 1))

    return edit


def _remove(name: str) -> Callable[[Relay], None]:
    return lambda relay: (relay.directory / "var" / name).unlink()


def _write(name: str, content: bytes) -> Callable[[Relay], None]:
    def write(relay: Relay) -> None:
        (relay.directory / "var" / name).write_bytes(content)

    return write


def _newer_database(relay: Relay) -> None:
    with sqlite3.connect(relay.directory / "var/relay.db") as database:
        database.execute("CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_at BIGINT NOT NULL)")
        database.execute("INSERT INTO schema_version VALUES (999, 0)")
    database.close()


# R-UI-10, R-UI-15: what is wrong, where, and what to do
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_edit("poll_s = 0.2", "poll_sec = 0.2"), r"delivery\.poll_sec: .*poll_s"),
        (_edit("port = 0", 'port = "many"'), r"listener\[0\]\.port: "),
        (_edit("[networks]", "[networks"), r"TOML: .*line \d+"),
        (_remove("keys/master.key"), r"master\.key.*relay init"),
        (_write("keys/master.key", b"short"), r"master\.key"),
        (_remove("tls/cert.pem"), r"cert\.pem does not exist: .*relay init"),
        (_write("tls/key.pem", b"not a key"), r"key\.pem is not valid PEM"),
        (_newer_database, r"version 999 is from a newer relay, .*; install the newer relay"),
        (_write("relay.db", b"scribbles" * 1_000), r"relay\.db: not a readable database"),
        (
            _edit('store = "sqlite:relay.db"', 'store = "postgresql://nobody@127.0.0.1:1/none"'),
            r"PostgreSQL: .*refused; check `store`",
        ),
    ],
    ids=[
        "unknown-key",
        "wrong-type",
        "broken-toml",
        "no-master-key",
        "broken-master-key",
        "no-certificate",
        "broken-tls-key",
        "newer-database",
        "not-a-database",
        "no-postgresql",
    ],
)
def test_a_start_that_cannot_be_is_one_clear_message_and_exit_code_1(
    tmp_path: Path, spoil: Callable[[Relay], None], said: str
) -> None:
    relay = Relay(tmp_path, sink_port=2525)
    relay.prepare()
    spoil(relay)
    done = relay.run("serve")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert re.search(said, done.stderr), done.stderr
    assert len(done.stderr.splitlines()) <= 3, done.stderr


def test_a_port_in_use_is_told_with_its_number(tmp_path: Path) -> None:
    relay = Relay(tmp_path, sink_port=2525)
    relay.prepare()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        _edit("port = 0", f"port = {port}")(relay)
        done = relay.run("serve")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert str(port) in done.stderr.splitlines()[-1]


# ---------------------------------------------------------------- reload

_SECOND = """
[[marketplace]]
id = "second"
name = "Second Market"
domain = "second.example"
operator = "ops@operator.example"
help_url = "https://second.example/help"
"""


# R-UI-11, R-ADR-09
@pytest.mark.peer("swaks")
def test_a_reload_changes_marketplaces_under_open_connections_and_refuses_a_broken_file(env: RelayEnv) -> None:
    relay = env.relay
    with Dialogue(relay.mx) as open_before:
        open_before.reply()
        open_before.ask("EHLO client.example")
        open_before.ask(f"MAIL FROM:<{SELLER}>")
        assert open_before.ask("RCPT TO:<postmaster@second.example>").startswith("550 5.7.1")
        good = relay.config_path.read_text()
        relay.config_path.write_text(good + _SECOND)
        _hang_up(relay, "reloaded")
        assert open_before.ask("RCPT TO:<postmaster@second.example>").startswith("250")
        relay.config_path.write_text("hostname = [")
        _hang_up(relay, "reload_refused")
        assert open_before.ask(f"RCPT TO:<{env.buyer_alias}>").startswith("250")
        relay.config_path.write_text(good)
        _hang_up(relay, "reloaded")
        assert open_before.ask("DATA").startswith("354")
        open_before.send(f"From: {SELLER}\r\nSubject: Over the reload\r\n\r\nHello.\r\n.\r\n".encode())
        # One of the two recipients is gone meanwhile: try again, and lose nothing.
        assert open_before.reply().startswith(("250", "451"))
        swaks(relay.mx, mail_from=SELLER, to=env.buyer_alias, subject="After the reload").shows("S: 250 2.0.0 *")
        env.mail(BUYER, "After the reload")


def _hang_up(relay: Relay, said: str) -> None:
    before = relay.log().count(f'"{said}"')
    assert relay.process is not None
    os.kill(relay.process.pid, signal.SIGHUP)
    until(lambda: relay.log().count(f'"{said}"') > before)


# R-UI-11
def test_a_reload_takes_the_new_certificate(env: RelayEnv) -> None:
    def shown() -> str:
        return ssl.get_server_certificate(("127.0.0.1", env.relay.submissions))

    before = shown()
    tls.make_self_signed(env.relay.directory / "var/tls", ["mx.market.example", "localhost"])
    _hang_up(env.relay, "reloaded")
    assert shown() != before


# ---------------------------------------------------------------- pages, log


def _page(relay: Relay, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{relay.web}{path}", timeout=10) as response:
        text: str = response.read().decode()
        return text


# R-UI-11, R-IN-07
def test_readiness_says_why_mail_cannot_be_taken_and_recovers(env: RelayEnv) -> None:
    relay = env.relay
    database = sqlite3.connect(relay.directory / "var/relay.db", isolation_level=None)
    try:
        database.execute("BEGIN EXCLUSIVE")
        assert _page(relay, "/healthz") == "ok\n"
        with pytest.raises(urllib.error.HTTPError, match="503") as refused:
            _page(relay, "/readyz")
        with refused.value as answer:
            assert answer.read() == b"store_unavailable\n"
    finally:
        database.close()
    assert _page(relay, "/readyz") == "ok\n"


# R-UI-11
@pytest.mark.peer("swaks")
def test_after_a_busy_session_neither_log_nor_metrics_name_a_person_or_a_text(tmp_path: Path) -> None:
    with running_relay(tmp_path, extra='\n[log]\nlevel = "debug"\n[notices]\nsweep_s = 0.2\n') as env:
        relay = env.relay
        assert _page(relay, "/healthz") == "ok\n"
        assert _page(relay, "/readyz") == "ok\n"
        login = ("--auth", "PLAIN", "--auth-user", SELLER, "--auth-password")
        env.sink.say("rcpt", f"550 5.1.1 <{BUYER}> unknown", to=BUYER, times=1)
        subject = "Zanzibar"
        for port, options, sender, to in (
            (relay.mx, (), SELLER, env.buyer_alias),
            (relay.mx, (), BUYER, env.seller_alias),
            (relay.mx, (), "stranger@elsewhere.example", env.buyer_alias),
            (relay.mx, (), SELLER, "a" * 16 + "@market.example"),
            (relay.submission, (*login, PASSWORD), SELLER, env.buyer_alias),
            (relay.submission, (*login, PASSWORD), "clerk@pottery.example", env.buyer_alias),
            (relay.submission, (*login, "wrong-password"), SELLER, env.buyer_alias),
            (relay.lmtp, ("--protocol", "LMTP"), SELLER, f"{env.buyer_alias},postmaster@market.example"),
            (relay.mx, ("--data", "Subject: Zanzibar\\n\\nno From at all\\n"), SELLER, env.buyer_alias),
        ):
            swaks(port, *options, mail_from=sender, to=to, subject="" if "--data" in options else subject)
        # One about the refused mailbox, one about the sender who is not listed: the last things that happen.
        until(lambda: len([one for one in env.mails(SELLER) if not one.mail_from]) == 2)
        metrics = _page(relay, "/metrics")
        env.drained()
    log = relay.log()
    for secret in (SELLER, BUYER, "hanako", "shop-owner", "clerk", "stranger", subject, PASSWORD, "wrong-password"):
        assert secret.lower() not in (log + metrics).lower(), secret
    assert env.buyer_alias.partition("@")[0] not in metrics
    for line in (
        'relay_smtp_in_answers_total{code="2xx",port="mx"}',
        'relay_smtp_in_answers_total{code="5xx",port="mx"}',
        'relay_smtp_in_unknown_recipients_total{port="mx"} 1.0',
        'relay_deliveries_total{kind="relay",reason="mailbox_unknown",state="bounced"} 1.0',
    ):
        assert line in metrics, line


# ---------------------------------------------------------------- floods

_WRONG = "AUTH PLAIN " + b64encode(b"\0S1\0wrong").decode()
_RIGHT = "AUTH PLAIN " + b64encode(f"\0S1\0{PASSWORD}".encode()).decode()


# R-IN-06, R-IN-10, R-UI-11: with the shipped limits
def test_floods_of_each_port_leave_health_mail_and_logins_to_others(tmp_path: Path) -> None:
    relay = Relay(tmp_path, sink_port=2525)
    relay.prepare()
    asyncio.run(relay.seed_store())
    _edit('trusted = ["127.0.0.0/8"]', "trusted = []")(relay)
    relay.start()
    try:
        with ExitStack() as flood:

            def connect(port: int, host: int) -> socket.socket:
                """Opens a connection that stays, from an address of its own in the loopback network."""
                source = (f"127.0.1.{host}", 0)
                return flood.enter_context(socket.create_connection(("127.0.0.1", port), 20, source))

            for number in range(220):
                connect(relay.web, number % 8).sendall(b"GET / HTTP/1.1\r\nHost"[: number % 24])
            for port in (relay.mx, relay.submissions):
                for _ in range(60):
                    connect(port, port % 200)
            for _ in range(30):
                with (
                    suppress(OSError),
                    socket.create_connection(("127.0.0.1", relay.submission), 20, ("127.0.2.1", 0)) as one,
                ):
                    one.sendall(f"EHLO x\r\n{_WRONG}\r\n".encode())
                    one.recv(100)
            assert _page(relay, "/healthz") == "ok\n"
            assert _page(relay, "/readyz") == "ok\n"
            with Dialogue(relay.mx) as client:
                assert client.reply().startswith("220")
            with Dialogue(relay.submission) as client:
                client.reply()
                client.ask("EHLO client.example")
                assert client.ask(_RIGHT).startswith("235")
            metrics = _page(relay, "/metrics")
    finally:
        assert relay.stop() == 0, relay.log()
    assert "Traceback" not in relay.log()
    assert 'relay_smtp_in_refused_total{port="mx",reason="connections_per_client"}' in metrics
    assert 'relay_web_refused_total{reason="connections"}' in metrics
