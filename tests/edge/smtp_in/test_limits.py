"""R-IN-06, R-IN-10: every limit with its code, and nobody who must not be is cut off."""

import asyncio
import ipaddress
import itertools
from functools import partial
from typing import Any, Literal

import pytest

from relay.config import Networks, SmtpLimits
from relay.edge.counters import ProcessCounters
from relay.edge.smtp_in import Guard
from relay.edge.smtp_in.session import ServerSession
from tests.support.dialogue import Dialogue
from tests.support.fakes import ManualClock
from tests.support.smtp_in_env import SmtpInEnv, wait_until

ENVELOPE = ("EHLO client.example", "MAIL FROM:<a@client.example>", "RCPT TO:<x@shop.example>", "DATA")
LOOPBACK = Networks(trusted=("127.0.0.0/8",))


def ask_all(client: Dialogue, *lines: str) -> list[str]:
    return [client.ask(line)[:9] for line in lines]


def test_too_big_a_message_is_read_to_its_end_and_refused(env: SmtpInEnv) -> None:
    with Dialogue(env.open(limits=SmtpLimits(message_bytes=10_000))) as client:
        client.reply()
        ask_all(client, *ENVELOPE)
        for _ in range(200):
            client.send(b"x" * 10_000 + b"\r\n.x\r\n")
        client.send(b".\r\n")
        assert client.reply() == "552 5.3.4 the message is larger than 10000 bytes"
        assert ask_all(client, *ENVELOPE)[-1].startswith("354")
        client.say("small", ".")
        assert client.reply().startswith("250 2.0.0")
    assert [message.content for message in env.intake.messages] == [b"small\r\n"]


def test_recipients_beyond_the_limit_are_for_another_transaction(env: SmtpInEnv) -> None:
    with Dialogue(env.open(limits=SmtpLimits(recipients=2))) as client:
        client.reply()
        ask_all(client, *ENVELOPE[:2])
        rcpt = "RCPT TO:<x@shop.example>"
        assert ask_all(client, rcpt, "RCPT TO:<unknown@shop.example>", rcpt, rcpt) == [
            "250 2.1.5", "550 5.1.1", "250 2.1.5", "452 4.5.3",
        ]  # fmt: skip
        ask_all(client, "DATA")
        client.say(".")
        assert client.reply().startswith("250")
        assert ask_all(client, *ENVELOPE[1:2], rcpt) == ["250 2.1.0", "250 2.1.5"]
    assert len(env.intake.messages[0].rcpt_to) == 2


@pytest.mark.parametrize("limits", [SmtpLimits(connections=2), SmtpLimits(connections_per_client=2)])
def test_connections_beyond_the_limit_get_a_421_and_leaving_makes_room(env: SmtpInEnv, limits: SmtpLimits) -> None:
    port = env.open(limits=limits)
    with Dialogue(port) as first, Dialogue(port) as second:
        assert [first.reply()[:3], second.reply()[:3]] == ["220", "220"]
        with Dialogue(port) as third:
            assert [line[:9] for line in third.rest()] == ["421 4.7.0"]
        second.say("QUIT")
        second.rest()
        with Dialogue(port) as fourth:
            assert fourth.reply().startswith("220")


def test_listeners_share_their_counts(env: SmtpInEnv) -> None:
    limits = SmtpLimits(connections_per_client=1)
    with Dialogue(env.open(limits=limits)) as first:
        first.reply()
        with Dialogue(env.open("lmtp", limits=limits)) as second:
            assert second.reply().startswith("421 4.7.0")


def test_trusted_networks_are_free_of_connection_limits(env: SmtpInEnv) -> None:
    port = env.open(limits=SmtpLimits(connections=1, connections_per_client=1), networks=LOOPBACK)
    with Dialogue(port) as first, Dialogue(port) as second:
        assert [first.reply()[:3], second.reply()[:3]] == ["220", "220"]


def test_too_many_commands_end_the_session(env: SmtpInEnv) -> None:
    with Dialogue(env.open(limits=SmtpLimits(commands_per_session=3))) as client:
        client.reply()
        client.say(*["NOOP"] * 5)
        assert [line[:9] for line in client.rest()] == ["250 2.0.0"] * 3 + ["421 4.7.0"]
    assert env.observer.of("smtp_in_refused", reason="commands") == 1


def test_too_many_errors_end_the_session(env: SmtpInEnv) -> None:
    with Dialogue(env.open(limits=SmtpLimits(errors_per_session=3))) as client:
        client.reply()
        client.say("FOO", "NOOP", "MAIL", "RCPT TO:<>", "NOOP")
        assert [line[:9] for line in client.rest()] == ["500 5.5.1", "250 2.0.0", "503 5.5.1", "503 5.5.1", "421 4.7.0"]


def test_limits_belong_to_their_listener(env: SmtpInEnv) -> None:
    """The base class keeps command sizes in one table for all connections of the process."""
    small, large = (
        env.open(limits=SmtpLimits(message_bytes=10)),
        env.open(limits=SmtpLimits(message_bytes=99)),
    )
    with Dialogue(small) as first, Dialogue(large) as second:
        for client, size in ((first, "10"), (second, "99"), (first, "10")):
            client.ask("NOOP")
            assert f"SIZE {size}\n" in client.ask("EHLO client.example") + client.ask("EHLO client.example")


@pytest.mark.parametrize(
    ("limits", "lines"),
    [(SmtpLimits(command_idle_s=0.05), ()), (SmtpLimits(data_idle_s=0.05), ENVELOPE)],
    ids=["between commands", "within data"],
)
def test_a_silent_client_is_sent_away(env: SmtpInEnv, limits: SmtpLimits, lines: tuple[str, ...]) -> None:
    with Dialogue(env.open(limits=limits)) as client:
        client.say(*lines) if lines else None
        assert client.rest()[-1] == "421 4.4.2 idle for too long, closing"
    assert env.intake.messages == []


@pytest.mark.parametrize(
    ("kind", "lines", "drop"),
    [
        ("mx", (), b"NOOP"),
        ("mx", ENVELOPE, b"a\r\n"),
        ("mx", ENVELOPE, b"x"),
        ("submission", ("EHLO client.example", "AUTH LOGIN"), b"QUJD"),
    ],
    ids=["command", "lines of data", "one line of data", "login"],
)
def test_a_client_that_sends_drop_by_drop_is_sent_away(
    env: SmtpInEnv, kind: Literal["mx", "submission"], lines: tuple[str, ...], drop: bytes
) -> None:
    with Dialogue(env.open(kind, networks=Networks(plain_auth=True))) as client:
        client.reply()
        for line in lines:
            client.ask(line)
        for _ in range(7):  # never idle for a minute, but slower than any honest client
            client.send(drop)
            env.clock.forward(50)
        client.send(drop)
        assert client.rest()[-1] == "421 4.4.2 idle for too long, closing"
    assert env.intake.messages == []


def test_a_client_on_a_slow_line_may_take_its_time(env: SmtpInEnv) -> None:
    def has_read(size_bytes: int) -> bool:
        return any(len(session._buffer) > size_bytes for session in env.listeners[0]._context.sessions)

    with Dialogue(env.open(limits=SmtpLimits(data_idle_s=100, data_bytes_per_s=200))) as client:
        client.reply()
        ask_all(client, *ENVELOPE)
        for number in range(1, 11):
            client.send(b"x" * 9_998 + b"\r\n")
            wait_until(partial(has_read, number * 10_000))
            env.clock.forward(50)
        client.send(b".\r\n")
        assert client.reply().startswith("250")
    assert len(env.intake.messages[0].content) == 100_000


@pytest.mark.parametrize("command", ["NOOP", "EHLO client.example", "MAIL FROM:<a@client.example>\r\nRSET"])
def test_a_client_that_sends_many_commands_at_once_leaves_turns_to_others(env: SmtpInEnv, command: str) -> None:
    async def most_within_a_turn() -> int:
        most = before = 0
        while True:
            sessions = (one for one in env.listeners[0]._context.sessions if isinstance(one, ServerSession))
            done = max((session._commands for session in sessions), default=before)
            most, before = max(most, done - before), done
            if done >= 2_000:
                return most
            await asyncio.sleep(0)

    with Dialogue(env.open()) as client:
        client.reply()
        client.ask("EHLO client.example")
        count = env.begin(most_within_a_turn())
        client.send(f"{command}\r\n".encode() * 2_000)
        assert 0 < count.result(timeout=30) <= 100


def test_commands_do_not_keep_a_session_alive_beyond_its_time(env: SmtpInEnv) -> None:
    with Dialogue(env.open(limits=SmtpLimits(session_s=0.2))) as client:
        client.reply()
        assert any(client.ask("NOOP").startswith("421 4.4.2 the session") for _ in itertools.count())


def test_the_sessions_time_ends_within_data_too(env: SmtpInEnv) -> None:
    with Dialogue(env.open(limits=SmtpLimits(session_s=0.5))) as client:
        client.reply()
        assert ask_all(client, *ENVELOPE)[-1].startswith("354")
        assert client.rest()[-1].startswith("421 4.4.2 the session")


def test_a_commit_is_not_cut_by_the_sessions_time(env: SmtpInEnv) -> None:
    # R-IN-03
    env.close_gate()
    port = env.open(limits=SmtpLimits(session_s=1))
    with Dialogue(port) as client, Dialogue(port) as other:
        client.reply()
        ask_all(client, *ENVELOPE)
        client.say(".")
        assert other.rest()[-1].startswith("421")  # the later session's time is over, so the first one's is
        env.open_gate()
        assert [line[:9] for line in client.rest()][-2:] == ["250 2.0.0", "421 4.4.2"]


class TestDictionaryAttack:
    LIMITS = SmtpLimits(unknown_recipients_per_client=3, unknown_recipient_delay_s=0, unknown_recipients_window_s=60)
    GUESSES = tuple(f"RCPT TO:<unknown{number}@shop.example>" for number in range(6))

    def test_guessing_is_cut_off_and_stays_so_until_the_window_is_over(self, env: SmtpInEnv) -> None:
        port = env.open(limits=self.LIMITS)
        with Dialogue(port) as client:
            client.say(*ENVELOPE[:2], *self.GUESSES)
            assert [line[:9] for line in client.rest()][-4:] == ["550 5.1.1"] * 3 + ["421 4.7.0"]
        with Dialogue(port) as client:
            assert [line[:9] for line in client.rest()] == ["421 4.7.0"]
        env.clock.forward(61)
        with Dialogue(port) as client:
            assert client.reply().startswith("220")
        assert env.observer.of("smtp_in_refused", reason="unknown_recipients") == 2

    def test_new_connections_do_not_start_the_count_anew(self, env: SmtpInEnv) -> None:
        port = env.open(limits=self.LIMITS)
        ends = []
        for guess in self.GUESSES[:4]:
            with Dialogue(port) as client:
                client.say(*ENVELOPE[:2], guess, "QUIT")
                ends.append(client.rest()[-1][:3])
        assert ends == ["221", "221", "221", "421"]

    def test_trusted_networks_may_err(self, env: SmtpInEnv) -> None:
        with Dialogue(env.open(limits=self.LIMITS, networks=LOOPBACK)) as client:
            client.say(*ENVELOPE[:2], *self.GUESSES, "QUIT")
            assert [line[:3] for line in client.rest()][-7:] == ["550"] * 6 + ["221"]

    def test_a_network_is_counted_over_its_clients(self, env: SmtpInEnv) -> None:
        limits = SmtpLimits(unknown_recipients_per_network=3, unknown_recipient_delay_s=0)
        networks = Networks(front_hosts=("127.0.0.1",))
        port = env.open(limits=limits, networks=networks, proxy_protocol=True)

        def last_word(client_ip: str) -> str:
            with Dialogue(port, preface=f"PROXY TCP4 {client_ip} 127.0.0.1 9 25\r\n".encode()) as client:
                client.say(*ENVELOPE[:2], self.GUESSES[0], "QUIT")
                return client.rest()[-1][:3]

        assert [last_word(f"192.0.2.{host}") for host in range(1, 6)] == ["221", "221", "221", "421", "421"]
        assert last_word("192.0.3.1") == "221"

    @pytest.mark.parametrize("sender", ["192.0.2.1", "192.0.2.2"], ids=["the host", "another host of its network"])
    def test_one_user_of_a_provider_does_not_cut_off_the_others(self, env: SmtpInEnv, sender: str) -> None:
        limits = SmtpLimits(
            unknown_recipients_per_client=3,
            unknown_recipient_delay_s=0,
            unknown_recipients_window_s=60,
            errors_per_session=3,
        )
        networks = Networks(front_hosts=("127.0.0.1",))
        port = env.open(limits=limits, networks=networks, proxy_protocol=True)

        def replies(client_ip: str, *lines: str) -> list[str]:
            with Dialogue(port, preface=f"PROXY TCP4 {client_ip} 127.0.0.1 9 25\r\n".encode()) as client:
                client.say(*lines, "QUIT")
                return [line[:9] for line in client.rest()]

        mail = (*ENVELOPE, ".")
        for _ in range(3):  # the window of the accepted mail is a moving one
            assert replies(sender, *mail)[-2] == "250 2.0.0"
            env.clock.forward(50)
            for _ in range(5):
                assert replies("192.0.2.1", *ENVELOPE[:2], self.GUESSES[0])[-2:] == ["550 5.1.1", "221 2.0.0"]
        assert replies("192.0.2.1", *mail)[-2] == "250 2.0.0"
        guesses = replies("192.0.2.1", *ENVELOPE[:2], *self.GUESSES)
        assert guesses[-4:] == ["550 5.1.1"] * 3 + ["421 4.7.0"]
        assert replies("192.0.3.1", *ENVELOPE[:2], *self.GUESSES)[-1] == "421 4.7.0"
        assert replies("192.0.3.1") == ["421 4.7.0"]
        env.clock.forward(121)
        assert replies("192.0.2.1", *ENVELOPE[:2], *self.GUESSES)[-1] == "421 4.7.0"
        assert replies("192.0.2.1") == ["421 4.7.0"]


class TestGuard:
    CLIENT = ipaddress.ip_address("2001:db8::1")

    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock()

    def make(self, clock: ManualClock, **limits: Any) -> Guard:
        networks = Networks(trusted=("2001:db8:f::/48",))
        return Guard(limits=SmtpLimits(**limits), networks=networks, counters=ProcessCounters(clock))

    def test_all_but_the_first_guess_are_slowed(self, clock: ManualClock) -> None:
        guard = self.make(clock, unknown_recipient_delay_s=2)
        assert [guard.unknown_recipient(self.CLIENT) for _ in range(3)] == [0, 2, 2]
        assert guard.unknown_recipient(ipaddress.ip_address("2001:db8:f::1")) == 0

    def test_wrong_passwords_are_answered_ever_later_up_to_a_cap(self, clock: ManualClock) -> None:
        guard = self.make(clock, unknown_recipient_delay_s=1)
        delays = []
        for number in range(12):
            guard.begin_login(self.CLIENT, f"name-{number}")
            delays.append(guard.failed_login_delay_s(self.CLIENT))
        assert delays[:5] == [1, 2, 4, 8, 16]
        assert set(delays[5:]) == {30}

    def test_a_64_is_one_network_and_the_next_is_another(self, clock: ManualClock) -> None:
        guard = self.make(clock, unknown_recipients_per_network=1)
        for text in ("2001:db8::1", "2001:db8::2"):
            guard.unknown_recipient(ipaddress.ip_address(text))
        assert guard.is_cut_off(ipaddress.ip_address("2001:db8::ffff:3"))
        assert not guard.is_cut_off(ipaddress.ip_address("2001:db8:0:1::1"))

    def test_a_window_closes(self, clock: ManualClock) -> None:
        guard = self.make(clock, unknown_recipients_per_client=0, unknown_recipients_window_s=10)
        guard.unknown_recipient(self.CLIENT)
        clock.forward(9)
        assert guard.is_cut_off(self.CLIENT)
        clock.forward(1)
        assert not guard.is_cut_off(self.CLIENT)


def test_stopping_lets_a_transaction_end_and_sends_the_idle_away(env: SmtpInEnv) -> None:
    # R-UI-11
    env.close_gate()
    port = env.open()
    with Dialogue(port) as idle, Dialogue(port) as busy, Dialogue(port) as sending:
        idle.reply()
        for client in (busy, sending):
            client.reply()
            ask_all(client, *ENVELOPE)
        busy.say("Subject: last", ".")
        assert env.intake.begun.wait(20)
        stopping = env.begin(env.listeners[0].stop(20))
        assert [line[:9] for line in idle.rest()] == ["421 4.3.2"]
        env.open_gate()
        assert [line[:9] for line in busy.rest()] == ["250 2.0.0", "421 4.3.2"]
        sending.say(".")
        assert [line[:9] for line in sending.rest()] == ["250 2.0.0", "421 4.3.2"]
        stopping.result(timeout=20)
        with pytest.raises(ConnectionRefusedError):
            Dialogue(port)
    assert len(env.intake.messages) == 2


def test_stopping_does_not_wait_longer_than_its_grace(env: SmtpInEnv) -> None:
    with Dialogue(env.open()) as client:
        client.reply()
        ask_all(client, *ENVELOPE)
        env.run(env.listeners[0].stop(0.05))
        assert client.rest() == []
    assert env.intake.messages == []


@pytest.mark.parametrize("at", ["intake", "memory"])
def test_a_commit_that_is_not_written_yet_ends_with_the_grace(env: SmtpInEnv, at: str) -> None:
    # R-UI-11: the client sends the message again.
    env.close_gate()
    big = ["x" * 900] * 400
    port = env.open(limits=SmtpLimits(judged_bytes=1 if at == "memory" else 33_554_432))
    with Dialogue(port) as first, Dialogue(port) as second:
        for client in (first, second):
            client.reply()
            ask_all(client, *ENVELOPE)
            client.say(*(big if at == "memory" else ["Subject: x"]), ".")
            assert env.intake.begun.wait(20)
        if at == "intake":
            wait_until(lambda: len(env.intake.begun_bytes) == 2)
        env.run(env.listeners[0].stop(0.05))
        for client in (first, second):
            assert [line[:9] for line in client.rest()] == ["451 4.3.2", "421 4.3.2"]
    assert env.intake.messages == []
    assert env.loop_faults == []
