"""The parties' own mail server: one mailbox per party, one `.eml` file per mail, 550 for the one who moved away.

It plays the outside world, so it is stock aiosmtpd and knows nothing of the relay.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from weakref import WeakSet

from aiosmtpd.smtp import SMTP, Envelope, Session

from relay.core.mail.address import AddressError, fold, split

_SUFFIX: Final = ".eml"


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """A mail as it lies in the mailbox `box`; `number` counts from 1 there. `content` begins with the Return-Path that
    final delivery writes (RFC 5321 §4.4)."""

    box: str
    number: int
    content: bytes
    received_at: datetime

    @property
    def is_automatic(self) -> bool:
        """Whether the relay itself wrote it: notices say so (RFC 3834 §5)."""
        return b"\nAuto-Submitted:" in self.content.partition(b"\r\n\r\n")[0]


class Sink:
    """`boxes` maps folded addresses to mailbox names; `gone` are addresses that are refused."""

    def __init__(self, directory: Path, boxes: Mapping[str, str], gone: frozenset[str] = frozenset()) -> None:
        self._directory = directory
        self._boxes = boxes
        self._gone = gone
        self._mails: dict[str, list[ReceivedMail]] = {box: self._load(box) for box in boxes.values()}
        self._arrival = asyncio.Condition()
        self._server: asyncio.Server | None = None
        self._sessions: WeakSet[SMTP] = WeakSet()

    async def start(self, port: int) -> int:
        """The bound port; 0 takes a free one."""
        loop = asyncio.get_running_loop()

        def session() -> SMTP:
            smtp = SMTP(self, hostname="mailboxes.example", ident="demo mailboxes", enable_SMTPUTF8=True, loop=loop)
            self._sessions.add(smtp)
            return smtp

        self._server = await loop.create_server(session, "127.0.0.1", port)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        if self._server:
            self._server.close()
        for session in self._sessions:
            if session.transport:
                session.transport.close()
        await asyncio.sleep(0)  # lets the transports end before the loop does

    def mails(self, box: str) -> list[ReceivedMail]:
        """Oldest first."""
        return self._mails.get(box, [])

    async def wait(self, box: str, wanted: Callable[[ReceivedMail], bool], timeout_s: float) -> ReceivedMail | None:
        """The first mail in the mailbox that is wanted, or None when it has not come in time."""

        def found() -> ReceivedMail | None:
            return next((mail for mail in self.mails(box) if wanted(mail)), None)

        try:
            async with asyncio.timeout(timeout_s), self._arrival:
                return await self._arrival.wait_for(found)
        except TimeoutError:
            return None

    # -------------------------------------------------------- what aiosmtpd calls

    async def handle_RCPT(  # noqa: N802 - aiosmtpd finds its hooks by name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self._box(address) is None or _bare(address) in self._gone:
            # Names the address, as most servers do: the relay must not pass that on.
            return f"550 5.1.1 <{address}>: Recipient address rejected: user unknown"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        for box in {self._box(address) for address in envelope.rcpt_tos} - {None}:
            assert box is not None
            self._keep(box, f"Return-Path: <{(envelope.mail_from or '').strip('<>')}>\r\n".encode() + content)
        async with self._arrival:
            self._arrival.notify_all()
        return "250 2.0.0 OK, in the mailbox"

    def _box(self, address: str) -> str | None:
        return self._boxes.get(_bare(address))

    def _keep(self, box: str, content: bytes) -> None:
        mail = ReceivedMail(box, len(self._mails[box]) + 1, content, datetime.now(UTC))
        folder = self._directory / box
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{mail.number:04}{_SUFFIX}").write_bytes(content)
        self._mails[box].append(mail)

    def _load(self, box: str) -> list[ReceivedMail]:
        files = sorted((self._directory / box).glob("*" + _SUFFIX))
        return [
            ReceivedMail(box, number, file.read_bytes(), datetime.fromtimestamp(file.stat().st_mtime, UTC))
            for number, file in enumerate(files, 1)
        ]


def _bare(address: str) -> str:
    """The folded address without the quotes that `a..b` needs on the wire; "" for what is no address."""
    try:
        local, domain = split(address)
        return fold(local.strip('"') + "@" + domain)
    except AddressError:
        return ""
