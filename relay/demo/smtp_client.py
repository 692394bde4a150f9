"""A small SMTP client, which runs one transaction and records each line of it.

It is not the relay's own client, because it must show the lines that any mail program sends and gets. Credentials are
masked before they are recorded.
"""

import asyncio
import base64
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

_TIMEOUT_S: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """A server to which the client sends mail.

    With `login` the client uses STARTTLS, trusts only the certificates in `ca_file`, and logs in with AUTH PLAIN.
    """

    name: str
    port: int
    login: tuple[str, str] | None = None
    ca_file: str = ""
    host: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a dialogue. `speaker` is C (the mail program), S (the relay) or * (the connection itself)."""

    speaker: str
    text: str

    def __str__(self) -> str:
        return f"{self.speaker}: {self.text}".rstrip()


@dataclass(slots=True)
class Dialogue:
    """A recorded transaction.

    `reply` is the server's reply to the data of the message, or its refusal of an earlier command. It is "" if the
    connection failed before such a reply.
    """

    server: SmtpServer
    lines: list[Line] = field(default_factory=list)
    reply: str = ""

    @property
    def accepted(self) -> bool:
        return self.reply.startswith("2")


async def send(server: SmtpServer, mail_from: str, rcpt_to: str, content: bytes) -> Dialogue:
    """Sends the mail and returns the dialogue. A connection error becomes a line of the dialogue and is not raised."""
    dialogue = Dialogue(server)
    session = _Session(dialogue)
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await session.open()
            dialogue.reply = await session.submit(mail_from, rcpt_to, content)
            await session.request("QUIT")
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError) as error:
        dialogue.lines.append(Line("*", f"the connection ended: {type(error).__name__}"))
    finally:
        await session.close()
    return dialogue


class _Session:
    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter | None = None

    async def open(self) -> None:
        server = self._dialogue.server
        self._reader, self._writer = await asyncio.open_connection(server.host, server.port)
        await self._read_reply()
        await self.request("EHLO laptop.example")
        if server.login is None:
            return
        await self.request("STARTTLS")
        await self._writer.start_tls(ssl.create_default_context(cafile=server.ca_file), server_hostname="localhost")
        self._note("*", "TLS, certificate verified")
        await self.request("EHLO laptop.example")
        username, password = server.login
        secret = base64.b64encode(f"\0{username}\0{password}".encode()).decode()
        await self.request(f"AUTH PLAIN {secret}", shown="AUTH PLAIN ********")

    async def submit(self, mail_from: str, rcpt_to: str, content: bytes) -> str:
        """Sends the message, and returns the reply that accepted or refused it."""
        for command in (f"MAIL FROM:<{mail_from}>", f"RCPT TO:<{rcpt_to}>", "DATA"):
            reply = await self.request(command)
            if not reply.startswith(("2", "3")):
                return reply
        lines = content.removesuffix(b"\r\n").split(b"\r\n")
        for line in lines:
            self._note("C", line.decode("utf-8", "replace"))
        # RFC 5321 §4.5.2: a line that begins with a dot gets another dot before it.
        stuffed = b"".join((b"." + line if line.startswith(b".") else line) + b"\r\n" for line in lines)
        return await self.request(".", before=stuffed)

    async def request(self, command: str, *, shown: str = "", before: bytes = b"") -> str:
        """Sends `before` and one command, and returns the last line of the reply.

        If `shown` is not "", it is recorded instead of the command.
        """
        self._note("C", shown or command)
        assert self._writer is not None
        self._writer.write(before + command.encode() + b"\r\n")
        await self._writer.drain()
        return await self._read_reply()

    async def _read_reply(self) -> str:
        """Reads one reply with all its lines (RFC 5321 §4.2.1), and returns the last line."""
        while True:
            line = (await self._reader.readuntil(b"\r\n")).decode("utf-8", "replace").rstrip("\r\n")
            self._note("S", line)
            if line[3:4] != "-":
                return line

    async def close(self) -> None:
        if self._writer:
            self._writer.close()
            with suppress(OSError):
                await self._writer.wait_closed()

    def _note(self, speaker: str, text: str) -> None:
        self._dialogue.lines.append(Line(speaker, text))
