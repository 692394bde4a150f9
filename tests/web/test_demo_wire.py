"""The demo's mail program and mailboxes: what goes over the wire is SMTP, what is written down is what was said."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from relay.demo import smtp_client
from relay.demo.mail_program import NewMail, compose, read
from relay.demo.mailer import misspelt
from relay.demo.sink import Sink
from relay.demo.smtp_client import SmtpServer
from tests.support.narrowing import not_none

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BOXES = {"bob@mail.example": "bob", "hanako..sato@docomo.example": "hanako", "dave@gone.example": "dave"}


@pytest.fixture
async def sink(tmp_path: Path) -> AsyncIterator[Sink]:
    the_sink = Sink(tmp_path, BOXES, frozenset({"dave@gone.example"}))
    yield the_sink
    await the_sink.stop()


@pytest.fixture
async def server(sink: Sink) -> SmtpServer:
    return SmtpServer(name="sink", port=await sink.start(0))


def _mail(text: str = "Hello\n", **changed: Any) -> bytes:
    fields = {"name": "花子", "address": "hanako..sato@docomo.example", "to": "b@x.example", "subject": "件名"}
    return compose(NewMail(**fields | changed, text=text), NOON)


async def test_a_mail_arrives_byte_for_byte_with_its_return_path(
    sink: Sink, server: SmtpServer, tmp_path: Path
) -> None:
    content = _mail("one\n.two\n..\n\n.\n三\n")
    said = await smtp_client.send(server, "a@b.example", "bob@mail.example", content)
    assert said.accepted
    (mail,) = sink.mails("bob")
    assert mail.content == b"Return-Path: <a@b.example>\r\n" + content
    assert Sink(tmp_path, BOXES).mails("bob")[0].content == mail.content


@pytest.mark.parametrize(
    "address", ["hanako..sato@docomo.example", '"hanako..sato"@docomo.example', "BOB@Mail.Example"]
)
async def test_carriers_odd_local_parts_reach_their_mailbox(
    sink: Sink, server: SmtpServer, address: str
) -> None:  # R-ADR-03
    assert (await smtp_client.send(server, "", address, _mail())).accepted
    assert len(sink.mails("bob") + sink.mails("hanako")) == 1


@pytest.mark.parametrize("address", ["dave@gone.example", "nobody@mail.example"])
async def test_a_mailbox_that_is_gone_refuses_at_rcpt(sink: Sink, server: SmtpServer, address: str) -> None:
    said = await smtp_client.send(server, "a@b.example", address, _mail())
    assert said.reply.startswith("550 5.1.1")
    assert [str(line) for line in said.lines][-2:] == ["C: QUIT", "S: 221 Bye"]
    assert not sink.mails("dave")


async def test_waiting_for_mail_ends_with_the_mail_or_with_nothing(sink: Sink, server: SmtpServer) -> None:
    waiting = asyncio.create_task(sink.wait("bob", lambda mail: b"second" in mail.content, 30))
    for text in ("first\n", "second\n"):
        await smtp_client.send(server, "a@b.example", "bob@mail.example", _mail(text))
    assert not_none(await waiting).number == 2
    assert await sink.wait("bob", lambda _: False, 0.001) is None


async def test_the_password_is_never_written_down(tmp_path: Path) -> None:
    heard = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in (b"220 hi", b"250 hi", b"454 no TLS now"):
            writer.write(reply + b"\r\n")
            heard.append(await reader.readline())
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        (tmp_path / "none.pem").touch()
        server = SmtpServer(name="x", port=port, login=("alice", "sesame-secret"), ca_file=str(tmp_path / "none.pem"))
        said = await smtp_client.send(server, "a@b.example", "c@d.example", b"x\r\n")
    assert not said.accepted
    assert b"AUTH" not in b"".join(heard)
    assert "sesame" not in "".join(map(str, said.lines))


async def test_a_server_that_is_not_there_is_a_dialogue_without_a_reply() -> None:
    said = await smtp_client.send(SmtpServer(name="x", port=1), "a@b.example", "c@d.example", b"x\r\n")
    assert (said.accepted, said.reply) == (False, "")
    assert str(said.lines[-1]).startswith("*: the connection ended")


def test_what_is_composed_reads_back_the_same() -> None:
    reading = read(_mail("こんにちは\n.\n"))
    assert (reading.subject, reading.text) == ("件名", "こんにちは\n.")
    assert reading.sender == "花子 <hanako..sato@docomo.example>"
    assert b"\n" not in _mail().replace(b"\r\n", b"")


def test_an_answer_names_the_mail_and_all_before_it() -> None:
    first = read(b"Message-ID: <2@x>\r\nReferences: <0@x>\r\n <1@x>\r\nSubject: s\r\n\r\n")
    answer = read(_mail(answers=first))
    assert answer.in_reply_to == "<2@x>"
    assert answer.references == "<0@x> <1@x> <2@x>"


@pytest.mark.parametrize("alias", ["abcdefghijklmnop@demo.example", "bbcdefghijklmnop@demo.example"])
def test_a_misspelt_alias_differs_in_one_letter(alias: str) -> None:
    wrong = misspelt(alias)
    assert sum(a != b for a, b in zip(alias, wrong, strict=True)) == 1
