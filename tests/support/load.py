"""Load for fault tests: SMTP sessions that remember each reply, and a fast mail server that records each arrival.

Each message has a token of its own in Message-ID and body. Tests compare both sides and the record by these tokens.
Both sides run in the test's process, so they survive the daemon between them.
"""

import asyncio
import random
import re
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Final, Self

TOKEN: Final = re.compile(rb"tok-[0-9]+-[a-p]{16}")
_LINE: Final = b"The glaze is food safe, and the table leaves on Monday.\r\n"


# ---------------------------------------------------------------- the senders


@dataclass(kw_only=True)
class Load:
    """Sends from `async with` until `pause()` or the end. `port()` returns None while the daemon is down."""

    port: Callable[[], int | None]
    mail_from: str
    rcpt_to: str
    sessions: int = 6
    body_bytes: int = 1_500
    rest_s: float = 0.01
    answers: dict[str, int] = field(default_factory=dict)
    """The reply code by token, for each message that was answered."""
    unanswered: set[str] = field(default_factory=set)
    """Messages whose connection ended before the reply to their data: they may have been accepted or not."""
    _numbers: "count[int]" = field(default_factory=count)
    _random: random.Random = field(default_factory=random.SystemRandom)
    _may_send: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def accepted(self) -> set[str]:
        return {token for token, code in self.answers.items() if code == 250}

    @property
    def refused(self) -> set[str]:
        return set(self.answers) - self.accepted

    def pause(self) -> None:
        self._may_send.clear()

    def resume(self) -> None:
        self._may_send.set()

    async def __aenter__(self) -> Self:
        self.resume()
        self._tasks = [asyncio.create_task(self._keep_sending()) for _ in range(self.sessions)]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Waits for the replies to messages in transfer, and starts no new ones."""
        self.pause()
        await self.settled()
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task

    async def settled(self) -> None:
        """Waits, after `pause()`, until no message is in transfer."""
        while self._under_way:
            await asyncio.sleep(0.01)

    _under_way: int = 0

    async def _keep_sending(self) -> None:
        while True:
            await self._may_send.wait()
            port = self.port()
            if port is not None:
                with suppress(OSError, asyncio.IncompleteReadError):
                    await self._session(port)
            await asyncio.sleep(0.02)

    async def _session(self, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await _reply(reader)
            writer.write(b"EHLO desk.pottery.example\r\n")
            await _reply(reader)
            while self._may_send.is_set():
                if await self._message(reader, writer) == 421:
                    return
                await asyncio.sleep(self.rest_s)
            writer.write(b"QUIT\r\n")
            await _reply(reader)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _message(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
        # Letters only, because a long number may look like that of a parcel.
        token = f"tok-{next(self._numbers)}-{''.join(self._random.choices('abcdefghijklmnop', k=16))}"
        self._under_way += 1
        try:
            writer.write(f"MAIL FROM:<{self.mail_from}>\r\nRCPT TO:<{self.rcpt_to}>\r\nDATA\r\n".encode())
            codes = [await _reply(reader) for _ in range(3)]
            if codes[2] != 354:
                # The recipient was refused: the reply that counts is the first negative one.
                code = next(code for code in codes if code >= 400)
                self.answers[token] = code
                if code != 421:
                    writer.write(b"RSET\r\n")
                    await _reply(reader)
                return code
            self.unanswered.add(token)
            writer.write(self._content(token))
            await writer.drain()
            self.answers[token] = await _reply(reader)
            self.unanswered.discard(token)
            return self.answers[token]
        finally:
            self._under_way -= 1

    def _content(self, token: str) -> bytes:
        header = (
            f"From: Pottery <{self.mail_from}>\r\nTo: <{self.rcpt_to}>\r\nSubject: About the table\r\n"
            f"Date: Mon, 23 Nov 2026 10:00:00 +0900\r\nMessage-ID: <{token}@pottery.example>\r\n\r\n"
        )
        lines = max(1, self.body_bytes // len(_LINE))
        return header.encode() + f"{token}\r\n".encode() + _LINE * lines + b".\r\n"


async def _reply(reader: asyncio.StreamReader) -> int:
    """Returns the code of one reply. Raises IncompleteReadError when the connection ends before it."""
    while (line := await reader.readuntil(b"\n"))[3:4] == b"-":
        pass
    return int(line[:3])


# ---------------------------------------------------------------- the receiver


@dataclass(kw_only=True)
class Arrival:
    """One mail that the server took. `generation` is the server's value of that name when the connection began.

    `answered` is true if the daemon was still connected when the reply 250 was written.
    """

    token: str
    message_id: bytes
    body: bytes
    generation: int
    answered: bool = False


class RecordingServer:
    """A mail server that takes and records everything.

    A message counts as taken once it is complete, even if the client has closed the connection, as with other servers.
    Each `slow_every`th reply 250 is delayed by `slow_s`. Tests raise `generation` when they start the daemon again.
    """

    def __init__(self, *, slow_every: int = 0, slow_s: float = 0.3) -> None:
        self.arrivals: list[Arrival] = []
        self.generation = 0
        self.slow = asyncio.Event()
        """Set while a reply 250 is delayed."""
        self.gate = asyncio.Event()
        """While it is not set, no reply 250 is sent."""
        self.gate.set()
        self.port = 0
        self._slow_every, self._slow_s = slow_every, slow_s
        self._holding = 0
        self._sessions: set[asyncio.Task[None]] = set()

    def copies(self) -> Counter[str]:
        return Counter(arrival.token for arrival in self.arrivals)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**22, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for session in tuple(self._sessions):
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = asyncio.current_task()
        assert session is not None
        self._sessions.add(session)
        try:
            await self._converse(reader, writer, self.generation)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._sessions.discard(session)
            writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, generation: int) -> None:
        writer.write(b"220 recorder.example ESMTP\r\n")
        while True:
            match (await reader.readuntil(b"\r\n"))[:4].upper():
                case b"EHLO":
                    writer.write(b"250-recorder.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 50000000\r\n")
                case b"DATA":
                    writer.write(b"354 go on\r\n")
                    arrival = _arrival(await reader.readuntil(b"\r\n.\r\n"), generation)
                    self.arrivals.append(arrival)
                    await self._hold_back()
                    if not reader.at_eof():
                        writer.write(b"250 2.0.0 taken\r\n")
                        arrival.answered = True
                case b"QUIT":
                    return
                case _:
                    writer.write(b"250 2.0.0 ok\r\n")

    async def _hold_back(self) -> None:
        is_slow = self._slow_every and len(self.arrivals) % self._slow_every == 0
        if not is_slow and self.gate.is_set():
            return
        self._holding += 1
        self.slow.set()
        try:
            await asyncio.sleep(self._slow_s if is_slow else 0)
            await self.gate.wait()
        finally:
            self._holding -= 1
            if not self._holding:
                self.slow.clear()


def _arrival(content: bytes, generation: int) -> Arrival:
    header, _, body = content.partition(b"\r\n\r\n")
    token = TOKEN.search(body)
    message_id = re.search(rb"(?im)^message-id:[ \t]*(\S+)", header)
    assert token is not None, "a message without its token arrived"
    assert message_id is not None, "a message without Message-ID arrived"
    return Arrival(token=token[0].decode(), message_id=message_id[1], body=body, generation=generation)
