"""R-IN-02: who submits logs in first, under TLS."""

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.config import Networks, SmtpLimits
from relay.ports import UnavailableError
from tests.edge.smtp_in.conftest import TlsPair, make_pair
from tests.support.dialogue import Dialogue
from tests.support.smtp_in_env import SmtpInEnv, Tls

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


def test_guessing_passwords_ends_the_session(client: Dialogue, env: SmtpInEnv) -> None:
    client.say(*[WRONG] * 9)
    assert [line[:9] for line in client.rest()] == ["535 5.7.8"] * 4 + ["421 4.7.0"]
    assert env.observer.of("smtp_in_refused", reason="login") == 5


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
