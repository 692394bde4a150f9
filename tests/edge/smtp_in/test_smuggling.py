"""R-IN-04: no line end but CR LF ever ends anything, and nothing sent in clear survives into TLS."""

import itertools

import pytest

from tests.edge.smtp_in.conftest import TlsPair
from tests.support.dialogue import Dialogue
from tests.support.smtp_in_env import SmtpInEnv

LINE_ENDS = (b"", b"\r", b"\n", b"\r\n")
AROUND = sorted({first + second for first, second in itertools.product(LINE_ENDS, repeat=2)})
HIDDEN = b"MAIL FROM:<evil@client.example>\r\nRCPT TO:<x@shop.example>\r\nDATA\r\nsmuggled\r\n.\r\nQUIT\r\n"
ENVELOPE = ("EHLO client.example", "MAIL FROM:<honest@client.example>", "RCPT TO:<x@shop.example>", "DATA")


@pytest.mark.parametrize("bytewise", [False, True], ids=["one write", "bytewise"])
@pytest.mark.parametrize("before", AROUND, ids=repr)
def test_a_dot_between_odd_line_ends_gives_one_message_or_a_refusal(
    env: SmtpInEnv, before: bytes, bytewise: bool
) -> None:
    port = env.open()
    for after in AROUND:
        around = b"first" + before + b"." + after
        payload = around + HIDDEN
        with Dialogue(port) as client:
            client.reply()
            for line in ENVELOPE:
                client.ask(line)
            (client.send_bytewise if bytewise else client.send)(payload)
            answers = [line[:3] for line in client.rest()]
        senders, env.intake.senders = env.intake.senders, []
        messages, env.intake.messages = env.intake.messages, []
        first, true_end, _ = around.partition(b"\r\n.\r\n")
        rest = first.replace(b"\r\n", b"")
        if b"\r" in rest or b"\n" in rest:  # refused, and nothing behind it is listened to
            assert (senders, answers, messages) == (["honest@client.example"], ["550", "421"], []), payload
        elif true_end:  # what follows are the client's own commands
            assert (answers[0], messages[0].content) == ("250", first + b"\r\n"), payload
        else:
            assert (senders, answers, len(messages)) == (["honest@client.example"], ["250", "221"], 1), payload


@pytest.mark.parametrize(
    "ending", [b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r\n\0.\r\n", b"\r\n. \r\n"]
)
def test_the_server_goes_on_reading_after_a_mark_that_is_none(env: SmtpInEnv, ending: bytes) -> None:
    with Dialogue(env.open()) as client:
        client.reply()
        for line in ENVELOPE:
            client.ask(line)
        client.send(b"text" + ending)
        client.close_sending()
        assert client.rest() == []
    assert env.intake.messages == []


def test_command_lines_end_in_cr_lf_only(env: SmtpInEnv) -> None:
    with Dialogue(env.open()) as client:
        client.reply()
        client.send(b"EHLO a.example\nMAIL FROM:<evil@client.example>\nNOOP\r\nNO\rOP\r\nQUIT\r\n")
        assert [line[:9] for line in client.rest()] == [
            "500 5.5.2", "500 5.5.2", "250 2.0.0", "500 5.5.2", "221 2.0.0",
        ]  # fmt: skip
    assert env.intake.senders == []


def test_an_endless_command_line_is_one_refusal(env: SmtpInEnv) -> None:
    with Dialogue(env.open()) as client:
        client.reply()
        client.send(b"NOOP " + b"x" * 300_000 + b"\r\n" + b"NOOP " + b"x" * 2_042 + b"\r\nQUIT\r\n")
        assert [line[:9] for line in client.rest()] == ["500 5.5.2", "500 5.5.2", "221 2.0.0"]


class TestStartTls:
    @pytest.fixture
    def port(self, env: SmtpInEnv, tls_pair: TlsPair) -> int:
        return env.open("mx", "starttls", context=tls_pair.server)

    def test_commands_behind_starttls_end_the_connection(self, env: SmtpInEnv, port: int) -> None:
        with Dialogue(port) as client:
            client.reply()
            client.ask("EHLO client.example")
            client.say("STARTTLS", "RSET", "MAIL FROM:<evil@client.example>")
            assert [line[:9] for line in client.rest()] == ["421 4.7.0"]
        assert env.intake.senders == []
        assert env.observer.of("smtp_in_refused", reason="starttls_injection") == 1

    def test_clear_text_after_the_go_never_becomes_a_command(self, env: SmtpInEnv, port: int) -> None:
        with Dialogue(port) as client:
            client.reply()
            assert client.ask("STARTTLS").startswith("220")
            client.say("EHLO client.example", "MAIL FROM:<evil@client.example>")
            assert not [line for line in client.rest() if line[:3].isdigit()]
        assert env.intake.senders == []

    def test_all_before_tls_is_forgotten(self, env: SmtpInEnv, port: int, tls_pair: TlsPair) -> None:
        with Dialogue(port) as client:
            client.reply()
            assert "\n250 STARTTLS" in client.ask("EHLO clear.example")
            client.ask("MAIL FROM:<clear@client.example>")
            client.ask("STARTTLS")
            client.start_tls(tls_pair.client)
            assert client.ask("MAIL FROM:<a@client.example>").startswith("503")
            assert client.ask("RCPT TO:<x@shop.example>").startswith("503")
            assert "STARTTLS" not in client.ask("EHLO tls.example")
            assert client.ask("STARTTLS").startswith("503 5.5.1")
            client.say("MAIL FROM:<a@client.example>", "RCPT TO:<x@shop.example>", "DATA", "x", ".", "QUIT")
            assert client.rest()[-1].startswith("221")
        (message,) = env.intake.messages
        assert (message.peer.tls, message.peer.helo, message.mail_from) == (True, "tls.example", "a@client.example")

    def test_a_client_that_talks_tls_at_once_is_not_kept(self, env: SmtpInEnv, port: int) -> None:
        with Dialogue(port) as client:
            client.reply()
            client.ask("STARTTLS")
            client.reset()
        with Dialogue(port) as client:
            assert client.reply().startswith("220")
