"""TLS, passwords and LMTP on the way out."""

import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from relay.edge.smtp_out import CourierError
from tests.support.courier import CONTENT, HostResolver, courier, outgoing, route
from tests.support.sink import CLOSE, EXTENSIONS, HANG, Say, Sink


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> Path:
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path / "ca.pem"


@pytest.fixture
def tls(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("sink.example").configure_cert(context)
    return context


@pytest.fixture
def names() -> HostResolver:
    return HostResolver(hosts={"sink.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]})


async def test_tls_is_used_where_offered_whoever_signed_the_certificate(tls: ssl.SSLContext) -> None:
    # R-OUT-01
    async with Sink(tls=tls) as sink, courier(route(sink)) as out:
        delivery = await out.deliver(outgoing())
        assert delivery.accepted
        assert delivery.tls.startswith("TLSv1.")
        assert (await sink.mail()).tls
        assert [line.split(" ")[0] for line in sink.commands[:3]] == ["EHLO", "STARTTLS", "EHLO"]


@pytest.mark.parametrize(
    ("phase", "answer"),
    [
        ("starttls", "454 4.7.0 not now"),
        ("starttls", "501 5.5.1 no"),
        ("starttls", CLOSE),
        ("starttls", HANG),
        ("handshake", b"this is no handshake\r\n"),
        ("handshake", CLOSE),
        ("handshake", HANG),
    ],
)
async def test_opportunistic_tls_that_fails_falls_back_to_clear_on_a_fresh_connection(
    tls: ssl.SSLContext, phase: str, answer: Say
) -> None:
    # R-OUT-01
    async with Sink(tls=tls) as sink, courier(route(sink), command_timeout_s=0.5) as out:
        sink.say(phase, answer)
        delivery = await out.deliver(outgoing())
        assert delivery.accepted
        assert delivery.tls == ""
        received = await sink.mail()
        assert (received.tls, received.session) == (False, 2)


async def test_what_is_slipped_in_behind_the_answer_to_starttls_is_not_heard(tls: ssl.SSLContext) -> None:
    # R-IN-04's counterpart on the way out: RFC 3207 §4.2
    async with Sink(tls=tls) as sink, courier(route(sink)) as out:
        sink.say("starttls", b"220 go\r\n250 slipped in\r\n")
        assert (await out.deliver(outgoing())).tls
        assert (await sink.mail()).tls


async def test_no_tls_means_none(tls: ssl.SSLContext) -> None:
    async with Sink(tls=tls) as sink, courier(route(sink, tls="none")) as out:
        assert (await out.deliver(outgoing())).tls == ""
        assert "STARTTLS" not in sink.commands


async def test_required_tls_accepts_a_certificate_that_fits(
    tls: ssl.SSLContext, ca_file: Path, names: HostResolver
) -> None:
    # R-OUT-01
    async with (
        Sink(tls=tls) as sink,
        courier(route(sink, host="sink.example", tls="required"), resolver=names, ca_file=str(ca_file)) as out,
    ):
        delivery = await out.deliver(outgoing())
        assert delivery.accepted
        assert delivery.host == "sink.example"


@pytest.mark.parametrize("mode", ["required", "implicit"])
@pytest.mark.parametrize(("host", "trusted"), [("other.example", True), ("sink.example", False)])
async def test_a_certificate_that_does_not_fit_is_a_temporary_failure(
    tls: ssl.SSLContext, ca_file: Path, names: HostResolver, mode: str, host: str, trusted: bool
) -> None:
    # R-OUT-01
    settings: dict[str, Any] = {"ca_file": str(ca_file)} if trusted else {}
    async with (
        Sink(tls=tls, implicit_tls=mode == "implicit") as sink,
        courier(route(sink, host=host, tls=mode), resolver=names, **settings) as out,
    ):
        delivery = await out.deliver(outgoing())
        assert (delivery.accepted, delivery.permanent, delivery.phase) == (False, False, "tls")
        assert "certificate" in delivery.text
        assert not sink.mails


@pytest.mark.parametrize(
    ("phase", "answer"),
    [("not offered", ""), ("starttls", "454 4.7.0 not now"), ("starttls", HANG), ("handshake", b"what?\r\n")],
)
async def test_required_tls_never_falls_back(tls: ssl.SSLContext, phase: str, answer: Say) -> None:
    # R-OUT-01
    async with (
        Sink(tls=tls if answer else None) as sink,
        courier(route(sink, tls="required"), command_timeout_s=0.5) as out,
    ):
        sink.say(phase, answer)
        delivery = await out.deliver(outgoing())
        assert (delivery.accepted, delivery.permanent, delivery.phase) == (False, False, "tls")
        assert not any(line.startswith("MAIL") for line in sink.commands)


async def test_implicit_tls(tls: ssl.SSLContext, ca_file: Path, names: HostResolver) -> None:
    # R-OUT-01
    async with (
        Sink(tls=tls, implicit_tls=True) as sink,
        courier(route(sink, host="sink.example", tls="implicit"), resolver=names, ca_file=str(ca_file)) as out,
    ):
        assert (await out.deliver(outgoing())).accepted
        assert (await out.deliver(outgoing())).accepted
        assert [received.session for received in sink.mails] == [1, 1]


async def test_implicit_tls_with_a_server_that_speaks_none() -> None:
    async with Sink() as sink, courier(route(sink, tls="implicit"), command_timeout_s=0.5) as out:
        delivery = await out.deliver(outgoing())
        assert (delivery.accepted, delivery.permanent, delivery.phase) == (False, False, "tls")


async def test_large_content_over_tls_arrives_whole(tls: ssl.SSLContext) -> None:
    content = (b"." * 76 + b"\r\n") * 30_000
    async with Sink(tls=tls) as sink, courier(route(sink)) as out:
        assert (await out.deliver(outgoing(content=content))).accepted
        assert (await sink.mail()).content == content


# ---------------------------------------------------------------- AUTH


@pytest.fixture
def login(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "smarthost.password").write_text("s3cret\n")
    return {"username": "relay", "password_file": "smarthost.password"}


@pytest.mark.parametrize("offer", ["AUTH PLAIN", "AUTH LOGIN", "AUTH CRAM-MD5", "AUTH PLAIN LOGIN CRAM-MD5"])
async def test_smarthost_with_password(tls: ssl.SSLContext, login: dict[str, str], tmp_path: Path, offer: str) -> None:
    # R-OUT-01
    async with (
        Sink(tls=tls, users={"relay": "s3cret"}, extensions=[*EXTENSIONS, offer]) as sink,
        courier(route(sink, **login), data_dir=tmp_path) as out,
    ):
        assert (await out.deliver(outgoing())).accepted
        received = await sink.mail()
        assert (received.user, received.tls) == ("relay", True)


async def test_a_wrong_password_is_temporary_for_it_is_ours_to_mend(login: dict[str, str], tmp_path: Path) -> None:
    async with (
        Sink(users={"relay": "another"}) as sink,
        courier(route(sink, **login), data_dir=tmp_path) as out,
    ):
        delivery = await out.deliver(outgoing())
        assert (delivery.accepted, delivery.permanent, delivery.code, delivery.enhanced) == (False, False, 535, "5.7.8")
        assert not sink.mails
        assert "s3cret" not in repr(delivery)


async def test_a_smarthost_without_auth_is_a_temporary_failure(login: dict[str, str], tmp_path: Path) -> None:
    async with Sink() as sink, courier(route(sink, **login), data_dir=tmp_path) as out:
        delivery = await out.deliver(outgoing())
        assert (delivery.accepted, delivery.permanent) == (False, False)


@pytest.mark.parametrize("text", [None, "", b"\xff\xfe"])
async def test_an_unreadable_password_file_is_named(tmp_path: Path, text: str | bytes | None) -> None:
    # R-UI-15
    if text is not None:
        (tmp_path / "pw").write_bytes(text.encode() if isinstance(text, str) else text)
    async with Sink() as sink:
        with pytest.raises(CourierError, match=r"delivery\.route .*password_file 'pw'"):
            async with courier(route(sink, username="relay", password_file="pw"), data_dir=tmp_path):
                pass


@pytest.mark.parametrize("text", [None, "no certificate"])
async def test_an_unreadable_ca_file_is_named(tmp_path: Path, text: str | None) -> None:
    # R-UI-15
    if text is not None:
        (tmp_path / "ca.pem").write_text(text)
    with pytest.raises(CourierError, match=r"delivery\.ca_file 'ca\.pem'"):
        async with courier(ca_file="ca.pem", data_dir=tmp_path):
            pass


# ---------------------------------------------------------------- LMTP


async def test_lmtp_route() -> None:
    # R-OUT-01
    async with Sink(lmtp=True) as sink, courier(route(sink, protocol="lmtp")) as out:
        assert (await out.deliver(outgoing())).accepted
        assert (await out.deliver(outgoing())).accepted
        assert [received.content for received in sink.mails] == [CONTENT, CONTENT]
        assert sink.commands[0] == "LHLO relay.example"
        assert sink.sessions == 1


async def test_lmtp_over_tls(tls: ssl.SSLContext) -> None:
    async with Sink(lmtp=True, tls=tls) as sink, courier(route(sink, protocol="lmtp")) as out:
        assert (await out.deliver(outgoing())).tls
        assert (await sink.mail()).tls


async def test_lmtp_refusals() -> None:
    async with Sink(lmtp=True) as sink, courier(route(sink, protocol="lmtp")) as out:
        sink.say("rcpt", "550 5.1.1 no such user", to="gone@shop.example")
        sink.say("end_of_data", "452 4.2.2 mailbox full", to="full@shop.example")
        gone = await out.deliver(outgoing("gone@shop.example"))
        full = await out.deliver(outgoing("full@shop.example"))
        assert (gone.permanent, gone.code, gone.phase) == (True, 550, "rcpt")
        assert (full.permanent, full.code, full.phase) == (False, 452, "end_of_data")
        sink.say("data", "354 go on")
        assert (await out.deliver(outgoing("gone@shop.example"))).code == 550
        assert (await out.deliver(outgoing())).accepted
        sink.say("ehlo", "550 5.7.1 not you")
        sink.drop_connections()
        assert (await out.deliver(outgoing())).phase == "connect"
