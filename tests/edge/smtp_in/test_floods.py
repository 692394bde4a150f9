"""R-IN-06, R-IN-10, R-UI-15: places that many clients hold for nothing, and what is left for the others."""

import asyncio
import contextlib
import ipaddress
from collections.abc import Iterator
from typing import Any

import pytest

from relay.config import Networks, SmtpLimits
from relay.edge.counters import ProcessCounters
from relay.edge.smtp_in import Guard
from tests.edge.smtp_in.conftest import TlsPair
from tests.support.dialogue import Dialogue
from tests.support.fakes import ManualClock
from tests.support.smtp_in_env import Kind, SmtpInEnv, Tls

FRONT = Networks(front_hosts=("127.0.0.1",), trusted=("198.51.100.0/24",))
PORTS = pytest.mark.parametrize(
    ("kind", "tls"),
    [("mx", "none"), ("mx", "starttls"), ("submission", "starttls"), ("submission", "implicit"), ("lmtp", "none")],
)
WHERE_MAIL_COMES_IN = pytest.mark.parametrize(("kind", "tls"), [("mx", "none"), ("lmtp", "none"), ("mx", "implicit")])


class Behind:
    """One listener behind a load balancer, so that a test can have any client. Everything is closed at the end."""

    def __init__(self, env: SmtpInEnv, pair: TlsPair, kind: Kind, tls: Tls, limits: SmtpLimits) -> None:
        self._pair, self._tls, self._kind = pair, tls, kind
        self._port = env.open(kind, tls, context=pair.server, networks=FRONT, limits=limits, proxy_protocol=True)
        self._stack = contextlib.ExitStack()

    def connect(self, client_ip: str) -> Dialogue:
        family = "TCP6" if ":" in client_ip else "TCP4"
        header = f"PROXY {family} {client_ip} {client_ip} 9 25\r\n".encode()
        context = self._pair.client if self._tls == "implicit" else None
        return self._stack.enter_context(Dialogue(self._port, preface=header, tls=context))

    def begin_data(self, client_ip: str) -> Dialogue:
        """Returns a session of a client that may send its message now."""
        client = self.connect(client_ip)
        assert client.reply().startswith("220")
        client.ask("LHLO client.example" if self._kind == "lmtp" else "EHLO client.example")
        for line in ("MAIL FROM:<a@client.example>", "RCPT TO:<x@shop.example>", "DATA"):
            client.ask(line)
        return client

    def is_greeted(self, client_ip: str) -> bool:
        """Returns whether a new connection of the client gets a session. The connection stays open."""
        try:
            return self.connect(client_ip).reply().startswith("220")
        except (OSError, EOFError):  # a connection that begins with TLS is refused without a reply
            return False

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def behind(env: SmtpInEnv, tls_pair: TlsPair) -> Iterator[Any]:
    with contextlib.ExitStack() as stack:

        def opened(kind: Kind = "mx", tls: Tls = "none", **limits: Any) -> Behind:
            listener = Behind(env, tls_pair, kind, tls, SmtpLimits(**limits))
            stack.callback(listener.close)
            return listener

        yield opened


@PORTS
def test_an_ipv6_network_is_one_client(behind: Any, kind: Kind, tls: Tls) -> None:
    listener = behind(kind, tls, connections_per_client=2)
    greeted = [listener.is_greeted(f"2001:db8::{host:x}") for host in range(1, 5)]
    assert greeted == [True, True, False, False]
    assert listener.is_greeted("2001:db8:0:1::1")


@PORTS
def test_idle_sessions_do_not_hold_all_places(env: SmtpInEnv, behind: Any, kind: Kind, tls: Tls) -> None:
    listener = behind(kind, tls, connections=10, scarce_idle_s=30)
    idle = [listener.connect(f"192.0.2.{host}") for host in range(9)]
    trusted = listener.connect("198.51.100.1")
    for client in (*idle, trusted):
        assert client.reply().startswith("220")
    assert not listener.is_greeted("203.0.113.1")
    for _ in range(4):  # commands without use are no progress
        env.clock.forward(10)
        for client in (*idle, trusted):
            assert client.ask("NOOP").startswith("250")
    listener.is_greeted("203.0.113.2")  # finds no place yet, and ends those that are idle
    for client in idle:
        assert [line[:9] for line in client.rest()] == ["421 4.3.2"]
    assert trusted.ask("NOOP").startswith("250")
    assert env.observer.of("smtp_in_refused", reason="scarce") == 9


def test_sessions_may_be_idle_while_there_are_places(env: SmtpInEnv, behind: Any) -> None:
    listener = behind(connections=10, scarce_idle_s=30)
    idle = [listener.connect(f"192.0.2.{host}") for host in range(8)]
    env.clock.forward(200)
    assert listener.is_greeted("203.0.113.1")
    for client in idle:
        client.reply()
        assert client.ask("NOOP").startswith("250")


@WHERE_MAIL_COMES_IN
def test_sessions_that_bring_mail_go_on_while_places_are_scarce(
    env: SmtpInEnv, behind: Any, kind: Kind, tls: Tls
) -> None:
    listener = behind(kind, tls, connections=4, scarce_idle_s=30)
    ready, sending, dribbling = (listener.begin_data(f"192.0.2.{host}") for host in range(3))
    env.clock.forward(20)
    ready.say(".")
    assert ready.reply().startswith("250")
    sending.send(b"x" * 70 + b"\r\n")
    sending.send((b"x" * 70 + b"\r\n") * 2_000)
    dribbling.send(b"x")
    env.run(progressed(env, 2))
    env.clock.forward(20)
    listener.is_greeted("203.0.113.1")
    assert [line[:9] for line in dribbling.rest()] == ["421 4.3.2"]
    assert ready.ask("NOOP").startswith("250")
    sending.say("", ".")
    assert sending.reply().startswith("250")


async def progressed(env: SmtpInEnv, sessions: int) -> None:
    """Waits until this many sessions have made progress at the time that the clock shows."""
    now_s = env.clock.monotonic_s()
    while sum(one._progress_at_s == now_s for each in env.listeners for one in each._context.sessions) < sessions:
        await asyncio.sleep(0.01)


def test_the_last_places_are_for_clients_with_few_connections(behind: Any) -> None:
    listener = behind(connections=20, connections_per_client=9)
    for client in ("192.0.2.1", "192.0.2.2"):
        assert all(listener.is_greeted(client) for _ in range(9))
    for client in ("192.0.2.1", "192.0.2.2"):
        assert not listener.is_greeted(client)
    assert listener.is_greeted("203.0.113.1")
    assert listener.is_greeted("198.51.100.1")


@PORTS
def test_a_flood_of_one_listener_leaves_the_others(env: SmtpInEnv, behind: Any, kind: Kind, tls: Tls) -> None:
    flooded, other = behind(kind, tls, connections=10), behind("submission", "implicit", connections=10)
    greeted = [flooded.is_greeted(f"192.0.2.{host}") for host in range(20)]
    assert greeted[:8] == [True] * 8
    assert not any(greeted[8:])
    assert other.is_greeted("203.0.113.1")


def test_a_header_that_does_not_come_takes_a_place(env: SmtpInEnv) -> None:
    port = env.open(networks=FRONT, proxy_protocol=True)
    with Dialogue(port) as silent:
        silent.send(b"PROXY TCP4 ")
        while env.counters.taken("smtp", "") != 1:
            pass


class TestGuard:
    CLIENT = ipaddress.ip_address("192.0.2.1")

    def make(self, **limits: Any) -> Guard:
        guard = Guard(limits=SmtpLimits(**limits), networks=FRONT, counters=ProcessCounters(ManualClock()))
        assert guard.add_listener(lambda: None) == "0"
        return guard

    def test_a_client_that_is_refused_again_and_again_gets_no_reply_in_the_end(self) -> None:
        guard = self.make(connections_per_client=2)
        places = [guard.admit(self.CLIENT, "0") for _ in range(20)]
        assert [place.refusal for place in places] == [None] * 2 + ["connections_per_client"] * 18
        assert [place.is_answered for place in places] == [True] * 12 + [False] * 8

    def test_many_clients_that_are_refused_get_no_reply_in_the_end(self) -> None:
        guard = self.make(connections=2)
        places = [guard.admit(ipaddress.ip_address(f"192.0.2.{host}"), "0") for host in range(20)]
        assert [place.refusal for place in places] == [None] * 2 + ["connections"] * 18
        assert [place.is_answered for place in places] == [True] * 12 + [False] * 8

    def test_the_refused_take_no_place_of_a_session(self) -> None:
        guard = self.make(connections=3)
        first, *others = [guard.admit(ipaddress.ip_address(f"192.0.2.{host}"), "0") for host in range(20)]
        first.release()
        assert guard.admit(self.CLIENT, "0").refusal is None
        for place in others:
            place.release()
            place.release()
        assert [guard.admit(self.CLIENT, "0").refusal for _ in range(3)] == [None, None, "connections"]

    def test_a_trusted_client_is_never_refused(self) -> None:
        guard = self.make(connections=2, connections_per_client=1)
        assert {guard.admit(ipaddress.ip_address("198.51.100.1"), "0").refusal for _ in range(20)} == {None}
