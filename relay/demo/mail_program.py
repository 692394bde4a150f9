"""Composes, answers and shows mail as a mail program does."""

import re
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.header import Header
from email.message import EmailMessage, Message
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import format_datetime, formataddr, make_msgid, parseaddr
from typing import Final

import nh3
from markupsafe import Markup

from relay.core.mail.address import split

_TAGS: Final = {
    *("h1", "h2", "h3", "p", "div", "span", "br", "hr", "pre", "blockquote", "ul", "ol", "li"),
    *("table", "tbody", "tr", "th", "td", "b", "i", "u", "em", "strong", "code", "a"),
}
_MOST_TAGS: Final = 5_000
_A: Final = Markup('<a href="{0}" target="_blank" rel="noopener noreferrer">{0}</a>')


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file to attach to a mail: its name, and its content as bytes."""

    name: str
    content: bytes


PROGRAM: Final = Attachment("invoice.pdf", b"MZ" + bytes(62))
"""An attachment that has the name of a document and the first bytes of a Windows program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayedMail:
    """A mail as a mail program shows it, with all text decoded.

    `text` is "" if the mail has only HTML. `unsubscribe` is the URL to which the unsubscribe button posts. `others` has
    the names of the remaining parts.
    """

    sender: str = ""
    reply_to: str = ""
    to: str = ""
    subject: str = ""
    date: str = ""
    message_id: str = ""
    in_reply_to: str = ""
    references: str = ""
    unsubscribe: str = ""
    text: str = ""
    html: str = ""
    others: tuple[str, ...] = ()

    @property
    def author(self) -> str:
        """The sender as mail programs show it, without quotes around the name."""
        name, address = parseaddr(self.sender)
        return f"{name} <{address}>" if name and address else self.sender

    @property
    def reply_address(self) -> str:
        """The address to which an answer is sent."""
        return parseaddr(self.reply_to or self.sender)[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMail:
    """A mail to send, with its text and its attachment. `answers` is the mail to which it replies, or None."""

    name: str
    address: str
    to: str
    subject: str
    text: str
    answers: DisplayedMail | None = None
    attachment: Attachment | None = None


def compose(draft: NewMail, now: datetime) -> bytes:
    """Returns the mail with CRLF line ends. An answer has In-Reply-To and References (RFC 5322 §3.6.4)."""
    charset = "us-ascii" if draft.text.isascii() else "utf-8"
    text = MIMEText(draft.text.rstrip() + "\n", "plain", charset)
    mail: Message = text
    if draft.attachment:
        name = draft.attachment.name
        file = MIMEApplication(draft.attachment.content, name.rpartition(".")[2])
        file.add_header("Content-Disposition", "attachment", filename=name)
        mail = MIMEMultipart(_subparts=(text, file))
    mail["From"] = formataddr((draft.name, draft.address))
    mail["To"] = draft.to
    mail["Subject"] = Header(draft.subject, "us-ascii" if draft.subject.isascii() else "utf-8").encode()
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = make_msgid(domain=split(draft.address)[1])
    if draft.answers and draft.answers.message_id:
        mail["In-Reply-To"] = draft.answers.message_id
        mail["References"] = f"{draft.answers.references} {draft.answers.message_id}".strip()
    return mail.as_bytes(policy=policy.compat32.clone(linesep="\r\n"))


def answer_subject(subject: str) -> str:
    """Returns the subject for an answer: `subject` with "Re:" before it, unless it begins with "Re:" already."""
    return subject if subject[:3].lower() == "re:" else f"Re: {subject}"


def quote(displayed: DisplayedMail) -> str:
    """Returns the text of the displayed mail with "> " before each line."""
    return "\n".join(("> " + line).rstrip() for line in displayed.text.splitlines())


def own_links(own: str) -> re.Pattern[str]:
    """Returns a pattern for the relay's own links, which lead to its web server at `own`."""
    return re.compile(rf"({re.escape(own)}/(?:l|policy)/[\w-]+)")


def linked(text: str, own: str) -> Markup:
    """Returns the text as HTML in which only the relay's own links can be clicked on."""
    pieces = enumerate(own_links(own).split(text))
    return Markup().join(_A.format(piece) if number % 2 else piece for number, piece in pieces)


def read(content: bytes, own: str = "") -> DisplayedMail:
    """Returns `content` as a mail program shows it.

    Never raises: a mail that cannot be decoded has the subject "?". In HTML, links to the relay's web server at `own`
    can be clicked on.
    """
    try:
        mail = message_from_bytes(content, policy=policy.default)
        return _read(mail, own)
    except Exception:  # noqa: BLE001 - the email package may raise any error on hostile mail; the raw source remains
        return DisplayedMail(subject="?")


def harmless(html: str, own: str = "") -> str:
    """Returns the HTML without anything that a browser loads, and without links except the relay's own.

    A content security policy is not enough, because a browser may connect to a host that the HTML names before it
    applies the policy. An HTML with too many tags becomes "", because the time to sanitise it grows with the square of
    its depth.
    """
    if html.count("<") > _MOST_TAGS:
        return ""
    ours = own_links(own)

    def kept(_tag: str, attribute: str, value: str) -> str | None:
        return value if attribute != "href" or (own and ours.fullmatch(value)) else None

    return nh3.clean(
        html,
        tags=_TAGS,
        attributes={"a": {"href"}},
        attribute_filter=kept,
        set_tag_attribute_values={"a": {"target": "_blank"}},
        clean_content_tags={"script", "style", "title"},
    )


def _read(mail: EmailMessage, own: str) -> DisplayedMail:
    bodies = {kind: mail.get_body((kind,)) for kind in ("plain", "html")}
    texts = {kind: str(body.get_content()) if body else "" for kind, body in bodies.items()}
    others = (part for part in mail.walk() if not part.is_multipart() and part not in bodies.values())

    def value(name: str) -> str:
        return " ".join(str(mail.get(name, "")).split())

    return DisplayedMail(
        sender=value("from"),
        reply_to=value("reply-to"),
        to=value("to"),
        subject=value("subject"),
        date=value("date"),
        message_id=value("message-id"),
        in_reply_to=value("in-reply-to"),
        references=value("references"),
        unsubscribe=value("list-unsubscribe").strip("<>"),
        text=texts["plain"].strip(),
        html=harmless(texts["html"], own),
        others=tuple(part.get_filename() or part.get_content_type() for part in others),
    )
