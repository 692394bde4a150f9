"""The base of the imitated mail programs: reads the mail to answer, and writes the header and the MIME parts."""

import base64
import binascii
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.header import Header
from email.message import EmailMessage
from email.utils import format_datetime, formataddr, parsedate_to_datetime

from tests.support.quoting import as_page, as_text, unflowed


@dataclass(frozen=True, kw_only=True)
class Writer:
    """The user of a mail program. `machine` and `ip` are the host name and address that the program discloses."""

    name: str
    address: str
    machine: str
    ip: str
    japanese: bool


class Received:
    """A mail as a mail program shows it."""

    def __init__(self, content: bytes) -> None:
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.message_id = str(message["Message-ID"]).strip()
        self.references = " ".join([*str(message["References"] or "").split(), self.message_id])
        self.subject = str(message["Subject"])
        self.at = parsedate_to_datetime(str(message["Date"]))
        (sender,), (to,) = message["From"].addresses, message["To"].addresses
        self.name, self.address, self.to = sender.display_name, sender.addr_spec, to.addr_spec
        page, text = message.get_body(("html",)), message.get_body(("plain",))
        shown = page.get_content() if page else as_page(unflowed(text) if text else "")
        inside = re.search(r"(?is)<body\b[^>]*>(.*)</body>", shown)
        self.page = inside[1] if inside else shown
        self.text = unflowed(text) if text else as_text(self.page)


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A mail to send. `text` is the new text, `answered` the mail quoted below it, `number` counts the writer's mails."""

    writer: Writer
    to: tuple[str, str]
    subject: str
    text: str
    at: datetime
    number: int
    answered: Received | None = None


class Program(ABC):
    """An imitated mail program.

    `threads` is the part of the thread that replies name: "all", "parent" or "" for none. With `copies` a reply also
    goes to its writer, as with "reply to all" in some programs.
    """

    threads = "all"
    copies = False

    def write(self, writer: Writer, to: tuple[str, str], subject: str, text: str, at: datetime) -> bytes:
        return self._mail(Draft(writer=writer, to=to, subject=subject, text=text, at=at, number=0))

    def reply(self, writer: Writer, content: bytes, text: str, at: datetime, number: int) -> bytes:
        """Returns an answer to `content` that quotes all of it."""
        answered = Received(content)
        to, subject = (answered.name, answered.address), self.subject(answered.subject)
        return self._mail(
            Draft(writer=writer, to=to, subject=subject, text=text, at=at, number=number, answered=answered)
        )

    def subject(self, answered: str) -> str:
        return answered if answered.lower().startswith("re:") else f"Re: {answered}"

    @abstractmethod
    def message_id(self, draft: Draft) -> str: ...

    @abstractmethod
    def body(self, draft: Draft) -> bytes:
        """Returns Content-Type and further header fields, an empty line, and the body."""

    def _mail(self, draft: Draft) -> bytes:
        writer = draft.writer
        fields = [
            ("From", _mailbox(writer.name, writer.address)),
            ("To", _mailbox(*draft.to)),
            *([("Cc", _mailbox(writer.name, writer.address))] if self.copies else []),
            (
                "Subject",
                Header(draft.subject, first_charset(draft.subject, "us-ascii", *self._header_charsets)).encode(),
            ),
            ("Date", format_datetime(draft.at)),
            ("Message-ID", self.message_id(draft)),
        ]
        answered = draft.answered
        if answered and self.threads:
            fields.append(("In-Reply-To", answered.message_id))
            if self.threads == "all":
                fields.append(("References", answered.references.replace(" ", "\r\n ")))
        fields.append(("MIME-Version", "1.0"))
        head = "".join(f"{name}: {value}\r\n" for name, value in fields).encode("ascii")
        return re.sub(rb"\r*\n", b"\r\n", head) + self.body(draft)

    _header_charsets: Sequence[str] = ("utf-8",)


def _mailbox(name: str, address: str) -> str:
    return formataddr((name, address), "utf-8")


def fits(text: str, charset: str) -> bool:
    try:
        text.encode(charset)
    except UnicodeEncodeError:
        return False
    return True


def first_charset(text: str, *wanted: str) -> str:
    return next(charset for charset in wanted if fits(text, charset))


def crlf(text: str) -> str:
    return re.sub(r"\r?\n", "\r\n", text)


def part(kind: str, text: str, charset: str, encoding: str, params: str = "") -> bytes:
    octets = text.encode(charset)
    if encoding == "base64":
        octets = base64.encodebytes(octets)
    elif encoding == "quoted-printable":
        octets = binascii.b2a_qp(octets, istext=True)
    head = f"Content-Type: {kind}; charset={charset}{params}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return head.encode("ascii") + re.sub(rb"\r*\n", b"\r\n", octets)


def multipart(subtype: str, boundary: str, *parts: bytes) -> bytes:
    line = f"--{boundary}"
    head = f'Content-Type: multipart/{subtype}; boundary="{boundary}"\r\n\r\n'
    return (
        head.encode() + b"".join(f"{line}\r\n".encode() + part + b"\r\n" for part in parts) + f"{line}--\r\n".encode()
    )
