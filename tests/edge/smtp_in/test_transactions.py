"""A transaction over a real socket: what is taken, what is answered, and that nothing under way is lost."""

import inspect
import re
from typing import Any

import pytest

from relay.config import SmtpLimits
from relay.core.model.message import Port
from relay.core.model.reply import Reply
from relay.edge.smtp_in import session
from relay.edge.smtp_in.transaction import fold
from relay.ports import UnavailableError
from tests.edge.smtp_in.conftest import TlsPair
from tests.support.dialogue import Dialogue
from tests.support.smtp_in_env import TAKEN, UNKNOWN, SmtpInEnv, Tls

ENVELOPE = ("EHLO client.example", "MAIL FROM:<a@client.example>", "RCPT TO:<x@shop.example>")


def begin(env: SmtpInEnv, **options: Any) -> Dialogue:
    """A connection whose banner was read."""
    client = Dialogue(env.open(**options))
    client.reply()
    return client


def to_data(client: Dialogue, *recipients: str) -> None:
    for line in (*ENVELOPE[:2], *(f"RCPT TO:<{recipient}>" for recipient in recipients or ["x@shop.example"])):
        client.ask(line)
    assert client.ask("DATA").startswith("354 ")


# R-IN-01
def test_a_message_crosses_the_door_and_what_is_offered_is_kept(env: SmtpInEnv) -> None:
    with Dialogue(env.open()) as client:
        client.play("""
            S: 220 mx.shop.example ESMTP relay
            C: EHLO client.example
            S: 250-mx.shop.example
            S: 250-PIPELINING
            S: 250-SIZE 26214400
            S: 250-8BITMIME
            S: 250-SMTPUTF8
            S: 250 ENHANCEDSTATUSCODES
            C: MAIL FROM:<a@client.example> SIZE=30 BODY=8BITMIME SMTPUTF8
            S: 250 2.1.0 *
            C: RCPT TO:<店@shop.example>
            S: 250 2.1.5 *
            C: DATA
            S: 354 *
            C: Subject: こんにちは
            C:
            C: .. dots
            C: .
            S: 250 2.0.0 taken
            C: QUIT
            S: 221 2.0.0 *
        """)
        assert client.rest() == []
    (message,) = env.intake.messages
    assert message.content == "Subject: こんにちは\r\n\r\n. dots\r\n".encode()
    assert (message.mail_from, message.rcpt_to, message.smtputf8) == ("a@client.example", ("店@shop.example",), True)
    peer = message.peer
    assert (peer.port, peer.client_ip, peer.helo, peer.tls) == (Port.MX, "127.0.0.1", "client.example", False)


# R-IN-01
def test_pipelined_commands_are_answered_in_one_write(env: SmtpInEnv) -> None:
    with begin(env) as client:
        client.ask("EHLO client.example")
        client.say("MAIL FROM:<>", "RCPT TO:<x@shop.example>", "RCPT TO:<unknown@shop.example>", "DATA")
        assert [line[:9] for line in client.piece().decode().splitlines()] == [
            "250 2.1.0", "250 2.1.5", "550 5.1.1", "354 end w",
        ]  # fmt: skip
        client.say("Subject: one", ".", "MAIL FROM:<>", "QUIT")
        assert [line[:9] for line in client.rest()] == ["250 2.0.0", "250 2.1.0", "221 2.0.0"]


def test_null_sender_is_empty(env: SmtpInEnv) -> None:
    with begin(env) as client:
        client.ask("EHLO client.example")
        assert client.ask("MAIL FROM:<>").startswith("250")
    assert env.intake.senders == [""]


def test_postmaster_without_a_domain_is_ours(env: SmtpInEnv) -> None:
    # R-IN-10, RFC 5321 §4.5.1
    with begin(env) as client:
        client.say("HELO client.example", "MAIL FROM:<a@b.example>", "RCPT TO:<Postmaster>", "QUIT")
        client.rest()
    assert env.intake.recipients == ["Postmaster@mx.shop.example"]


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("MAIL FROM:a@b.example", "501 5.5.4"),
        ("MAIL FROM <a@b.example>", "501 5.5.4"),
        ("MAIL TO:<a@b.example>", "501 5.5.4"),
        ("MAIL", "501 5.5.4"),
        ("MAIL FROM:<a@b.example", "501 5.5.4"),
        ("MAIL FROM:<a@b.example>>", "501 5.5.4"),
        ("MAIL FROM:<<a@b.example>>", "501 5.5.4"),
        ("MAIL FROM:<a@b.example>SIZE=1", "501 5.5.4"),
        ('MAIL FROM:<"a@b.example>', "501 5.5.4"),
        ('MAIL FROM:<"a\\"@b.example>', "501 5.5.4"),
        ("MAIL FROM: SIZE=1 <a@b.example>", "501 5.5.4"),
        ("MAIL FROM:<a>", "501 5.1.7"),
        ("MAIL FROM:<a@>", "501 5.1.7"),
        ("MAIL FROM:<a b@c.example>", "501 5.1.7"),
        ("MAIL FROM:<@relay.example:a@b.example>", "501 5.1.7"),
        ("MAIL FROM:<@r.example,@s.example:a@b.example>", "501 5.1.7"),
        ("MAIL FROM:<a@[127.0.0.1]>", "501 5.1.7"),
        ("MAIL FROM:<ä@b.example>", "553 5.6.7"),
        ("MAIL FROM:<a@b.example> SIZE=x", "501 5.5.4"),
        ("MAIL FROM:<a@b.example> SIZE", "501 5.5.4"),
        ("MAIL FROM:<a@b.example> SIZE=1 SIZE=1", "501 5.5.4"),
        ("MAIL FROM:<a@b.example> BODY=BINARYMIME", "501 5.5.4"),
        ("MAIL FROM:<a@b.example> SMTPUTF8=yes", "501 5.5.4"),
        ("MAIL FROM:<a@b.example> =", "501 5.5.4"),
        ("MAIL FROM:<a@b.example> AUTH=<>", "555 5.5.4"),
        ("MAIL FROM:<a@b.example> REQUIRETLS", "555 5.5.4"),
        ("MAIL FROM:<a@b.example> RET=SOME", "501 5.5.4"),
        ("MAIL FROM:<a@b.example> SIZE=26214401", "552 5.3.4"),
        ("RCPT TO:<x@shop.example>", "503 5.5.1"),
        ("DATA", "503 5.5.1"),
        ("EHLO", "501 5.5.4"),
        ("EHLO two words", "501 5.5.4"),
        ("EHLO a@b", "501 5.5.4"),
        ("LHLO client.example", "500 5.5.1"),
        ("STARTTLS", "502 5.5.1"),
        ("AUTH PLAIN", "502 5.5.1"),
        ("XCLIENT ADDR=192.0.2.1", "550 5.7.0"),
        ("EXPN list", "502 5.5.1"),
        ("VRFY", "501 5.5.4"),
        ("VRFY x@shop.example", "252 2.5.0"),
        ("NOOP whatever", "250 2.0.0"),
        ("HELP", "214 2.0.0"),
        ("RSET now", "501 5.5.4"),
        ("QUIT now", "501 5.5.4"),
        ("BDAT 10 LAST", "500 5.5.1"),
        ("", "500 5.5.1"),
        ("NO\x00OP", "500 5.5.2"),
        ("MAIL\tFROM:<a@b.example>", "500 5.5.2"),
    ],
)
def test_what_breaks_the_grammar_is_refused_with_its_code(env: SmtpInEnv, command: str, answer: str) -> None:
    with begin(env) as client:
        client.ask("EHLO client.example")
        assert client.ask(command).startswith(answer)
        assert client.ask("NOOP").startswith("250")
    assert env.intake.senders == []


@pytest.mark.parametrize(
    "command",
    [
        "mail from:<a@b.example>",
        "MAIL FROM: <a@b.example>",
        "MAIL FROM:   <a@b.example>   SIZE=1   BODY=8BITMIME",
        "MAIL FROM:<>",
        'MAIL FROM:<"a <b> \\" c"@d.example>',
        "MAIL FROM:<a..b.@carrier.example>",
        "MAIL FROM:<a@b.example> SIZE=0 body=8bitmime",
        "MAIL FROM:<a@b.example> RET=HDRS ENVID=QQ314159",
        "MAIL FROM:<ä@b.example> SMTPUTF8",
        "MAIL FROM:<a@b.example>  ",
    ],
)
def test_what_real_senders_write_is_taken(env: SmtpInEnv, command: str) -> None:
    with begin(env) as client:
        client.ask("EHLO [127.0.0.1]")
        assert client.ask(command).startswith("250")
        assert client.ask("RCPT TO:<x@shop.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;x@shop.example").startswith("250")


def test_parameters_need_ehlo_and_commands_their_order(env: SmtpInEnv) -> None:
    with begin(env) as client:
        client.play("""
            C: MAIL FROM:<a@b.example>
            S: 503 5.5.1 *
            C: HELO client.example
            S: 250 mx.shop.example
            C: MAIL FROM:<a@b.example> SIZE=10
            S: 555 5.5.4 *
            C: MAIL FROM:<a@b.example>
            S: 250 2.1.0 *
            C: MAIL FROM:<a@b.example>
            S: 503 5.5.1 *
            C: RSET
            S: 250 2.0.0 *
            C: RCPT TO:<x@shop.example>
            S: 503 5.5.1 *
        """)


# R-ADR-08, R-IN-05
def test_a_refused_recipient_does_not_lose_the_others(env: SmtpInEnv) -> None:
    with begin(env) as client:
        client.ask("EHLO client.example")
        client.play("""
            C: MAIL FROM:<a@b.example>
            S: 250 2.1.0 *
            C: RCPT TO:<x@elsewhere.example>
            S: 550 5.7.1 no relaying
            C: RCPT TO:<unknown@shop.example>
            S: 550 5.1.1 unknown alias
            C: RCPT TO:<one@shop.example>
            S: 250 2.1.5 *
            C: RCPT TO:<two@shop.example>
            S: 250 2.1.5 *
            C: DATA
            S: 354 *
            C: .
            S: 250 2.0.0 taken
        """)
    (message,) = env.intake.messages
    assert message.rcpt_to == ("one@shop.example", "two@shop.example")
    assert message.content == b""


def test_data_without_a_recipient_is_refused(env: SmtpInEnv) -> None:
    with begin(env) as client:
        client.say(*ENVELOPE[:2], "RCPT TO:<unknown@shop.example>", "DATA", "QUIT")
        assert [line[:9] for line in client.rest()[-2:]] == ["503 5.5.1", "221 2.0.0"]


@pytest.mark.parametrize("pieces", [1, 7, 1_000_000])
def test_long_lines_and_dots_are_taken_as_they_are(env: SmtpInEnv, pieces: int) -> None:
    content = b"x" * 3_000 + b"\r\n.\x80\xff\r\n..\r\n...\r\n\r\n.. \r\n"
    stuffed = b"x" * 3_000 + b"\r\n..\x80\xff\r\n...\r\n....\r\n\r\n... \r\n.\r\n"
    with begin(env) as client:
        to_data(client)
        for start in range(0, len(stuffed), pieces):
            client.send(stuffed[start : start + pieces])
        assert client.reply().startswith("250")
    assert env.intake.messages[0].content == content


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        (b"bare\nline feed\r\n", "550 5.6.11"),
        (b"bare\rreturn\r\n", "550 5.6.11"),
        (b"a \0 nul\r\n", "550 5.6.0"),
    ],
)
def test_content_that_is_not_mail_is_refused_after_its_end(env: SmtpInEnv, content: bytes, answer: str) -> None:
    # R-IN-04
    with begin(env) as client:
        to_data(client)
        client.send(content + b".\r\n")
        assert client.reply().startswith(answer)
    assert env.intake.messages == []


OTHER = Reply(550, "5.7.1", "blocked")
LATER = Reply(451, "4.3.0", "later")


@pytest.mark.parametrize(
    ("replies", "answer"),
    [
        ([TAKEN], TAKEN),
        ([OTHER, TAKEN, LATER], TAKEN),
        ([OTHER, OTHER], OTHER),
        ([OTHER, LATER, UNKNOWN], LATER),
        ([OTHER, UNKNOWN], OTHER),
    ],
)
def test_several_answers_are_folded_so_that_nobody_is_lost(replies: list[Reply], answer: Reply) -> None:
    # R-IN-05
    assert fold(replies) == answer


# R-IN-03
@pytest.mark.parametrize("where", ["mail", "rcpt", "data"])
@pytest.mark.parametrize("fault", [RuntimeError("secret"), UnavailableError("secret"), TimeoutError("secret")])
def test_a_fault_inside_is_a_451_without_its_text(
    env: SmtpInEnv, where: str, fault: RuntimeError | UnavailableError | TimeoutError
) -> None:
    env.intake.fault, env.intake.fault_at = fault, where
    port = env.open()
    with Dialogue(port) as client:
        client.say(*ENVELOPE, "DATA", "QUIT") if where != "data" else client.say(*ENVELOPE, "DATA", "x", ".", "QUIT")
        heard = client.rest()
    assert any(line.startswith("451 4.3.0") for line in heard)
    assert "secret" not in "".join(heard)
    assert heard[-1].startswith("221")
    env.intake.fault = None
    with Dialogue(port) as client:
        assert client.reply().startswith("220")


def test_an_intake_that_owes_an_answer_is_a_fault(env: SmtpInEnv) -> None:
    env.intake.answer = lambda incoming: []
    with begin(env) as client:
        to_data(client)
        client.say("x", ".")
        assert client.reply().startswith("451 4.3.0")


# R-IN-03
def test_half_closed_client_gets_its_answer(env: SmtpInEnv) -> None:
    env.close_gate()
    with begin(env) as client:
        to_data(client)
        client.say("Subject: half", ".")
        client.close_sending()
        assert env.intake.begun.wait(20)
        env.open_gate()
        assert client.rest() == ["250 2.0.0 taken"]
    assert len(env.intake.messages) == 1


# R-IN-03
@pytest.mark.parametrize("ending", ["close", "reset"])
@pytest.mark.parametrize("tls", ["none", "implicit"])
def test_a_client_that_goes_away_after_the_dot_does_not_undo_the_commit(
    env: SmtpInEnv, tls_pair: TlsPair, tls: Tls, ending: str
) -> None:
    env.close_gate()
    port = env.open("mx", tls, context=tls_pair.server)
    client = Dialogue(port, tls=tls_pair.client if tls == "implicit" else None)
    client.reply()
    to_data(client)
    client.say("Subject: gone", ".")
    assert env.intake.begun.wait(20)
    client.reset() if ending == "reset" else client.__exit__(None, None, None)
    stopping = env.begin(env.listeners[0].stop(20))
    env.open_gate()
    stopping.result(timeout=20)
    assert len(env.intake.messages) == 1


def test_every_reply_carries_an_enhanced_code_but_those_that_have_none(env: SmtpInEnv) -> None:
    # R-IN-01, RFC 2034 §4
    with begin(env) as client:
        client.say("NOOP", "RSET", "VRFY x", "EXPN x", "HELP", "FOO", "DATA", "MAIL", "RCPT", "AUTH", "QUIT")
        for line in client.rest():
            assert re.match(r"([245])\d\d \1\.\d+\.\d+ ", line), line


def test_every_command_method_is_in_the_table() -> None:
    """A method that is not would never be called."""
    methods = {
        name
        for name, member in inspect.getmembers(session.ServerSession, inspect.iscoroutinefunction)
        if not name.startswith("_") and member.__module__.startswith("relay.")
    }
    assert methods == {method.__name__ for method in session._COMMANDS.values()}


def test_a_dot_stuffed_message_of_the_largest_size_is_taken_and_one_byte_more_is_not(env: SmtpInEnv) -> None:
    # R-IN-06
    limits = SmtpLimits(message_bytes=1_000)
    line, end = b"..\r\n", b".\r\n"
    with begin(env, limits=limits) as client:
        for filling, answer in ((b"12345678\r\n", "250 2.0.0"), (b"123456789\r\n", "552 5.3.4")):
            to_data(client)
            client.send(line * 330 + filling + end)
            assert client.reply().startswith(answer)
    assert [len(message.content) for message in env.intake.messages] == [1_000]
