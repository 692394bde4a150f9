"""R-IN-02: who submits logs in first, under TLS."""

import asyncio
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from relay.config import Networks, SmtpLimits
from relay.edge.clients import client_address
from relay.edge.counters import ProcessCounters
from relay.edge.smtp_in import Guard
from relay.ports import BusyError, UnavailableError
from tests.edge.smtp_in.conftest import TlsPair, make_pair
from tests.support.dialogue import Dialogue
from tests.support.fakes import ManualClock
from tests.support.smtp_in_env import SmtpInEnv, Tls, wait_until

QUICK = SmtpLimits(unknown_recipient_delay_s=0)
RIGHT = "AUTH PLAIN " + b64encode(b"\0seller\0right").decode()
WRONG = "AUTH PLAIN " + b64encode(b"\0seller\0wrong").decode()
MAIL = "MAIL FROM:<a@client.example>"


def under_tls(env: SmtpInEnv, pair: TlsPair, tls: Tls) -> Dialogue:
    port = env.open("submission", tls, context=pair.server, limits=QUICK)
    if tls == "implicit":
        client = Dialogue(port, tls=pair.client)
        client.reply()
    else:
        client = Dialogue(port)
        client.reply()
        client.ask("STARTTLS")
        client.start_tls(pair.client)
    assert "AUTH PLAIN LOGIN" in client.ask("EHLO client.example")
    return client


@pytest.fixture(params=["starttls", "implicit"])
def client(request: pytest.FixtureRequest, env: SmtpInEnv, tls_pair: TlsPair) -> Iterator[Dialogue]:
    with under_tls(env, tls_pair, request.param) as client:
        yield client


def test_a_login_precedes_mail_and_names_the_party(client: Dialogue, env: SmtpInEnv) -> None:
    assert client.ask(MAIL).startswith("530 5.7.0")
    assert client.ask(RIGHT).startswith("235 2.7.0")
    assert client.ask(RIGHT).startswith("503 5.5.1")
    client.say(MAIL + " AUTH=<>", "RCPT TO:<x@shop.example>", "DATA", "x", ".", "QUIT")
    assert client.rest()[-2:] == ["250 2.0.0 taken", "221 2.0.0 bye"]
    (message,) = env.intake.messages
    assert (message.peer.login_party_id, message.peer.tls) == ("party-1", True)


@pytest.mark.parametrize(
    "steps",
    [
        [("AUTH LOGIN", "334 VXNlcm5hbWU6"), ("c2VsbGVy", "334 UGFzc3dvcmQ6"), ("cmlnaHQ=", "235 2.7.0")],
        [("AUTH LOGIN c2VsbGVy", "334 UGFzc3dvcmQ6"), ("cmlnaHQ=", "235 2.7.0")],
        [("auth plain", "334 "), ("AHNlbGxlcgByaWdodA==", "235 2.7.0")],
        [("AUTH LOGIN", "334 "), ("*", "501 5.7.0"), (MAIL, "530 5.7.0")],
        [("AUTH LOGIN", "334 "), ("%%%", "501 5.5.2"), (MAIL, "530 5.7.0")],
        [("AUTH PLAIN", "334 "), ("", "501 5.5.2"), (MAIL, "530 5.7.0")],
        [("AUTH PLAIN =", "501 5.5.2"), (MAIL, "530 5.7.0")],
        [("AUTH PLAIN AHNlbGxlcg==", "501 5.5.2"), (MAIL, "530 5.7.0")],
        [("AUTH PLAIN AP8A/w==", "535 5.7.8"), (MAIL, "530 5.7.0")],
        [("AUTH CRAM-MD5", "504 5.5.4"), ("AUTH", "504 5.5.4"), ("AUTH PLAIN a b", "504 5.5.4")],
        [(WRONG, "535 5.7.8"), (MAIL, "530 5.7.0"), (RIGHT, "235 2.7.0")],
    ],
)
def test_ways_to_log_in(client: Dialogue, steps: list[tuple[str, str]]) -> None:
    for said, heard in steps:
        assert client.ask(said).startswith(heard)


def test_a_long_initial_response_fits(client: Dialogue) -> None:
    assert client.ask("AUTH PLAIN " + b64encode(b"\0seller\0" + b"x" * 6_000).decode()).startswith("535")


def test_only_the_lines_of_a_login_may_be_long(client: Dialogue) -> None:  # R-IN-06
    long = b64encode(b"\0seller\0" + b"x" * 6_000).decode()
    assert client.ask(f"MAIL FROM:<a@b.example> {' ' * 2_100}x").startswith("500 5.5.2")
    assert client.ask(f"NOOP {long}").startswith("500 5.5.2")
    assert client.ask(f"AUTHX {long}").startswith("500 5.5.2")
    assert client.ask(f"AUTH PLAIN {long}{long}").startswith("500 5.5.2")
    assert client.ask("AUTH PLAIN").startswith("334")
    assert client.ask(long).startswith("535")


def test_guessing_passwords_ends_the_session(client: Dialogue, env: SmtpInEnv) -> None:
    client.say(*[WRONG] * 9)
    assert [line[:9] for line in client.rest()] == ["535 5.7.8"] * 4 + ["421 4.7.0"]
    assert env.observer.of("smtp_in_refused", reason="login") == 5


def plain(authorization: str, username: str = "seller", password: str = "right") -> str:
    return b64encode(f"{authorization}\0{username}\0{password}".encode()).decode()


@pytest.mark.parametrize("others", ["buyer", "SELLER", "seller@shop.example"])
def test_nobody_acts_as_another_user(client: Dialogue, env: SmtpInEnv, others: str) -> None:  # RFC 4616 §2
    assert client.ask("AUTH PLAIN " + plain(others)).startswith("535 5.7.8")
    client.ask("AUTH PLAIN")
    assert client.ask(plain(others)).startswith("535 5.7.8")
    assert env.intake.checks == []
    assert client.ask("AUTH PLAIN " + plain("seller")).startswith("235 2.7.0")


def test_no_nul_reaches_the_store(client: Dialogue, env: SmtpInEnv) -> None:
    client.ask("AUTH LOGIN " + b64encode(b"sel\0ler").decode())
    assert client.ask(b64encode(b"right\0").decode()).startswith("535 5.7.8")
    assert not any("\0" in name for name in (*env.intake.asked, *env.intake.checks))


class TestTries:
    """Each try counts before its password is checked, for the client, its network and the user name (R-IN-10)."""

    @pytest.fixture(
        params=[("starttls", False), ("implicit", False), ("implicit", True)], ids=["587", "465", "proxied"]
    )
    def connect(
        self, request: pytest.FixtureRequest, env: SmtpInEnv, tls_pair: TlsPair
    ) -> Iterator[Callable[[], Dialogue]]:
        tls, proxied = request.param
        limits = SmtpLimits(unknown_recipient_delay_s=0, failed_logins_per_client=3, failed_logins_window_s=60)
        networks = Networks(front_hosts=("127.0.0.1",)) if proxied else Networks()
        port = env.open(
            "submission", tls, context=tls_pair.server, limits=limits, networks=networks, proxy_protocol=proxied
        )
        with ExitStack() as stack:

            def connected() -> Dialogue:
                preface = b"PROXY TCP4 192.0.2.7 127.0.0.1 9 465\r\n" if proxied else b""
                context = tls_pair.client if tls == "implicit" else None
                client = stack.enter_context(Dialogue(port, tls=context, preface=preface))
                assert client.reply().startswith("220")
                if tls == "starttls":
                    client.ask("STARTTLS")
                    client.start_tls(tls_pair.client)
                client.ask("EHLO client.example")
                return client

            yield connected

    def test_a_client_that_hangs_up_within_the_check_has_had_its_try(
        self, env: SmtpInEnv, connect: Callable[[], Dialogue]
    ) -> None:
        env.intake.login_gate = asyncio.Event()
        for _ in range(3):
            client, checks = connect(), len(env.intake.checks)
            client.say(WRONG)
            wait_until(partial(has_more, env.intake.checks, checks))
            client.reset()
            wait_until(lambda: env.counters.taken("smtp", "") == 0)
        assert connect().ask(RIGHT).startswith("421 4.7.0")
        assert len(env.intake.checks) == 3
        assert env.observer.of("smtp_in_refused", reason="logins") == 1
        env.clock.forward(61)
        env.intake.login_gate = None
        assert connect().ask(RIGHT).startswith("235")

    def test_right_passwords_do_not_count(self, env: SmtpInEnv, connect: Callable[[], Dialogue]) -> None:
        assert {connect().ask(RIGHT)[:3] for _ in range(8)} == {"235"}
        assert len(env.intake.checks) == 8

    @pytest.mark.parametrize("fault", [BusyError("full"), UnavailableError("gone")])
    def test_a_password_that_was_not_checked_does_not_count(
        self, env: SmtpInEnv, connect: Callable[[], Dialogue], fault: Exception
    ) -> None:
        env.intake.fault, env.intake.fault_at = fault, "login"
        client = connect()
        assert {client.ask(WRONG)[:9] for _ in range(8)} == {"454 4.7.0"}
        env.intake.fault = None
        assert client.ask(RIGHT).startswith("235")

    def test_a_remembered_password_passes_the_limits(self, env: SmtpInEnv, connect: Callable[[], Dialogue]) -> None:
        env.intake.remembered["seller", "right"] = "party-1"
        client = connect()
        assert [client.ask(WRONG)[:3] for _ in range(3)] == ["535"] * 3
        assert client.ask(RIGHT).startswith("235")
        assert connect().ask(WRONG).startswith("421")

    def test_the_connections_of_one_client_have_one_check_at_a_time(
        self, env: SmtpInEnv, connect: Callable[[], Dialogue]
    ) -> None:
        env.intake.login_gate = asyncio.Event()
        clients = [connect() for _ in range(5)]
        for client in clients:
            client.say(RIGHT)
        wait_until(lambda: len(env.intake.asked) == 6)  # each once, and one again at its turn
        assert len(env.intake.checks) == 1
        env.intake.remembered["seller", "right"] = "party-1"
        env.loop.call_soon_threadsafe(env.intake.login_gate.set)
        assert {client.reply()[:3] for client in clients} == {"235"}
        assert len(env.intake.checks) == 1

    @pytest.mark.parametrize("delay_s", [0, 600], ids=["within the check", "before the answer"])
    def test_stopping_waits_for_no_login(self, env: SmtpInEnv, connect: Callable[[], Dialogue], delay_s: float) -> None:
        client = connect()
        assert env.guard is not None
        if delay_s:
            env.guard.limits = SmtpLimits(unknown_recipient_delay_s=delay_s)
        else:
            env.intake.login_gate = asyncio.Event()
        client.say(WRONG)
        wait_until(lambda: env.intake.checks == ["seller"])
        stopping = env.begin(env.listeners[0].stop(600))
        assert [line[:9] for line in client.rest()] == ["421 4.3.2"]
        stopping.result(20)


def has_more(what: list[str], count: int) -> bool:
    return len(what) > count


class TestLoginLimits:
    CLIENT = client_address("192.0.2.1")

    def make(self, **limits: Any) -> Guard:
        networks = Networks(trusted=("198.51.100.0/24",))
        return Guard(limits=SmtpLimits(**limits), networks=networks, counters=ProcessCounters(ManualClock()))

    @pytest.mark.parametrize(
        ("limit", "clients"),
        [
            ("failed_logins_per_client", ["192.0.2.1"] * 5),
            ("failed_logins_per_client", [f"2001:db8::{host}" for host in range(5)]),
            ("failed_logins_per_network", [f"192.0.2.{host}" for host in range(5)]),
        ],
    )
    def test_a_client_and_a_network_have_their_limits(self, limit: str, clients: list[str]) -> None:
        guard = self.make(**{limit: 3})
        allowed = [guard.begin_login(client_address(client), f"name-{client}") for client in clients]
        assert allowed == [True, True, True, False, False]
        assert guard.begin_login(client_address("203.0.113.1"), "name")
        assert guard.begin_login(client_address("2001:db8:0:1::1"), "name")

    @pytest.mark.parametrize("spellings", [["seller"] * 4, ["seller", "SELLER", "Seller", "sEller"]])
    def test_a_user_name_under_attack_is_closed_to_those_who_failed_only(self, spellings: list[str]) -> None:
        guard = self.make(failed_logins_per_account=4)
        attackers = [client_address(f"192.0.{host}.1") for host in range(4)]
        assert all(map(guard.begin_login, attackers, spellings))
        assert not guard.begin_login(attackers[0], "seller")
        assert guard.begin_login(attackers[0], "another")
        assert guard.begin_login(client_address("203.0.113.1"), "seller")

    def test_a_try_that_is_withdrawn_is_forgotten(self) -> None:
        guard = self.make(failed_logins_per_client=1)
        for _ in range(3):
            assert guard.begin_login(self.CLIENT, "seller")
            guard.withdraw_login(self.CLIENT, "seller")
        assert guard.failed_login_delay_s(self.CLIENT) == guard.limits.unknown_recipient_delay_s

    def test_trusted_clients_may_err(self) -> None:  # R-UI-15
        guard, trusted = self.make(failed_logins_per_client=1), client_address("198.51.100.1")
        assert all(guard.begin_login(trusted, "seller") for _ in range(9))
        assert guard.failed_login_delay_s(trusted) == 0
        assert guard.begin_login(self.CLIENT, "seller")


def test_login_while_the_store_is_away_is_temporary(client: Dialogue, env: SmtpInEnv) -> None:
    env.intake.fault, env.intake.fault_at = UnavailableError("secret"), "login"
    assert client.ask(RIGHT) == "454 4.7.0 temporary failure, try again later"


def test_no_login_in_clear(env: SmtpInEnv, tls_pair: TlsPair) -> None:
    with Dialogue(env.open("submission", context=tls_pair.server, tls="starttls")) as client:
        client.reply()
        assert "AUTH" not in client.ask("EHLO client.example")
        assert client.ask(RIGHT).startswith("538 5.7.11")
        assert client.ask(MAIL).startswith("530 5.7.0")


def test_login_in_clear_on_loopback_if_configured_and_forgotten_under_tls(env: SmtpInEnv, tls_pair: TlsPair) -> None:
    # R-UI-15
    networks = Networks(plain_auth=True)
    with Dialogue(env.open("submission", context=tls_pair.server, tls="starttls", networks=networks)) as client:
        client.reply()
        assert "AUTH PLAIN LOGIN" in client.ask("EHLO client.example")
        assert client.ask(RIGHT).startswith("235")
        client.ask("STARTTLS")
        client.start_tls(tls_pair.client)
        client.ask("EHLO client.example")
        assert client.ask(MAIL).startswith("530 5.7.0")


def test_login_in_clear_is_for_loopback_only(env: SmtpInEnv) -> None:
    networks = Networks(plain_auth=True, front_hosts=("127.0.0.1",))
    port = env.open("submission", "none", networks=networks, proxy_protocol=True)
    with Dialogue(port, preface=b"PROXY TCP4 192.0.2.1 127.0.0.1 9 25\r\n") as client:
        client.reply()
        assert "AUTH" not in client.ask("EHLO client.example")
        assert client.ask(RIGHT).startswith("538 5.7.11")


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_new_certificate_is_shown_from_the_next_handshake_on(
    env: SmtpInEnv, tls_pair: TlsPair, tmp_path: Path, tls: Tls
) -> None:
    # R-UI-11
    fresh = make_pair(tmp_path)
    port = env.open("submission", tls, context=tls_pair.server)

    def hello(pair: TlsPair) -> str:
        with Dialogue(port, tls=pair.client if tls == "implicit" else None) as client:
            client.reply()
            if tls == "starttls":
                client.ask("STARTTLS")
                client.start_tls(pair.client)
            return client.ask("EHLO client.example")

    assert "AUTH" in hello(tls_pair)
    env.listeners[0].use_tls(fresh.server)
    assert "AUTH" in hello(fresh)


def test_a_client_that_fails_its_handshake_leaves_nothing_behind(env: SmtpInEnv, tls_pair: TlsPair) -> None:
    port = env.open("submission", "implicit", context=tls_pair.server)
    with Dialogue(port) as client:
        client.say("EHLO client.example")
        assert not [line for line in client.rest() if line.startswith("250")]
    with Dialogue(port, tls=tls_pair.client) as client:
        assert client.reply().startswith("220")


def test_implicit_tls_without_a_certificate_is_said_at_once(env: SmtpInEnv) -> None:
    with pytest.raises(ValueError, match="needs a certificate"):
        env.open("submission", "implicit")
