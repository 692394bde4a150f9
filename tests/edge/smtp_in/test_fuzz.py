"""Whatever a client writes, it gets well-formed replies without a word about our insides, and the daemon stays up."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.config import Networks, SmtpLimits
from relay.edge.smtp_in import data
from tests.support.dialogue import Dialogue
from tests.support.smtp_in_env import Kind, SmtpInEnv

VERBS = ["EHLO", "HELO", "LHLO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "VRFY", "AUTH", "STARTTLS", "XCLIENT", "QUIT"]
WORDS = [
    "FROM:<a@b.example>", "TO:<x@shop.example>", "FROM:<>", "TO:<>", "SIZE=1", "SIZE=", "SMTPUTF8", "BODY=8BITMIME",
    "client.example", "PLAIN", "LOGIN", "AAAA", "*", ".", "ADDR=192.0.2.1", "HELO=x", "<", ">", '"', "@", "\0", "\x80",
]  # fmt: skip
LINES = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda verb, words, end: " ".join([verb, *words]).encode("latin-1") + end,
        st.sampled_from(VERBS),
        st.lists(st.sampled_from(WORDS), max_size=4),
        st.sampled_from([b"\r\n"] * 8 + [b"\n", b"\r", b"\r\n.\r\n"]),
    ),
)
REPLY = re.compile(r"(?:220[ -]|250[ -]|334 |354 |([245])\d\d \1\.\d{1,3}\.\d{1,3} )[ -~]*\Z")


@pytest.fixture(scope="module", params=["uvloop", pytest.param("asyncio", marks=pytest.mark.more)])
def env(request: pytest.FixtureRequest) -> Iterator[SmtpInEnv]:
    env = SmtpInEnv(request.param)
    yield env
    env.close()


@pytest.fixture(scope="module", params=["mx", "submission", "lmtp"])
def port(request: pytest.FixtureRequest, env: SmtpInEnv) -> int:
    kind: Kind = request.param
    networks = Networks(front_hosts=("127.0.0.1",), trusted=("192.0.2.1",), plain_auth=True)
    return env.open(kind, "none", networks=networks, limits=SmtpLimits(unknown_recipient_delay_s=0))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(LINES, min_size=1, max_size=12))
def test_any_commands_get_well_formed_replies(port: int, lines: list[bytes]) -> None:
    with Dialogue(port) as client:
        client.send(b"".join(lines))
        client.close_sending()
        for line in client.rest():
            assert REPLY.match(line), line
    with Dialogue(port) as client:
        assert client.reply().startswith("220")


TEXT = st.lists(st.sampled_from([b"\r\n", b".", b"..", b"a", b"\x80", b" "]), max_size=30).map(b"".join)


@given(content=TEXT, piece_bytes=st.integers(1, 12), read_bytes=st.integers(1, 12))
def test_content_comes_out_as_its_sender_stuffed_it(content: bytes, piece_bytes: int, read_bytes: int) -> None:
    content += b"\r\n"
    stuffed = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in content.split(b"\r\n"))
    assert (data.END_MARK in b"\r\n" + stuffed) is False
    assert data.unstuffed(b"\r\n" + stuffed) == b"\r\n" + content
    buffer, pieces = bytearray(b"\r\n"), []
    for start in range(0, len(stuffed), read_bytes):
        buffer += stuffed[start : start + read_bytes]
        if len(buffer) > piece_bytes and (at := data.cut(buffer)):
            pieces.append(data.unstuffed(bytes(buffer[:at])))
            del buffer[:at]
    assert b"".join(pieces) + data.unstuffed(bytes(buffer)) == b"\r\n" + content
