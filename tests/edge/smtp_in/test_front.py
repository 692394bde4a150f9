"""R-IN-01: behind another MTA or a balancer, by LMTP, PROXY protocol or XCLIENT, from listed hosts only."""

import socket
import struct
from collections.abc import Iterator

import pytest

from relay.config import Networks, SmtpLimits
from relay.core.model.message import Port
from relay.core.model.reply import Reply
from tests.edge.smtp_in.conftest import TlsPair
from tests.support.dialogue import Dialogue
from tests.support.smtp_in_env import TAKEN, SmtpInEnv, Tls

FRONT = Networks(front_hosts=("127.0.0.1",))
OTHERS = Networks(front_hosts=("192.0.2.0/24",))
V2 = b"\r\n\r\n\0\r\nQUIT\n"


def version_2(command: int, family: int, addresses: bytes) -> bytes:
    return V2 + struct.pack("!BBH", 0x20 | command, family << 4 | 1, len(addresses)) + addresses


V4 = socket.inet_pton(socket.AF_INET, "192.0.2.7") + bytes(4) + struct.pack("!HH", 999, 25)
V6 = socket.inet_pton(socket.AF_INET6, "2001:db8::7") + bytes(16) + struct.pack("!HH", 999, 25)
MAPPED = socket.inet_pton(socket.AF_INET6, "::ffff:192.0.2.7") + bytes(16) + struct.pack("!HH", 999, 25)

HEADERS = [
    (b"PROXY TCP4 192.0.2.7 127.0.0.1 999 25\r\n", "192.0.2.7"),
    (b"PROXY TCP6 2001:db8::7 ::1 999 25\r\n", "2001:db8::7"),
    (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    (version_2(1, 1, V4), "192.0.2.7"),
    (version_2(1, 1, V4 + b"\x04\x00\x02xx"), "192.0.2.7"),
    (version_2(1, 2, V6), "2001:db8::7"),
    (version_2(1, 2, MAPPED), "192.0.2.7"),
    (version_2(0, 0, b""), "127.0.0.1"),
]


@pytest.mark.parametrize(("header", "client_ip"), HEADERS, ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.parametrize("tls", ["none", "implicit"])
def test_a_proxy_header_names_the_client(
    env: SmtpInEnv, tls_pair: TlsPair, tls: Tls, header: bytes, client_ip: str
) -> None:
    port = env.open("mx", tls, context=tls_pair.server, networks=FRONT, proxy_protocol=True)
    with Dialogue(port, preface=header, tls=tls_pair.client if tls == "implicit" else None) as client:
        client.reply()
        client.ask("EHLO client.example")
        assert client.ask("MAIL FROM:<a@client.example>").startswith("250")
    assert [(peer.client_ip, peer.is_front) for peer in env.intake.peers] == [(client_ip, client_ip == "127.0.0.1")]


def test_commands_in_the_packet_of_the_header_are_not_lost(env: SmtpInEnv) -> None:
    port = env.open(networks=FRONT, proxy_protocol=True)
    with Dialogue(port, preface=HEADERS[0][0] + b"EHLO a.example\r\nMAIL FROM:<>\r\nQUIT\r\n") as client:
        assert client.rest()[-1].startswith("221")
    assert env.intake.senders == [""]


@pytest.mark.parametrize(
    "header",
    [
        b"EHLO client.example\r\n",
        b"PROXY TCP4 192.0.2.7\r\n",
        b"PROXY TCP4 nobody 127.0.0.1 999 25\r\n",
        b"PROXY " + b"x" * 300 + b"\r\n",
        V2 + b"\x31\x11\x00\x00",
        version_2(1, 1, b"short"),
    ],
)
def test_without_a_sound_header_there_is_no_session(env: SmtpInEnv, header: bytes) -> None:
    port = env.open(networks=FRONT, proxy_protocol=True)
    with Dialogue(port, preface=header) as client:
        assert client.rest() == []
    assert env.observer.of("smtp_in_refused", reason="proxy") == 1
    with Dialogue(port, preface=HEADERS[0][0]) as client:
        assert client.reply().startswith("220")


def test_others_cannot_name_a_client(env: SmtpInEnv) -> None:
    port = env.open(networks=OTHERS, proxy_protocol=True)
    with Dialogue(port) as client:
        assert client.rest() == []
    with Dialogue(env.open(networks=OTHERS)) as client:
        client.reply()
        assert "XCLIENT" not in client.ask("EHLO client.example")
        assert client.ask("XCLIENT ADDR=192.0.2.7").startswith("550 5.7.0")


def test_whom_a_balancer_passes_on_cannot_name_another_client(env: SmtpInEnv) -> None:
    port = env.open(networks=FRONT, proxy_protocol=True)
    with Dialogue(port, preface=HEADERS[0][0]) as client:
        client.reply()
        assert "XCLIENT" not in client.ask("EHLO client.example")
        assert client.ask("XCLIENT ADDR=198.51.100.1").startswith("550 5.7.0")


class TestXclient:
    @pytest.fixture
    def client(self, env: SmtpInEnv) -> Iterator[Dialogue]:
        with Dialogue(env.open(networks=FRONT)) as client:
            client.reply()
            yield client

    def test_names_client_and_greeting_and_starts_anew(self, client: Dialogue, env: SmtpInEnv) -> None:
        assert "250 XCLIENT NAME ADDR PORT PROTO HELO LOGIN" in client.ask("EHLO front.example")
        given = "XCLIENT ADDR=IPV6:2001:db8::7 NAME=[UNAVAILABLE] PORT=9 PROTO=ESMTP HELO=real+2Eexample LOGIN=x"
        assert client.ask(given).startswith("220 mx.shop.example")
        assert client.ask("MAIL FROM:<>").startswith("503 5.5.1")
        client.ask("EHLO front.example")
        client.ask("MAIL FROM:<>")
        (peer,) = env.intake.peers
        assert (peer.client_ip, peer.helo, peer.login_party_id) == ("2001:db8::7", "real.example", None)

    def test_without_helo_the_greeting_is_what_follows(self, client: Dialogue, env: SmtpInEnv) -> None:
        client.ask("XCLIENT ADDR=192.0.2.7")
        client.ask("EHLO real.example")
        client.ask("MAIL FROM:<>")
        assert [(peer.client_ip, peer.helo) for peer in env.intake.peers] == [("192.0.2.7", "real.example")]

    @pytest.mark.parametrize("argument", ["", " ADDR", " ADDR=", " ADDR=nobody", " WHO=me", " HELO=a@b"])
    def test_malformed_attributes_are_refused(self, client: Dialogue, argument: str) -> None:
        assert client.ask("XCLIENT" + argument).startswith("501 5.5.4")

    def test_not_within_a_transaction(self, client: Dialogue) -> None:
        client.ask("EHLO front.example")
        client.ask("MAIL FROM:<>")
        assert client.ask("XCLIENT ADDR=192.0.2.7").startswith("503 5.5.1")


def test_a_front_is_not_limited_but_each_client_behind_it_is(env: SmtpInEnv) -> None:
    # R-IN-06, R-IN-10
    port = env.open(networks=FRONT, limits=SmtpLimits(connections_per_client=1))
    with Dialogue(port) as first, Dialogue(port) as second:
        first.reply()
        second.reply()
        assert first.ask("XCLIENT ADDR=192.0.2.7").startswith("220")
        assert second.ask("XCLIENT ADDR=192.0.2.7").startswith("421 4.7.0")


# R-IN-01, R-IN-05, RFC 2033 §4.2
class TestLmtp:
    def begin(self, env: SmtpInEnv, *recipients: str) -> Dialogue:
        client = Dialogue(env.open("lmtp"))
        assert client.reply() == "220 mx.shop.example LMTP relay"
        for line in ("LHLO mta.example", "MAIL FROM:<a@client.example>", *(f"RCPT TO:<{name}>" for name in recipients)):
            client.ask(line)
        return client

    def test_each_accepted_recipient_has_its_answer(self, env: SmtpInEnv) -> None:
        refused = Reply(550, "5.7.1", "blocked")
        env.intake.answer = lambda incoming: [TAKEN, refused, TAKEN]
        with self.begin(
            env, "one@shop.example", "unknown@shop.example", "two@shop.example", "one@shop.example"
        ) as client:
            client.ask("DATA")
            client.say("x", ".", "QUIT")
            assert client.rest() == ["250 2.0.0 taken", "550 5.7.1 blocked", "250 2.0.0 taken", "221 2.0.0 bye"]
        assert env.intake.messages[0].peer.port is Port.LMTP

    @pytest.mark.parametrize(("content", "code"), [("bare\nfeed", "550 5.6.11"), ("x\0", "550 5.6.0")])
    def test_a_refusal_of_the_content_is_said_to_each(self, env: SmtpInEnv, content: str, code: str) -> None:
        with self.begin(env, "one@shop.example", "two@shop.example") as client:
            client.ask("DATA")
            client.say(content, ".")
            assert [client.reply()[: len(code)] for _ in range(2)] == [code] * 2

    def test_a_fault_is_said_to_each(self, env: SmtpInEnv) -> None:
        env.intake.fault, env.intake.fault_at = RuntimeError("secret"), "data"
        with self.begin(env, "one@shop.example", "two@shop.example") as client:
            client.ask("DATA")
            client.say("x", ".", "QUIT")
            assert [line[:9] for line in client.rest()] == ["451 4.3.0", "451 4.3.0", "221 2.0.0"]

    def test_says_lhlo_only_and_needs_a_recipient(self, env: SmtpInEnv) -> None:
        with self.begin(env) as client:
            assert client.ask("EHLO mta.example").startswith("500 5.5.1")
            assert client.ask("HELO mta.example").startswith("500 5.5.1")
            assert client.ask("DATA").startswith("503 5.5.1")
