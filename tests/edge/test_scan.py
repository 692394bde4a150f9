"""Scanners: what ClamAV and Rspamd say of a message, and what holds when they say nothing (R-POL-17)."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.config import ScannerSection
from relay.core.model.facts import Scan, ScanOutcome
from relay.edge.scan import ConfiguredScanner, ScannerError, scanners
from relay.edge.scan.answer import AnswerError, TooBigError, printable
from relay.edge.scan.clamav import _verdict
from relay.ports import UnavailableError
from tests.store.cluster import free_port
from tests.support.fakes import CountingObserver
from tests.support.log import captured_log
from tests.support.scanners import (
    EICAR,
    GTUBE,
    GTUBE_ADD_HEADER,
    SCAN_LIMIT_BYTES,
    STREAM_LIMIT_BYTES,
    BadPeer,
    Clamd,
)

HEAD = b"From: Seller <seller@shop.example>\r\nSubject: Your order\r\nMIME-Version: 1.0\r\n"
ATTACHED = (
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: application/octet-stream\r\n'
    b'Content-Disposition: attachment; filename="a.bin"\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n--b--\r\n'
)
CLEAN = HEAD + b"\r\nIt was sent today.\r\n"
CLAMAV_CLEAN = Scan(scanner="clamav", outcome=ScanOutcome.CLEAN)
RSPAMD_CLEAN = Scan(scanner="rspamd", outcome=ScanOutcome.CLEAN)
VIRUS = Scan(scanner="clamav", outcome=ScanOutcome.VIRUS, found="Local.Eicar.Test.UNOFFICIAL")
SPAM = Scan(scanner="rspamd", outcome=ScanOutcome.SPAM, found="reject, score 15.0")
SETTINGS = ["hold", "pass", "tempfail"]


@asynccontextmanager
async def asking(
    kind: Any, address: str, tally: CountingObserver | None = None, **keys: Any
) -> AsyncIterator[ConfiguredScanner]:
    section = ScannerSection(kind=kind, address=address, **keys)
    (scanner,) = scanners([section], data_dir=Path(), observer=tally or CountingObserver())
    async with AsyncExitStack() as stack:
        stack.push_async_callback(scanner.close)
        yield scanner


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


# ---------------------------------------------------------------- ClamAV


@pytest.mark.peer("clamd")
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (CLEAN, CLAMAV_CLEAN),
        (b"", CLAMAV_CLEAN),
        (HEAD + b"\r\n" + EICAR + b"\r\n", VIRUS),
        (HEAD + ATTACHED % base64.b64encode(EICAR), VIRUS),
        (HEAD + b"\r\n" + b"a line of text\r\n" * 200_000, CLAMAV_CLEAN),
        (HEAD + b"\r\n" + b"a line of text\r\n" * 200_000 + EICAR, VIRUS),
        (HEAD + b"\r\nstream: OK\0\0\0\0\0" + EICAR, VIRUS),
    ],
    ids=["clean", "empty", "in the body", "attached", "big and clean", "at the end of a big one", "like the protocol"],
)
async def test_clamav_finds_the_virus_and_nothing_else(clam: Clamd, content: bytes, said: Scan) -> None:
    # R-POL-17
    async with asking("clamav", clam.address) as by_tcp, asking("clamav", clam.socket) as by_unix:
        assert await by_tcp.scan(content) == said
        assert await by_unix.scan(content) == said


@pytest.mark.peer("clamd")
async def test_a_host_name_stands_for_each_of_its_addresses(clam: Clamd) -> None:
    async with asking("clamav", clam.address.replace("127.0.0.1", "localhost")) as scanner:
        assert await scanner.scan(CLEAN) == CLAMAV_CLEAN


@pytest.mark.peer("clamd")
async def test_each_of_many_at_once_gets_its_own_verdict_from_clamav(clam: Clamd) -> None:
    contents = [HEAD + b"\r\n" + (EICAR if number % 3 else b"clean") for number in range(150)]
    tally = CountingObserver()
    async with asking("clamav", clam.address, tally) as scanner:
        said = await asyncio.gather(*map(scanner.scan, contents))
    assert said == [VIRUS if EICAR in content else CLAMAV_CLEAN for content in contents]
    assert tally.of("scans", scanner="clamav", outcome="clean") == 50
    assert tally.of("scans", scanner="clamav", outcome="virus") == 100


@pytest.mark.peer("clamd")
@pytest.mark.parametrize("size", [SCAN_LIMIT_BYTES + 1, STREAM_LIMIT_BYTES + 1, 5 * STREAM_LIMIT_BYTES])
@pytest.mark.parametrize("setting", SETTINGS)
async def test_what_is_too_big_for_clamav_is_held_and_never_tried_again(clam: Clamd, size: int, setting: str) -> None:
    # R-POL-17
    held = Scan(scanner="clamav", outcome=ScanOutcome.AWAY, found="too big for it")
    tally = CountingObserver()
    async with asking("clamav", clam.address, tally, when_away=setting) as scanner:
        assert await scanner.scan(b"x" * size) == (None if setting == "pass" else held)
    assert tally.of("scans", scanner="clamav", outcome="too_big") == 1


@pytest.mark.parametrize(
    ("answer", "found"),
    [(b"Win.Test-1", "Win.Test-1"), ("ウイルス\r\n\x1b[0m".encode(), "???????[0m"), (b"x" * 3_000, "x" * 100)],
)
async def test_a_viruss_name_is_printable_and_short(answer: bytes, found: str) -> None:
    peer = BadPeer(b"stream: " + answer + b" FOUND\0")
    async with peer.listening(), asking("clamav", f"127.0.0.1:{peer.port}") as scanner:
        assert await scanner.scan(CLEAN) == Scan(scanner="clamav", outcome=ScanOutcome.VIRUS, found=found)


@given(st.binary() | st.binary().map(lambda name: b"stream: " + name + b" FOUND"))
def test_no_answer_of_clamav_is_more_than_a_verdict_or_none(answer: bytes) -> None:
    try:
        scan = _verdict(answer)
    except (AnswerError, TooBigError):
        return
    assert scan.outcome is (ScanOutcome.CLEAN if answer == b"stream: OK" else ScanOutcome.VIRUS)


@given(st.text())
def test_what_a_scanner_calls_it_is_printable_ascii(text: str) -> None:
    found = printable(text)
    assert len(found) <= 100
    assert found.isascii()
    assert found.isprintable()


# ---------------------------------------------------------------- Rspamd


@pytest.mark.peer("rspamd")
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (CLEAN, RSPAMD_CLEAN),
        (b"", RSPAMD_CLEAN),
        (HEAD + b"\r\n" + GTUBE + b"\r\n", SPAM),
        (HEAD + b"\r\n" + GTUBE_ADD_HEADER + b"\r\n", RSPAMD_CLEAN),
        (HEAD + b"Content-Type: text/plain\r\n\r\n" + b"a line of text\r\n" * 200_000, RSPAMD_CLEAN),
    ],
    ids=["clean", "empty", "spam", "an action that is not named", "big"],
)
async def test_rspamd_finds_the_spam_and_nothing_else(rspamd_url: str, content: bytes, said: Scan) -> None:
    # R-POL-17
    async with asking("rspamd", rspamd_url) as scanner:
        assert await scanner.scan(content) == said


@pytest.mark.peer("rspamd")
async def test_the_named_actions_of_rspamd_are_spam_and_no_others(rspamd_url: str) -> None:
    async with asking("rspamd", f"{rspamd_url}/", spam_actions=("add header",)) as scanner:
        assert await scanner.scan(HEAD + b"\r\n" + GTUBE_ADD_HEADER + b"\r\n") == Scan(
            scanner="rspamd", outcome=ScanOutcome.SPAM, found="add header, score 6.0"
        )
        assert await scanner.scan(HEAD + b"\r\n" + GTUBE + b"\r\n") == RSPAMD_CLEAN


@pytest.mark.peer("rspamd")
async def test_each_of_many_at_once_gets_its_own_verdict_from_rspamd(rspamd_url: str) -> None:
    contents = [HEAD + b"\r\n" + (GTUBE if number % 3 else b"clean") + b"\r\n" for number in range(150)]
    async with asking("rspamd", rspamd_url) as scanner:
        said = await asyncio.gather(*map(scanner.scan, contents))
    assert said == [SPAM if GTUBE in content else RSPAMD_CLEAN for content in contents]


def _http(status: str, body: bytes) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


async def test_rspamd_is_told_the_password_and_no_proxy_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "password").write_text("q1w2e3\n")
    peer, proxy = BadPeer(_http("200 OK", b'{"action":"no action","score":0}')), BadPeer()
    async with peer.listening(), proxy.listening():
        monkeypatch.setenv("HTTP_PROXY", _url(proxy.port))
        monkeypatch.setenv("ALL_PROXY", _url(proxy.port))
        section = ScannerSection(kind="rspamd", address=_url(peer.port), password_file="password")
        (scanner,) = scanners([section], data_dir=tmp_path, observer=CountingObserver())
        assert await scanner.scan(CLEAN) == RSPAMD_CLEAN
        await scanner.close()
    assert peer.heard.startswith(b"POST /checkv2 HTTP/1.1\r\n")
    assert b"\r\nPassword: q1w2e3\r\n" in peer.heard
    assert proxy.heard == b""


@pytest.mark.parametrize("content", [None, b"", b"\n", "パスワード\n".encode(), b"a\x1bb\n"])
def test_a_password_file_without_a_usable_line_is_told_without_it(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "password").write_bytes(content)
    section = ScannerSection(kind="rspamd", address=_url(1), password_file="password")
    with pytest.raises(ScannerError, match=r"^scanner\.password_file 'password' holds no readable line"):
        scanners([section], data_dir=tmp_path, observer=CountingObserver())


async def test_what_is_too_big_for_rspamd_is_held_and_never_tried_again() -> None:
    peer = BadPeer(_http("413 Request Entity Too Large", b""))
    async with peer.listening(), asking("rspamd", _url(peer.port), when_away="tempfail") as scanner:
        assert await scanner.scan(CLEAN) == Scan(scanner="rspamd", outcome=ScanOutcome.AWAY, found="too big for it")


# ---------------------------------------------------------------- away

BAD = {
    "silent": BadPeer(hangs=True),
    "closing": BadPeer(),
    "half an answer": BadPeer(b"stream: O"),
    "half an HTTP answer": BadPeer(_http("200 OK", b'{"action":"no action","score":0}')[:-4]),
    "half an answer and silent": BadPeer(b"HTTP/1.1 200 OK\r\nContent-Le", hangs=True),
    "rubbish": BadPeer(bytes(range(256)) * 100),
    "another service": BadPeer(b"220 mx.shop.example ESMTP\r\n"),
    "a scanner's error": BadPeer(b"stream: Can't allocate memory ERROR\0"),
    "HTTP 500": BadPeer(_http("500 Internal Server Error", b'{"action":"no action","score":0}')),
    "HTTP 302": BadPeer(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"),
    "no JSON": BadPeer(_http("200 OK", b"<html>")),
    "JSON in no encoding": BadPeer(_http("200 OK", b'{"action":"\xff","score":0}')),
    "deep JSON": BadPeer(_http("200 OK", b"[" * 100_000)),
    "JSON without a verdict": BadPeer(_http("200 OK", b'{"error":"no memory"}')),
    "a verdict of another type": BadPeer(_http("200 OK", b'{"action":["reject"],"score":"15"}')),
    "broken compression": BadPeer(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"),
}


async def _asked(kind: str, address: str, setting: str) -> Scan | str | None:
    """What the flow gets, and that it was counted."""
    tally = CountingObserver()
    async with asking(kind, address, tally, when_away=setting, timeout_s=0.2) as scanner:
        try:
            said: Scan | str | None = await scanner.scan(CLEAN * 5_000)
        except UnavailableError as error:
            said = f"unavailable: {error}"
    assert tally.of("scans", scanner=kind, outcome="away") == 1
    return said


def _owed(kind: str, setting: str) -> Scan | str | None:
    match setting:
        case "hold":
            return Scan(scanner=kind, outcome=ScanOutcome.AWAY)
        case "tempfail":
            return f"unavailable: the scanner {kind} is unavailable"
        case _:
            return None


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("kind", ["clamav", "rspamd"])
@pytest.mark.parametrize("bad", BAD)
async def test_without_a_verdict_the_setting_decides(bad: str, kind: str, setting: str) -> None:
    # R-POL-17
    async with BAD[bad].listening():
        address = _url(BAD[bad].port) if kind == "rspamd" else f"127.0.0.1:{BAD[bad].port}"
        assert await _asked(kind, address, setting) == _owed(kind, setting)


@pytest.mark.parametrize("setting", SETTINGS)
async def test_with_nobody_there_the_setting_decides(setting: str, tmp_path: Path) -> None:
    # R-POL-17
    port = free_port()
    for kind, address in (
        ("clamav", f"127.0.0.1:{port}"),
        ("clamav", f"localhost:{port}"),
        ("clamav", f"unix:{tmp_path}/none"),
        ("clamav", f"unix:{tmp_path}/{'long' * 50}"),
        ("rspamd", _url(port)),
    ):
        assert await _asked(kind, address, setting) == _owed(kind, setting)


@pytest.mark.parametrize("kind", ["clamav", "rspamd"])
async def test_a_peer_that_repeats_the_message_brings_nothing_of_it_into_the_log(kind: str) -> None:
    # R-UI-11
    body = b"stream: secret of seller@shop.example ERROR FOUND"
    for answer in (
        body,
        body + b"\r\n\r\n",
        body + b"\0",
        body + b" ERROR\0" * 2,
        _http("500 " + body.decode(), body),
        _http("200 OK", body),
    ):
        peer = BadPeer(answer)
        async with peer.listening():
            address = _url(peer.port) if kind == "rspamd" else f"127.0.0.1:{peer.port}"
            with captured_log("debug") as log:
                async with asking(kind, address) as scanner:
                    await scanner.scan(body)
        assert "secret" not in log.text


async def test_a_scan_that_is_given_up_leaves_no_connection() -> None:
    # A leaked socket would be a ResourceWarning, which is an error here.
    peer = BadPeer(hangs=True)
    async with peer.listening(), asking("clamav", f"127.0.0.1:{peer.port}") as scanner:
        asked = asyncio.create_task(scanner.scan(CLEAN))
        while not peer.heard:
            await asyncio.sleep(0)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
