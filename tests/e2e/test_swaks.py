"""swaks at every door: the dialogues that a mail program's owner would see."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.e2e.relay_env import RelayEnv, read, running_relay
from tests.support.daemon import BUYER, FRONT, PASSWORD, SELLER
from tests.support.peers import swaks, until

pytestmark = pytest.mark.peer("swaks")

STRANGER = "someone@elsewhere.example"


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayEnv]:
    """Each unlisted sender is told of at once."""
    with running_relay(tmp_path_factory.mktemp("relay"), extra="\n[notices]\ndigest_s = 0.01\nsweep_s = 0.2\n") as env:
        yield env


def _login(env: RelayEnv, mechanism: str = "PLAIN", user: str = "S1", password: str = PASSWORD) -> tuple[str, ...]:
    verified = ("--tls-verify", "--tls-ca-path", str(env.relay.certificate))
    return ("--auth", mechanism, "--auth-user", user, "--auth-password", password, *verified)


# R-IN-02
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_submission_with_starttls_and_login_takes_mail(env: RelayEnv, mechanism: str) -> None:
    heard = swaks(
        env.relay.submission,
        "--tls",
        *_login(env, mechanism),
        "--helo",
        "laptop.pottery.example",
        server="localhost",
        mail_from=SELLER,
        to=env.buyer_alias,
        subject=f"By {mechanism}",
    )
    heard.shows(f"""
        S: 220 mx.market.example ESMTP relay
        C: EHLO laptop.pottery.example
        S: 250-STARTTLS
        C: STARTTLS
        S: 220 2.0.0 go ahead
        C: EHLO laptop.pottery.example
        S: 250-ENHANCEDSTATUSCODES
        S: 250 AUTH PLAIN LOGIN
        C: AUTH {mechanism}*
        S: 235 2.7.0 welcome
        C: MAIL FROM:<{SELLER}>
        S: 250 2.1.0 *
        C: RCPT TO:<{env.buyer_alias}>
        S: 250 2.1.5 *
        C: DATA
        S: 354 *
        S: 250 2.0.0 * recorded and queued*
        C: QUIT
        S: 221 2.0.0 *
    """)
    mail = read(env.mail(BUYER, f"By {mechanism}"))
    assert mail["From"] == f'"Pottery Shop (Example Market)" <{env.seller_alias}>'
    assert mail["Reply-To"] is None
    assert "pottery" not in mail.as_string().replace("Pottery Shop", "")


# R-IN-02
def test_submission_with_implicit_tls_takes_mail_of_the_mailbox_as_user_name(env: RelayEnv) -> None:
    heard = swaks(
        env.relay.submissions,
        "--tls-on-connect",
        *_login(env, user=SELLER),
        server="localhost",
        mail_from=SELLER,
        to=env.buyer_alias,
        subject="By implicit TLS",
    )
    heard.shows("""
        S: 220 mx.market.example ESMTP relay
        S: 235 2.7.0 welcome
        S: 250 2.0.0 * recorded and queued*
    """)
    assert "STARTTLS" not in heard.output
    env.mail(BUYER, "By implicit TLS")


# R-IN-01
def test_the_mx_port_takes_mail_and_offers_starttls_but_no_login(env: RelayEnv) -> None:
    heard = swaks(env.relay.mx, mail_from=SELLER, to=env.buyer_alias, subject="By MX")
    heard.shows("""
        S: 250-PIPELINING
        S: 250-SIZE *
        S: 250-8BITMIME
        S: 250-SMTPUTF8
        S: 250-ENHANCEDSTATUSCODES
        S: 250 STARTTLS
        S: 250 2.0.0 * recorded and queued*
    """)
    assert "AUTH" not in heard.output
    env.mail(BUYER, "By MX")


# R-IN-02
@pytest.mark.parametrize("user", ["S1", "nobody", SELLER])
def test_a_wrong_password_is_refused_alike_whoever_asks(env: RelayEnv, user: str) -> None:
    heard = swaks(
        env.relay.submission,
        "--tls",
        *_login(env, user=user, password="wrong"),
        server="localhost",
        mail_from=SELLER,
        to=env.buyer_alias,
    )
    heard.shows("""
        C: AUTH PLAIN *
        S: 535 5.7.8 user name or password is wrong
    """)


# R-IN-02
def test_submission_takes_nothing_without_a_login(env: RelayEnv) -> None:
    heard = swaks(env.relay.submission, mail_from=SELLER, to=env.buyer_alias)
    heard.shows("""
        C: MAIL FROM:*
        S: 530 5.7.0 authentication required
    """)


# R-IN-02, R-SND-02
def test_an_unlisted_from_is_held_until_the_sender_is_approved(env: RelayEnv) -> None:
    clerk = "clerk@pottery.example"
    heard = swaks(
        env.relay.submission,
        "--tls",
        *_login(env),
        server="localhost",
        mail_from=clerk,
        to=env.buyer_alias,
        subject="From the clerk",
    )
    heard.shows("S: 250 2.0.0 * held, this From address waits for the account owner's approval (sender_pending)")
    assert env.state(heard.record_id) == "held"
    told = read(env.mail(SELLER, "wait for your approval"))
    assert told["Auto-Submitted"] == "auto-generated"
    env.relay.cli("sender", "add", "--role", "seller", "--ref", "S1", clerk)
    assert "From the clerk" in env.mail(BUYER, "From the clerk").content.decode()
    env.becomes(heard.record_id, "accepted")
    assert env.events(heard.record_id)[:2] == ["received", "held"]
    assert "released" in env.events(heard.record_id)


# R-SND-02
def test_blocking_the_sender_returns_what_was_held_for_him(env: RelayEnv) -> None:
    temp = "temp@pottery.example"
    heard = swaks(
        env.relay.submission,
        "--tls",
        *_login(env),
        server="localhost",
        mail_from=temp,
        to=env.buyer_alias,
        subject="From the temp",
    )
    assert env.state(heard.record_id) == "held"
    env.relay.cli("sender", "block", "--role", "seller", "--ref", "S1", temp)
    env.becomes(heard.record_id, "returned")
    env.drained()
    assert not env.mails(BUYER, "From the temp")
    assert not env.mails(temp)


# R-SND-04
def test_a_blocked_from_is_refused_in_the_dialogue(env: RelayEnv) -> None:
    blocked = "former-clerk@pottery.example"
    env.relay.cli("sender", "add", "--role", "seller", "--ref", "S1", blocked)
    env.relay.cli("sender", "block", "--role", "seller", "--ref", "S1", blocked)
    heard = swaks(
        env.relay.submission,
        "--tls",
        *_login(env),
        server="localhost",
        mail_from=blocked,
        to=env.buyer_alias,
        subject="Blocked",
    )
    heard.shows("""
        C: DATA
        S: 550 5.7.1 This From address is blocked for the account*
    """)


# R-ADR-07, R-ADR-02
def test_an_unknown_alias_is_refused_with_a_text_that_helps(env: RelayEnv) -> None:
    mistyped = "a" * 16 + "@market.example"
    heard = swaks(env.relay.mx, mail_from=SELLER, to=mistyped)
    heard.shows(f"""
        C: RCPT TO:<{mistyped}>
        S: 550 5.1.1 Address unknown, or yours is not registered to write to it (address_unknown); see https://market.example/help
    """)


# R-ADR-07
def test_a_stranger_hears_of_a_real_alias_what_he_hears_of_an_unknown_one(env: RelayEnv) -> None:
    unknown = swaks(env.relay.mx, mail_from=STRANGER, to="a" * 16 + "@market.example")
    (said,) = (line for line in unknown.lines if line.startswith("S: 550"))
    heard = swaks(env.relay.mx, mail_from=STRANGER, to=env.buyer_alias, subject="Let me in")
    heard.shows(f"""
        S: 250 2.1.5 *
        C: DATA
        {said}
    """)


# R-ADR-08
@pytest.mark.parametrize("port", ["mx", "submission", "lmtp"])
def test_mail_for_other_domains_is_refused_on_every_port(env: RelayEnv, port: str) -> None:
    options = {"submission": ("--tls", *_login(env)), "lmtp": ("--protocol", "LMTP")}.get(port, ())
    heard = swaks(
        getattr(env.relay, port), *options, server="localhost", mail_from=SELLER, to="victim@elsewhere.example"
    )
    heard.shows("""
        C: RCPT TO:<victim@elsewhere.example>
        S: 550 5.7.1 Not a recipient of this server; no relaying (no_relaying)
    """)


# R-IN-01, R-IN-05
def test_lmtp_answers_for_each_recipient_by_itself(env: RelayEnv) -> None:
    other = env.add_pair("b.lmtp@phone.example", "s.lmtp@glass.example")
    heard = swaks(
        env.relay.lmtp,
        "--protocol",
        "LMTP",
        mail_from=SELLER,
        to=f"{env.buyer_alias},{other.buyer.alias.address}",
        subject="By LMTP",
    )
    heard.shows("""
        S: 220 mx.market.example LMTP relay
        C: LHLO *
        C: DATA
        S: 250 2.0.0 * recorded and queued*
        S: 550 5.1.1 Address unknown, or yours is not registered to write to it (address_unknown); *
        C: QUIT
    """)
    env.mail(BUYER, "By LMTP")
    assert not env.mails("b.lmtp@phone.example")


# R-IN-01
def test_xclient_is_believed_from_a_listed_host_only(env: RelayEnv) -> None:
    named = ("--xclient", "ADDR=198.51.100.7 HELO=shop-pc.pottery.example")
    refused = swaks(env.relay.mx, *named, mail_from=SELLER, to=env.buyer_alias, subject="Not by XCLIENT")
    assert "XCLIENT" not in "".join(line for line in refused.lines if line.startswith("S: 250-"))
    heard = swaks(
        env.relay.mx,
        *named,
        "--local-interface",
        FRONT,
        mail_from=SELLER,
        to=env.buyer_alias,
        subject="By XCLIENT",
    )
    # The client that is named is not in a trusted network: what nobody proves waits for the owner's word.
    heard.shows("""
        S: 250-STARTTLS
        S: 250 XCLIENT NAME ADDR PORT PROTO HELO LOGIN
        C: XCLIENT ADDR=198.51.100.7 HELO=shop-pc.pottery.example
        S: 220 mx.market.example ESMTP relay
        C: DATA
        S: 550 5.7.1 We cannot verify that this message comes from its From address: if that address is * (sender_unproven); *
    """)


# R-IN-01
@pytest.mark.parametrize("version", ["1", "2"])
def test_a_proxy_header_is_believed_from_a_listed_host_only(env: RelayEnv, version: str) -> None:
    family = "TCP4" if version == "1" else "AF_INET"
    header: tuple[str, ...] = ("--proxy-version", version, "--proxy-family", family, "--proxy-source", "198.51.100.7")
    header += ("--proxy-source-port", "4711", "--proxy-dest", "192.0.2.25", "--proxy-dest-port", "25")
    refused = swaks(env.relay.proxied, *header, mail_from=SELLER, to=env.buyer_alias, subject="No PROXY")
    assert not [line for line in refused.lines if line.startswith("S:")]
    heard = swaks(
        env.relay.proxied,
        *header,
        "--local-interface",
        FRONT,
        mail_from=SELLER,
        to=env.buyer_alias,
        subject=f"By PROXY {version}",
    )
    heard.shows("""
        S: 220 mx.market.example ESMTP relay
        S: 550 5.7.1 We cannot verify that this message comes from its From address: if that address is * (sender_unproven); *
    """)


# R-IN-10, RFC 5321 §4.5.1
@pytest.mark.parametrize("to", ["postmaster@market.example", "Abuse@Market.Example"])
def test_anybody_reaches_the_operator(env: RelayEnv, to: str) -> None:
    heard = swaks(env.relay.mx, mail_from=STRANGER, to=to, subject=f"To {to}")
    heard.shows("S: 250 2.0.0 * recorded, goes to the operator")
    assert read(env.mail("ops@operator.example", f"To {to}"))["From"] == STRANGER


# R-REW-05, R-ADR-02, R-ADR-05
def test_one_transaction_reaches_one_person_once_however_often_he_is_named(env: RelayEnv) -> None:
    named = [env.buyer_alias, env.buyer_alias.upper(), env.buyer_alias.replace("@", "+250-1001@")]
    heard = swaks(env.relay.mx, mail_from=SELLER, to=",".join([*named, env.seller_alias]), subject="Four times")
    heard.shows("""
        S: 250 2.1.5 *
        S: 250 2.1.5 *
        S: 250 2.1.5 *
        S: 250 2.1.5 *
        C: DATA
        S: 250 2.0.0 * recorded and queued*
    """)
    env.becomes(heard.record_id, "accepted")
    env.drained()
    assert len(env.mails(BUYER, "Four times")) == 1
    assert not env.mails(SELLER, "Four times")


# R-IN-03
@pytest.mark.peer("smtp-source")
def test_every_message_of_a_burst_arrives_once(env: RelayEnv) -> None:
    burst = ["smtp-source", "-s", "10", "-m", "100", "-l", "5000", "-S", "Burst"]
    burst += ["-f", SELLER, "-t", env.buyer_alias, f"127.0.0.1:{env.relay.mx}"]
    done = subprocess.run(burst, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    until(lambda: len(env.mails(BUYER, "Burst")) >= 100, step_s=0.2)
    env.drained()
    assert len(env.mails(BUYER, "Burst")) == 100
