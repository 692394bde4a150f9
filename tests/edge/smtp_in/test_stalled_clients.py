"""R-IN-06: a client that does not read, or that never begins TLS, costs little and is gone when its session is over."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Protocol

import pytest

from relay.config import Networks, SmtpLimits
from tests.edge.smtp_in.conftest import TlsPair
from tests.support.dialogue import Dialogue
from tests.support.smtp_in_env import SmtpInEnv, Tls, wait_until

FLOOD = b"EHLO x\r\n" * 400_000
BUFFER_BYTES = 3 * 65_536
CLIENT = "127.0.0.1"


class StalledClient:
    """A client with a tiny receive buffer that sends without end and never reads, in a thread of its own."""

    def __init__(self, port: int, tls: Tls, pair: TlsPair, *, flood: bool = True, preface: bytes = b"") -> None:
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_304)
        raw.settimeout(20)
        raw.connect((CLIENT, port))
        raw.sendall(preface)
        if tls == "starttls":
            raw.recv(100)
            raw.sendall(b"STARTTLS\r\n")
            raw.recv(100)
        self._socket = raw if tls == "none" else pair.client.wrap_socket(raw, server_hostname="localhost")
        self._thread = threading.Thread(target=self._send, daemon=True)
        if flood:
            self._thread.start()

    def _send(self) -> None:
        with contextlib.suppress(OSError, ssl.SSLError):
            self._socket.sendall(FLOOD)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if self._thread.ident is not None:
            self._thread.join(timeout=20)
        self._socket.close()


class StallClient(Protocol):
    """Starts a client that sends and never reads; the fixture closes it."""

    def __call__(self, port: int, tls: Tls = "none", *, flood: bool = True, preface: bytes = b"") -> StalledClient: ...


@pytest.fixture
def stall(env: SmtpInEnv, tls_pair: TlsPair) -> Iterator[StallClient]:
    with contextlib.ExitStack() as stack:

        def start(port: int, tls: Tls = "none", *, flood: bool = True, preface: bytes = b"") -> StalledClient:
            client = StalledClient(port, tls, tls_pair, flood=flood, preface=preface)
            stack.callback(client.close)
            return client

        yield start


async def sockets_of(env: SmtpInEnv) -> list[asyncio.WriteTransport]:
    """Returns the transports of all sessions that are not over."""
    return [session._writer.transport for listener in env.listeners for session in listener._context.sessions]


async def counted(env: SmtpInEnv) -> int:
    return env.counters.taken("smtp", "")


def server_sides(port: int) -> int:
    """Counts the open sockets of accepted connections of this port."""
    count = 0
    for row in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        local, state, inode = (row.split()[at] for at in (1, 3, 9))
        count += local.endswith(f":{port:04X}") and state != "0A" and inode != "0"
    return count


def everything_is_gone(env: SmtpInEnv, port: int) -> bool:
    return server_sides(port) == 0 and env.run(counted(env)) == 0


TRANSPORTS = pytest.mark.parametrize("tls", ["none", "starttls", "implicit"])


@TRANSPORTS
def test_an_idle_client_that_does_not_read_is_gone_after_its_limit(
    env: SmtpInEnv, tls_pair: TlsPair, stall: StallClient, tls: Tls
) -> None:
    port = env.open("mx", tls, context=tls_pair.server, limits=SmtpLimits(command_idle_s=1))
    stall(port, tls)
    wait_until(lambda: env.observer.of("smtp_in_refused", reason="idle") == 1)
    wait_until(lambda: everything_is_gone(env, port))


@TRANSPORTS
def test_replies_that_nobody_reads_do_not_pile_up(
    env: SmtpInEnv, tls_pair: TlsPair, stall: StallClient, tls: Tls
) -> None:
    port = env.open("mx", tls, context=tls_pair.server, limits=SmtpLimits(session_s=2))
    # Accepted sockets inherit it: the kernel takes few replies, and the process has the rest.
    server = env.listeners[0]._server
    assert server is not None
    server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    stall(port, tls)
    largest = 0

    def is_over() -> bool:
        nonlocal largest
        sizes = [transport.get_write_buffer_size() for transport in env.run(sockets_of(env))]
        largest = max(largest, *sizes, 0)
        return bool(env.observer.of("smtp_in_refused", reason="session") == 1)

    wait_until(is_over)
    assert 0 < largest < BUFFER_BYTES


@pytest.mark.parametrize("tls", ["none", "implicit"])
@pytest.mark.parametrize(
    ("kind", "limits", "reason"),
    [("lmtp", SmtpLimits(errors_per_session=1), "errors"), ("mx", SmtpLimits(commands_per_session=1), "commands")],
    ids=["errors", "commands"],
)
def test_a_client_that_keeps_sending_is_gone_after_its_limit(
    env: SmtpInEnv,
    tls_pair: TlsPair,
    stall: StallClient,
    tls: Tls,
    kind: Literal["mx", "submission"],
    limits: SmtpLimits,
    reason: str,
) -> None:
    port = env.open(kind, tls, context=tls_pair.server, limits=limits)
    stall(port, tls)
    wait_until(lambda: env.observer.of("smtp_in_refused", reason=reason) == 1)
    wait_until(lambda: everything_is_gone(env, port))


def test_a_refused_client_that_does_not_read_is_counted_until_its_socket_is_gone(
    env: SmtpInEnv, stall: StallClient
) -> None:
    port = env.open(limits=SmtpLimits(connections_per_client=1))
    with Dialogue(port) as first:
        first.reply()
        stall(port)
        wait_until(lambda: env.observer.of("smtp_in_refused", reason="connections_per_client") == 1)
        wait_until(lambda: env.run(counted(env)) == 1)
        wait_until(lambda: server_sides(port) == 1)
        assert first.ask("NOOP").startswith("250")


@TRANSPORTS
def test_a_client_that_is_sent_away_stays_counted_while_its_socket_is_open(
    env: SmtpInEnv, tls_pair: TlsPair, stall: StallClient, tls: Tls
) -> None:
    port = env.open("mx", tls, context=tls_pair.server, limits=SmtpLimits(session_s=1))
    stall(port, tls)
    over = False

    def is_gone() -> bool:
        nonlocal over
        open_before, count, open_after = server_sides(port), env.run(counted(env)), server_sides(port)
        over = over or env.observer.of("smtp_in_refused", reason="session") == 1
        assert count == 1 or not (over and open_before and open_after)
        return over and open_after == 0

    wait_until(is_gone)
    wait_until(lambda: env.run(counted(env)) == 0)


@TRANSPORTS
def test_stopping_leaves_no_socket_of_a_client_that_does_not_read(
    env: SmtpInEnv, tls_pair: TlsPair, stall: StallClient, tls: Tls
) -> None:
    port = env.open("mx", tls, context=tls_pair.server)
    stall(port, tls)
    wait_until(lambda: any(transport.get_write_buffer_size() for transport in env.run(sockets_of(env))))
    env.run(env.listeners[0].stop(20))
    wait_until(lambda: everything_is_gone(env, port))


def test_starttls_of_a_client_that_does_not_read_is_limited_too(
    env: SmtpInEnv, tls_pair: TlsPair, stall: StallClient
) -> None:
    port = env.open("mx", "starttls", context=tls_pair.server, limits=SmtpLimits(command_idle_s=1))
    stall(port, flood=False, preface=b"EHLO x\r\n" * 20_000 + b"STARTTLS\r\n")
    wait_until(lambda: everything_is_gone(env, port) and env.observer.of("smtp_in_connections") == 1)


@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "proxied"])
def test_connections_before_the_handshake_count(env: SmtpInEnv, tls_pair: TlsPair, proxied: bool) -> None:
    networks = Networks(front_hosts=(CLIENT,)) if proxied else Networks()
    port = env.open(
        "submission",
        "implicit",
        context=tls_pair.server,
        limits=SmtpLimits(connections_per_client=2),
        networks=networks,
        proxy_protocol=proxied,
    )
    header = b"PROXY TCP4 192.0.2.7 127.0.0.1 999 465\r\n" if proxied else b""
    with Dialogue(port, preface=header) as silent, Dialogue(port, preface=header):
        wait_until(lambda: env.run(counted(env)) == 2)
        with Dialogue(port, preface=header) as third:
            assert third.rest() == []
        assert env.observer.of("smtp_in_refused", reason="connections_per_client") == 1
        silent.reset()
        wait_until(lambda: env.run(counted(env)) == 1)
        with Dialogue(port, preface=header, tls=tls_pair.client) as fourth:
            assert fourth.reply().startswith("220")
    wait_until(lambda: env.run(counted(env)) == 0)


@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "proxied"])
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_handshake_that_does_not_come_has_its_own_limit(
    env: SmtpInEnv, tls_pair: TlsPair, tls: Tls, proxied: bool
) -> None:
    port = env.open(
        "submission",
        tls,
        context=tls_pair.server,
        limits=SmtpLimits(handshake_s=0.1),
        networks=Networks(front_hosts=(CLIENT,)),
        proxy_protocol=proxied,
    )
    with Dialogue(port, preface=b"PROXY TCP4 192.0.2.7 127.0.0.1 999 465\r\n" if proxied else b"") as silent:
        if tls == "starttls":
            silent.reply()
            silent.ask("STARTTLS")
        assert silent.rest() == []
    wait_until(lambda: everything_is_gone(env, port))


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_handshake_that_comes_drop_by_drop_gets_no_more_time(env: SmtpInEnv, tls_pair: TlsPair, tls: Tls) -> None:
    port = env.open("submission", tls, context=tls_pair.server, limits=SmtpLimits(handshake_s=0.3))
    with Dialogue(port) as client:
        if tls == "starttls":
            client.reply()
            client.ask("STARTTLS")
        client.send(b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03")  # a long ClientHello begins

        def is_gone() -> bool:
            with contextlib.suppress(OSError):
                client.send(b"\0")
            return everything_is_gone(env, port)

        wait_until(is_gone)


@TRANSPORTS
def test_a_peer_that_no_longer_acknowledges_is_given_up_by_the_kernel(
    env: SmtpInEnv, tls_pair: TlsPair, tls: Tls
) -> None:
    port = env.open("mx", tls, context=tls_pair.server, limits=SmtpLimits(command_idle_s=77))
    with Dialogue(port, tls=tls_pair.client if tls == "implicit" else None) as client:
        client.reply()
        (transport,) = env.run(sockets_of(env))
        option = transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    assert option == 80_000
