"""`relay demo` as a newcomer runs it: a process of its own, with the real daemon under it."""

import asyncio
import json
import re
import shlex
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from relay.demo import scenes, script
from relay.demo.demo_parties import PARTIES
from relay.demo.scene_context import SceneContext
from relay.demo.scenes import SCENES, Scene
from tests.support.narrowing import not_none
from tests.web.fake_demo import put_mail

RELAY = (sys.executable, "-m", "relay")
FREE_PORTS = ("--port", "0", "--mx-port", "0", "--submission-port", "0", "--web-port", "0")


async def _run(*command: str, env: dict[str, str] | None = None) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=STDOUT, env=env)
    out, _ = await process.communicate()
    return process.returncode, out.decode()


@pytest.fixture(scope="module")
def transcript() -> str:
    code, out = asyncio.run(_run(*RELAY, "demo", "--script"))
    assert code == 0, out
    return out


def _scene(transcript: str, play: Callable[[SceneContext], Awaitable[None]]) -> list[str]:
    """One scene's lines, leading spaces cut."""
    number = next(number for number, scene in enumerate(SCENES, 1) if scene.play is play)
    start = transcript.index(f"\n{number}. {SCENES[number - 1].title}\n")
    end = transcript.find(f"\n{number + 1}. ", start)
    return [line.strip() for line in transcript[start : end if end > 0 else None].splitlines()]


def _received(lines: list[str], what: str) -> tuple[dict[str, str], str]:
    """The lines of one mail as received: header fields by name, and the text."""
    start = lines.index(f"--- {what}") + 1
    end = next(n for n in range(start, len(lines)) if lines[n].startswith("ok: "))
    header, _, text = "\n".join(lines[start:end]).partition("\n\n")
    return dict(line.split(": ", 1) for line in header.splitlines() if ": " in line), text


# R-UI-10
def test_every_scene_goes_as_told(transcript: str) -> None:
    assert "FAILED" not in transcript
    assert f"{len(SCENES)} of {len(SCENES)} scenes succeeded." in transcript


# R-REW-03
def test_the_answer_comes_back_in_the_thread(transcript: str) -> None:
    lines = _scene(transcript, scenes.message_and_answer)
    sent_id = next(line.removeprefix("C: Message-ID: ") for line in lines if line.startswith("C: Message-ID: "))
    answer, text = _received(lines, "mail 1 in alice's mailbox")
    assert answer["In-Reply-To"] == sent_id
    assert answer["Subject"] == "Re: Your order 250-1001"
    assert "Yes please" in text


# R-REW-01
def test_no_mail_to_the_other_side_holds_a_real_address(transcript: str) -> None:
    addresses = {c.ref: {c.mailbox, c.unlisted_address} - {""} for c in PARTIES}
    mails = re.findall(r"  --- mail \d+ in (\w+)'s mailbox\n(.*?)\n    ok: ", transcript, re.DOTALL)
    assert len(mails) >= 4
    for owner, mail in mails:
        foreign = set().union(*(known for ref, known in addresses.items() if ref != owner))
        assert not [address for address in foreign if address in mail]


# R-POL-03, R-OUT-05
def test_a_notice_comes_back_for_the_opted_out_and_for_the_refused(transcript: str) -> None:
    for play in (scenes.opted_out, scenes.refused_mailbox, scenes.false_document):
        lines = _scene(transcript, play)
        (title,) = (line.removeprefix("--- ") for line in lines if line.startswith("--- notice"))
        notice, text = _received(lines, title)
        assert notice["Auto-Submitted"] == "auto-replied"
        assert notice["Return-Path"] == "<>"
        assert not [c.mailbox for c in PARTIES if c.ref != "alice" and c.mailbox in text]


# R-ADR-02
def test_the_wrong_alias_is_refused_at_rcpt(transcript: str) -> None:
    lines = _scene(transcript, scenes.wrong_alias)
    asked = next(n for n, line in enumerate(lines) if line.startswith("C: RCPT TO:"))
    assert lines[asked + 1].startswith("S: 550 5.1.1 ")
    assert "C: DATA" not in lines


# R-SND-02, R-REW-09
def test_the_link_of_the_notice_is_looked_at_then_acted_on_and_the_held_mail_goes_out(transcript: str) -> None:
    lines = _scene(transcript, scenes.unlisted_sender)
    held, released = ("\n".join(lines).index(f"\n{word}") for word in ("--- notice", "--- mail"))
    requests = re.findall(r"\nC: (GET|POST) (/l/[\w-]+)", "\n".join(lines)[held:released])
    assert [method for method, _ in requests] == ["GET", "POST"]
    assert len({path for _, path in requests}) == 1
    assert "[ Approve and pass its mail on ]" in lines
    assert any("(sender_pending)" in line for line in lines)


# R-POL-02, R-POL-03
def test_one_click_stops_the_next_mail_but_not_the_important_one(transcript: str) -> None:
    text = "\n".join(_scene(transcript, scenes.one_click))
    states = re.findall(r"--- the relay's record: alice to bob, state (\w+)", text)
    assert states == ["accepted", "returned", "accepted"]
    assert "C: List-Unsubscribe=One-Click\nS: 200 OK" in text
    assert "reasons=opted_out" in text
    assert "reasons=marked_important" in text


# R-POL-07, R-POL-08, R-POL-09, R-POL-19
def test_content_comes_back_with_its_reason_and_an_orders_number_does_not(transcript: str) -> None:
    document = "\n".join(_scene(transcript, scenes.false_document))
    assert 'filename="invoice.pdf"' in document
    assert "Rule: attachment_disguised" in document
    number = "\n".join(_scene(transcript, scenes.phone_number))
    assert "規則：contact_data" in number
    assert re.findall(r"record: kaede to hanako, state (\w+)", number) == ["returned", "accepted"]
    question = "\n".join(_scene(transcript, scenes.asking_first))
    assert "checked, not relayed" in question
    assert "Subject: Check, nothing was sent: New arrivals" in question


async def test_a_scene_that_fails_is_told_and_the_next_one_is_played() -> None:
    async def fails(context: SceneContext) -> None:
        context.check(False, "the moon is made of cheese")

    async def goes(context: SceneContext) -> None:
        context.check(True, "two and two make four")

    said: list[str] = []
    assert not await script.play(said.append, (Scene("Fails", fails), Scene("Goes", goes)))
    assert "    FAILED: the moon is made of cheese" in said
    assert "    ok: two and two make four" in said
    assert said[-1] == "1 of 2 scenes succeeded."


def test_the_transcript_holds_no_password(transcript: str) -> None:
    assert not [c.ref for c in PARTIES if c.password in transcript]
    assert "C: AUTH PLAIN ********" in transcript


@asynccontextmanager
async def _demo(directory: Path, *options: str) -> AsyncIterator[tuple[Process, str]]:
    """The running demo; yields (process, what it printed)."""
    command = (*RELAY, "demo", "--dir", str(directory), *(options or FREE_PORTS))
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    try:
        lines: list[str] = []
        while not (lines and lines[-1].strip().endswith("queue list")):
            line = (await not_none(process.stdout).readline()).decode()
            assert line, (await not_none(process.stderr).read()).decode()
            lines.append(line)
        yield process, "".join(lines)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.communicate()


async def _get(url: str) -> str:
    port, path = not_none(re.fullmatch(r"http://127\.0\.0\.1:(\d+)(/.*)", url)).groups()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
    answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    return answer


def _urls(printed: str) -> list[str]:
    return re.findall(r"http://127\.0\.0\.1:\d+/\w*", printed)


# R-UI-11, R-UI-15
@pytest.mark.parametrize(
    "told",
    [signal.SIGTERM, *(pytest.param(one, marks=pytest.mark.more) for one in (signal.SIGINT, signal.SIGHUP))],
    ids=lambda told: told.name,
)
async def test_the_demo_runs_is_healthy_and_stops_its_daemon_when_told(tmp_path: Path, told: signal.Signals) -> None:
    async with _demo(tmp_path / "demo") as (process, printed):
        page, health = _urls(printed)[:2]
        assert "Harbour Books" in await _get(page)
        assert "200 OK" in await _get(health)
        assert "200 OK" in await _get(health.replace("healthz", "readyz"))
        metrics = await _get(health.replace("healthz", "metrics"))
        assert "@" not in metrics
        assert "# TYPE" in metrics
        process.send_signal(told)
        assert await process.wait() == 0
        with pytest.raises(ConnectionRefusedError):
            await _get(health)


async def test_a_demo_that_is_killed_leaves_no_daemon_behind(tmp_path: Path) -> None:
    async with _demo(tmp_path / "demo") as (process, printed):
        process.kill()
        await process.wait()
        async with asyncio.timeout(30):
            while await _answers(_urls(printed)[1]):
                await asyncio.sleep(0.1)


async def _answers(url: str) -> bool:
    try:
        return bool(await _get(url))
    except OSError:
        return False


@pytest.mark.peer("swaks")
async def test_the_commands_that_it_prints_work_as_they_stand(tmp_path: Path) -> None:
    async with _demo(tmp_path / "demo") as (_, printed):
        commands = re.findall(r"^  (swaks .*)$", printed, re.MULTILINE)
        said = [await _run(*shlex.split(command)) for command in commands]
        heard = ("queued", "(opted_out)", "queued", "checked, not", "(contact_data)", "(sender_pending)", "550 5.1.1")
        assert len(said) == len(heard)
        for (code, out), words in zip(said, heard, strict=True):
            assert words in out
            assert (code == 0) is not words.startswith("5")
        shown = [await _run(*shlex.split(line)) for line in printed.splitlines() if " --config " in line]
        assert [code for code, _ in shown] == [0, 0, 0]
        assert "critical_only" in shown[0][1]
        assert "returned" in shown[1][1]
        metrics = await _get(_urls(printed)[1].replace("healthz", "metrics"))
        assert "relay_" in metrics
        assert not re.findall(r"@|example|alice|" + "|".join(re.findall(r"--to (?:check\+)?(\w+)", printed)), metrics)
        page = await _get(_urls(printed)[0] + "?lang=en")
        assert "marked_important" in page
        assert "opted_out" in page


# R-ADR-01, R-IN-02
async def test_one_directory_serves_one_demo_at_a_time_and_keeps_what_it_holds(tmp_path: Path) -> None:
    """A second demo beside the first is refused; a later one, and the daemon by itself, find everything again."""
    directory = tmp_path / "demo"
    async with _demo(directory) as (_, printed):
        aliases = re.findall(r"--to (\S+)", printed)
        config = (directory / "config.toml").read_bytes()
        code, out = await _run(*RELAY, "demo", "--dir", str(directory), *FREE_PORTS)
        assert code == 1
        assert "another relay uses this directory" in out
        assert (directory / "config.toml").read_bytes() == config
        assert "200 OK" in await _get(_urls(printed)[0])
    put_mail(directory / "mailboxes", "bob", b"Subject: Kept mail\r\n\r\nx\r\n")
    async with _demo(directory) as (_, printed):
        assert re.findall(r"--to (\S+)", printed) == aliases
        assert "Kept mail" in await _get(_urls(printed)[0] + "?box=bob")
    command = (*RELAY, "--config", str(directory / "config.toml"), "serve")
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    try:
        told = json.loads(await not_none(process.stdout).readline())
        assert told["ready"] is True
        assert set(told["ports"]) == {"mx", "submission", "lmtp", "web"}
    finally:
        process.terminate()
        await process.communicate()


@pytest.mark.parametrize(
    "option", ["--mx-port", *(pytest.param(one, marks=pytest.mark.more) for one in ("--port", "--web-port"))]
)
async def test_a_port_in_use_is_told_in_one_line_and_leaves_no_daemon(tmp_path: Path, option: str) -> None:
    async with await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0) as server:
        taken = str(server.sockets[0].getsockname()[1])
        ports = dict(zip(FREE_PORTS[::2], FREE_PORTS[1::2], strict=True)) | {option: taken}
        options = [word for pair in ports.items() for word in pair]
        code, out = await _run(*RELAY, "demo", "--dir", str(tmp_path / "demo"), *options)
        assert code == 1
        assert taken in out
        assert "in use" in out
        assert "Traceback" not in out


async def test_another_installations_directory_is_left_alone(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('hostname = "mx.shop.example"\n')
    code, out = await _run(*RELAY, "demo", "--dir", str(tmp_path), *FREE_PORTS)
    assert code == 1
    assert "was not written by the demo" in out
    assert config.read_text() == 'hostname = "mx.shop.example"\n'
    assert not (tmp_path / "keys").exists()


async def test_a_directory_that_cannot_be_made_is_a_clear_message(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, out = await _run(*RELAY, "demo", "--dir", str(tmp_path / "file" / "demo"), *FREE_PORTS)
    assert code == 1
    assert "cannot write the demo's files" in out
    assert "Traceback" not in out
