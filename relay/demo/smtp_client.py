"""A party's mail program on the wire: one SMTP transaction, every line of it written down.

Not the relay's own client, on purpose: what a newcomer sees is what any mail program says and hears. Credentials are
masked before they are written down.
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
    """Where mail goes in. With a login: STARTTLS, trusting `ca_file` only, and AUTH PLAIN."""

    name: str
    port: int
    login: tuple[str, str] | None = None
    ca_file: str = ""
    host: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Line:
    """`speaker` is C (the mail program), S (the relay) or * (the connection itself)."""

    speaker: str
    text: str

    def __str__(self) -> str:
        return f"{self.speaker}: {self.text}".rstrip()


@dataclass(slots=True)
class Dialogue:
    """What was said. `reply` is the server's last word about the message: to its data, or the refusal before that; ""
    when the connection failed first."""

    door: SmtpServer
    lines: list[Line] = field(default_factory=list)
    reply: str = ""

    @property
    def accepted(self) -> bool:
        return self.reply.startswith("2")


async def send(door: SmtpServer, mail_from: str, rcpt_to: str, content: bytes) -> Dialogue:
    """Hands the mail in, as far as the server lets it; never raises for what the other side does."""
    dialogue = Dialogue(door)
    session = _Session(dialogue)
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await session.open()
            dialogue.reply = await session.hand_in(mail_from, rcpt_to, content)
            await session.say("QUIT")
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
        door = self._dialogue.door
        self._reader, self._writer = await asyncio.open_connection(door.host, door.port)
        await self._hear()
        await self.say("EHLO laptop.example")
        if door.login is None:
            return
        await self.say("STARTTLS")
        await self._writer.start_tls(ssl.create_default_context(cafile=door.ca_file), server_hostname="localhost")
        self._note("*", "TLS, certificate verified")
        await self.say("EHLO laptop.example")
        username, password = door.login
        secret = base64.b64encode(f"\0{username}\0{password}".encode()).decode()
        await self.say(f"AUTH PLAIN {secret}", shown="AUTH PLAIN ********")

    async def hand_in(self, mail_from: str, rcpt_to: str, content: bytes) -> str:
        """The reply that settled it."""
        for command in (f"MAIL FROM:<{mail_from}>", f"RCPT TO:<{rcpt_to}>", "DATA"):
            reply = await self.say(command)
            if not reply.startswith(("2", "3")):
                return reply
        lines = content.removesuffix(b"\r\n").split(b"\r\n")
        for line in lines:
            self._note("C", line.decode("utf-8", "replace"))
        # RFC 5321 §4.5.2: a line that begins with a dot gets one more.
        stuffed = b"".join((b"." + line if line.startswith(b".") else line) + b"\r\n" for line in lines)
        return await self.say(".", before=stuffed)

    async def say(self, command: str, *, shown: str = "", before: bytes = b"") -> str:
        """Sends one line and hears the reply; its last line is the answer."""
        self._note("C", shown or command)
        assert self._writer is not None
        self._writer.write(before + command.encode() + b"\r\n")
        await self._writer.drain()
        return await self._hear()

    async def _hear(self) -> str:
        """One reply, all its lines (RFC 5321 §4.2.1)."""
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
