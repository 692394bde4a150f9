"""A mail server for tests, SMTP or LMTP, on a loopback port. It records mail and gives the replies that a test sets.

    async with Sink() as sink:
        sink.say("rcpt", "550 5.1.1 no such user", to="b@example.com")
        ...
        received = await sink.mail()   # envelope and bytes, without dot-stuffing

Phases: connect, ehlo, starttls, handshake, auth, mail, rcpt, data, content (while it comes in), end_of_data, rset, quit. An
answer is a reply line (or several, joined by CRLF), `bytes` sent as they are, an event after which the usual reply
follows, or CLOSE, RESET, HANG and DRIP.
"""

import asyncio
import base64
import hashlib
import hmac
import socket
import ssl
import struct
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Self


class Act(Enum):
    CLOSE = "ends the connection in an orderly way"
    RESET = "ends it with a reset"
    HANG = "says nothing more"
    DRIP = "says more and more lines of one reply"


CLOSE, RESET, HANG, DRIP = Act.CLOSE, Act.RESET, Act.HANG, Act.DRIP
Say = str | bytes | Act | asyncio.Event

EXTENSIONS = ("PIPELINING", "SIZE 52428800", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")


@dataclass(kw_only=True)
class ReceivedMail:
    """One accepted transaction.

    `mail_from` and `rcpt_to` are without brackets, `params` the rest of MAIL; `session` counts connections from 1.
    """

    mail_from: str
    params: str
    rcpt_to: list[str]
    content: bytes
    helo: str
    tls: bool
    user: str
    session: int


@dataclass(kw_only=True)
class _Rule:
    answer: Say
    to: str | None
    times: int | None


@dataclass(kw_only=True)
class _Dialogue:
    number: int
    helo: str = ""
    tls: bool = False
    user: str = ""
    mail: tuple[str, str] | None = None
    rcpt_to: list[str] = field(default_factory=list)


class _EndError(Exception):
    pass


class Sink:
    def __init__(
        self,
        *,
        lmtp: bool = False,
        extensions: Iterable[str] = EXTENSIONS,
        tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        users: Mapping[str, str] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.lmtp = lmtp
        self.extensions = list(extensions)
        self.users = dict(users or {})
        self.mails: list[ReceivedMail] = []
        self.commands: list[str] = []
        """Every command line of every session, in order."""
        self.sessions = 0
        self.open_sessions = 0
        self.busiest = 0
        self.host, self.port = host, port
        self._tls, self._implicit = tls, implicit_tls
        self._rules: dict[str, list[_Rule]] = {}
        self._arrived = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    def say(self, phase: str, answer: Say, *, to: str | None = None, times: int | None = None) -> None:
        """Sets the answer of a phase, only for the recipient `to` and for `times` times if given. The newest rule wins."""
        self._rules.setdefault(phase, []).insert(0, _Rule(answer=answer, to=to, times=times))

    async def mail(self, count: int = 1) -> ReceivedMail:
        """Waits for the `count`th mail and returns it."""
        async with self._arrived, asyncio.timeout(20):
            await self._arrived.wait_for(lambda: len(self.mails) >= count)
        return self.mails[count - 1]

    def drop_connections(self) -> None:
        """Closes all connections, as a server does with idle ones."""
        for writer in self._writers:
            writer.close()

    async def __aenter__(self) -> Self:
        context = self._tls if self._implicit else None
        self._server = await asyncio.start_server(self._serve, self.host, self.port, ssl=context, limit=2**20)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    # ---------------------------------------------------------------- sessions

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        self.sessions += 1
        self.open_sessions += 1
        self.busiest = max(self.busiest, self.open_sessions)
        try:
            await self._session(reader, writer, _Dialogue(number=self.sessions, tls=self._implicit))
        except (_EndError, ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError):
            pass
        finally:
            self.open_sessions -= 1
            self._writers.discard(writer)
            self._tasks.discard(task)
            writer.close()
            with suppress(ConnectionError, ssl.SSLError, TimeoutError, asyncio.CancelledError):
                async with asyncio.timeout(1):
                    await writer.wait_closed()
            writer.transport.abort()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, talk: _Dialogue) -> None:
        await self._answer(writer, "connect", f"220 sink.example {'LMTP' if self.lmtp else 'ESMTP'}")
        while line := await reader.readline():
            text = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
            self.commands.append(text)
            verb, _, rest = text.partition(" ")
            match verb.upper():
                case "EHLO" | "LHLO" if (verb.upper() == "LHLO") == self.lmtp:
                    talk.helo, talk.mail, talk.rcpt_to = rest, None, []
                    await self._answer(writer, "ehlo", self._greeting(talk))
                case "HELO" if not self.lmtp:
                    talk.helo = rest
                    await self._answer(writer, "helo", "250 sink.example")
                case "STARTTLS" if self._tls and not talk.tls:
                    if await self._answer(writer, "starttls", "220 go ahead"):
                        if "handshake" in self._rules:
                            await reader.read(1)
                            await self._answer(writer, "handshake", b"")
                        await writer.start_tls(self._tls)
                        talk.tls = True
                case "AUTH":
                    await self._auth(reader, writer, talk, rest)
                case "MAIL":
                    address, _, params = rest[5:].partition(">")
                    if await self._answer(writer, "mail", "250 2.1.0 ok"):
                        talk.mail = (address.lstrip("<"), params.strip())
                        talk.rcpt_to = []
                case "RCPT":
                    await self._rcpt(writer, talk, rest[3:].strip().removeprefix("<").removesuffix(">"))
                case "DATA":
                    await self._data(reader, writer, talk)
                case "RSET":
                    talk.mail, talk.rcpt_to = None, []
                    await self._answer(writer, "rset", "250 2.0.0 ok")
                case "QUIT":
                    await self._answer(writer, "quit", "221 2.0.0 bye")
                    return
                case _:
                    await self._answer(writer, "other", "500 5.5.2 unknown command")

    def _greeting(self, talk: _Dialogue) -> str:
        offers = [*self.extensions]
        if self._tls and not talk.tls:
            offers.append("STARTTLS")
        if self.users and not any(offer.startswith("AUTH ") for offer in offers):
            offers.append("AUTH PLAIN LOGIN CRAM-MD5")
        lines = ["sink.example", *offers]
        return "\r\n".join(f"250{' ' if i == len(lines) - 1 else '-'}{line}" for i, line in enumerate(lines))

    async def _auth(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, talk: _Dialogue, rest: str
    ) -> None:
        mechanism, _, initial = rest.partition(" ")
        user, good = "", False
        if mechanism.upper() == "PLAIN":
            _, user, password = base64.b64decode(initial).decode().split("\0")
            good = self.users.get(user) == password
        elif mechanism.upper() == "LOGIN":
            user = base64.b64decode(initial or await self._ask(reader, writer, "334 VXNlcm5hbWU6")).decode()
            password = base64.b64decode(await self._ask(reader, writer, "334 UGFzc3dvcmQ6")).decode()
            good = self.users.get(user) == password
        else:
            challenge = b"<1.2@sink.example>"
            response = await self._ask(reader, writer, f"334 {base64.b64encode(challenge).decode()}")
            user, _, digest = base64.b64decode(response).decode().rpartition(" ")
            secret = self.users.get(user, "").encode()
            good = bool(secret) and hmac.new(secret, challenge, hashlib.md5).hexdigest() == digest
        if await self._answer(writer, "auth", "235 2.7.0 welcome" if good else "535 5.7.8 wrong password"):
            talk.user = user

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: str) -> bytes:
        writer.write(f"{line}\r\n".encode())
        return (await reader.readline()).strip()

    async def _rcpt(self, writer: asyncio.StreamWriter, talk: _Dialogue, address: str) -> None:
        if talk.mail is None:
            await self._answer(writer, "sequence", "503 5.5.1 MAIL first")
        elif await self._answer(writer, "rcpt", "250 2.1.5 ok", to=address):
            talk.rcpt_to.append(address)

    async def _data(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, talk: _Dialogue) -> None:
        default = "354 go on" if talk.rcpt_to else "503 5.5.1 no valid recipients"
        recipients = talk.rcpt_to or [""]
        if not await self._answer(writer, "data", default, to=recipients[0], good="3"):
            return
        content = await self._content(reader, writer, talk)
        for address in recipients if self.lmtp else recipients[:1]:
            default = "250 2.0.0 taken" if talk.rcpt_to else "554 5.5.1 no valid recipients"
            if not await self._answer(writer, "end_of_data", default, to=address):
                continue
            mail_from, params = talk.mail or ("", "")
            received = ReceivedMail(
                mail_from=mail_from,
                params=params,
                rcpt_to=[address] if self.lmtp else recipients,
                content=content,
                helo=talk.helo,
                tls=talk.tls,
                user=talk.user,
                session=talk.number,
            )
            async with self._arrived:
                self.mails.append(received)
                self._arrived.notify_all()
        talk.mail, talk.rcpt_to = None, []

    async def _content(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, talk: _Dialogue) -> bytes:
        """Reads up to CRLF.CRLF, and removes the stuffed dots (RFC 5321 §4.5.2)."""
        lines: list[bytes] = []
        line, size = b"", 0
        while True:
            line += await reader.readuntil(b"\n")
            if not line.endswith(b"\r\n"):
                continue
            if line == b".\r\n":
                return b"".join(lines)
            lines.append(line.removeprefix(b".") if line.startswith(b".") else line)
            size += len(line)
            if size > 100_000:
                await self._answer(writer, "content", b"", to=talk.rcpt_to[0])
            line = b""

    async def _answer(
        self, writer: asyncio.StreamWriter, phase: str, default: Say, *, to: str = "", good: str = "2"
    ) -> bool:
        """Sends the answer that the rules set, else the default, and returns whether it begins with `good`."""
        answer = default
        for rule in self._rules.get(phase, []):
            if rule.times != 0 and rule.to in {None, to}:
                answer = rule.answer
                rule.times = None if rule.times is None else rule.times - 1
                break
        if isinstance(answer, asyncio.Event):
            await answer.wait()
            answer = default
        if isinstance(answer, Act):
            await self._act(writer, answer)
        wire = answer if isinstance(answer, bytes) else f"{answer}\r\n".encode()
        writer.write(wire)
        await writer.drain()
        return wire.startswith(good.encode())

    async def _act(self, writer: asyncio.StreamWriter, act: Act) -> None:
        if act is HANG:
            await asyncio.Event().wait()
        while act is DRIP:
            writer.write(b"250-patience\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)
        if act is RESET:
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        raise _EndError
