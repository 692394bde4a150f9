"""Runs the parties' own mail server: one mailbox for each party, one `.eml` file for each mail.

It takes the place of the servers of other people, so it is a plain aiosmtpd server. It refuses mail to a mailbox that
is gone with 550.
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
    """One mail in the mailbox `mailbox`.

    `number` counts from 1 in each mailbox. `content` begins with the field Return-Path, which the final delivery adds
    (RFC 5321 §4.4).
    """

    mailbox: str
    number: int
    content: bytes
    received_at: datetime

    @property
    def is_automatic(self) -> bool:
        """Whether the relay itself wrote the mail: notices have the field Auto-Submitted (RFC 3834 §5)."""
        return b"\nAuto-Submitted:" in self.content.partition(b"\r\n\r\n")[0]


class Sink:
    """The mail server. `mailboxes` maps folded addresses to mailbox names; mail to an address in `gone` is refused."""

    def __init__(self, directory: Path, mailboxes: Mapping[str, str], gone: frozenset[str] = frozenset()) -> None:
        self._directory = directory
        self._mailboxes = mailboxes
        self._gone = gone
        self._mails: dict[str, list[ReceivedMail]] = {mailbox: self._load(mailbox) for mailbox in mailboxes.values()}
        self._arrival = asyncio.Condition()
        self._server: asyncio.Server | None = None
        self._sessions: WeakSet[SMTP] = WeakSet()

    async def start(self, port: int) -> int:
        """Starts to listen, on a free port if `port` is 0, and returns the port."""
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

    def mails(self, mailbox: str) -> list[ReceivedMail]:
        """Returns the mails of a mailbox, the oldest first."""
        return self._mails.get(mailbox, [])

    async def wait(self, mailbox: str, wanted: Callable[[ReceivedMail], bool], timeout_s: float) -> ReceivedMail | None:
        """Returns the first mail in the mailbox that `wanted` accepts, or None if no such mail comes in `timeout_s`."""

        def found() -> ReceivedMail | None:
            return next((mail for mail in self.mails(mailbox) if wanted(mail)), None)

        try:
            async with asyncio.timeout(timeout_s), self._arrival:
                return await self._arrival.wait_for(found)
        except TimeoutError:
            return None

    # -------------------------------------------------------- hooks of aiosmtpd

    async def handle_RCPT(  # noqa: N802 - aiosmtpd finds its hooks by name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self._mailbox_of(address) is None or _bare(address) in self._gone:
            # Most servers repeat the address in this reply. The relay must not pass it on.
            return f"550 5.1.1 <{address}>: Recipient address rejected: user unknown"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - a hook of aiosmtpd
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        for mailbox in {self._mailbox_of(address) for address in envelope.rcpt_tos} - {None}:
            assert mailbox is not None
            self._keep(mailbox, f"Return-Path: <{(envelope.mail_from or '').strip('<>')}>\r\n".encode() + content)
        async with self._arrival:
            self._arrival.notify_all()
        return "250 2.0.0 OK, in the mailbox"

    def _mailbox_of(self, address: str) -> str | None:
        return self._mailboxes.get(_bare(address))

    def _keep(self, mailbox: str, content: bytes) -> None:
        mail = ReceivedMail(mailbox, len(self._mails[mailbox]) + 1, content, datetime.now(UTC))
        folder = self._directory / mailbox
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{mail.number:04}{_SUFFIX}").write_bytes(content)
        self._mails[mailbox].append(mail)

    def _load(self, mailbox: str) -> list[ReceivedMail]:
        files = sorted((self._directory / mailbox).glob("*" + _SUFFIX))
        return [
            ReceivedMail(mailbox, number, file.read_bytes(), datetime.fromtimestamp(file.stat().st_mtime, UTC))
            for number, file in enumerate(files, 1)
        ]


def _bare(address: str) -> str:
    """Returns the folded address without quotes, or "" for an invalid address.

    A local part such as `a..b` has quotes in SMTP, but not in the list of mailboxes.
    """
    try:
        local, domain = split(address)
        return fold(local.strip('"') + "@" + domain)
    except AddressError:
        return ""
