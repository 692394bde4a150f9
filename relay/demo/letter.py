"""Mail as a mail program writes it and reads it: composing, answering, showing."""

from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.header import Header
from email.message import EmailMessage
from email.mime.text import MIMEText
from email.utils import format_datetime, formataddr, make_msgid, parseaddr
from typing import Final

import nh3

from relay.core.address import split

_TAGS: Final = {
    *("h1", "h2", "h3", "p", "div", "span", "br", "hr", "pre", "blockquote", "ul", "ol", "li"),
    *("table", "tbody", "tr", "th", "td", "b", "i", "u", "em", "strong", "code"),
}
_MOST_TAGS: Final = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A mail as its reader sees it, all text decoded. `text` is "" when there is only HTML; `others` names the
    remaining parts."""

    sender: str = ""
    reply_to: str = ""
    to: str = ""
    subject: str = ""
    date: str = ""
    message_id: str = ""
    in_reply_to: str = ""
    references: str = ""
    text: str = ""
    html: str = ""
    others: tuple[str, ...] = ()

    @property
    def author(self) -> str:
        """The sender as mail programs show it, without the quotes of the header's grammar."""
        name, address = parseaddr(self.sender)
        return f"{name} <{address}>" if name and address else self.sender

    @property
    def reply_address(self) -> str:
        """Where a Reply button writes to."""
        return parseaddr(self.reply_to or self.sender)[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What the person typed. `answers` is the mail being replied to."""

    name: str
    address: str
    to: str
    subject: str
    text: str
    answers: Reading | None = None


def compose(draft: Draft, now: datetime) -> bytes:
    """The mail, CRLF-ended, with the thread kept as RFC 5322 §3.6.4 tells a program that answers."""
    charset = "us-ascii" if draft.text.isascii() else "utf-8"
    mail = MIMEText(draft.text.rstrip() + "\n", "plain", charset)
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
    return subject if subject[:3].lower() == "re:" else f"Re: {subject}"


def quote(reading: Reading) -> str:
    """The mail that is answered, quoted the way mail programs do."""
    return "\n".join(("> " + line).rstrip() for line in reading.text.splitlines())


def read(content: bytes) -> Reading:
    """Any bytes at all can be read: what cannot be decoded is shown by the raw source only."""
    try:
        mail = message_from_bytes(content, policy=policy.default)
        return _read(mail)
    except Exception:  # noqa: BLE001 - the email package raises what it likes on hostile mail; the raw source remains
        return Reading(subject="?")


def harmless(html: str) -> str:
    """Text and its layout, nothing to load and nowhere to go: a browser connects to what a page names before it asks
    the page's policy. Too deep or long a text is left to the raw source, for sanitising grows with the depth's
    square."""
    if html.count("<") > _MOST_TAGS:
        return ""
    return nh3.clean(html, tags=_TAGS, attributes={}, clean_content_tags={"script", "style", "title"})


def _read(mail: EmailMessage) -> Reading:
    bodies = {kind: mail.get_body((kind,)) for kind in ("plain", "html")}
    texts = {kind: str(body.get_content()) if body else "" for kind, body in bodies.items()}
    others = (part for part in mail.walk() if not part.is_multipart() and part not in bodies.values())

    def value(name: str) -> str:
        return " ".join(str(mail.get(name, "")).split())

    return Reading(
        sender=value("from"),
        reply_to=value("reply-to"),
        to=value("to"),
        subject=value("subject"),
        date=value("date"),
        message_id=value("message-id"),
        in_reply_to=value("in-reply-to"),
        references=value("references"),
        text=texts["plain"].strip(),
        html=harmless(texts["html"]),
        others=tuple(part.get_filename() or part.get_content_type() for part in others),
    )
