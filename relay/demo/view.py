"""What the page shows, as plain values: mailboxes, the open mailbox, the form as it should stand, the record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Final

from relay.core.model.party import Role
from relay.demo.cast import BY_REF, CAST, OPERATOR, OPERATOR_MAILBOX, PURCHASES, Character
from relay.demo.letter import Reading, answer_subject, quote, read
from relay.demo.mailboxes import misspelt
from relay.demo.market import Market
from relay.demo.sink import ReceivedMail, Sink
from relay.demo.texts import Translate

_SHOWN: Final = 30
_RAW_BYTES: Final = 200_000

_reading = lru_cache(maxsize=256)(read)


@dataclass(frozen=True, slots=True)
class Preset:
    """One of the things to try: who writes to whom, from where, with which words. `subject` and `text` are text keys,
    `note` is the choice's."""

    name: str
    writer: str
    to: str
    subject: str = "sample.subject"
    text: str = "sample.text"
    note: str = ""
    stranger: bool = False
    attached: bool = False


PRESETS: Final = (
    Preset("answer", "alice", "bob"),
    Preset("opted_out", "alice", "carol", subject="sample.promotion"),
    Preset("important", "alice", "carol", subject="sample.important"),
    Preset("unlisted", "alice", "bob", stranger=True),
    Preset("attachment", "alice", "bob", attached=True),
    Preset("contact", "kaede", "hanako", text="sample.contact"),
    Preset("number", "kaede", "hanako"),
    Preset("check", "alice", "carol", note="check"),
    Preset("wrong", "alice", "bob", note="wrong"),
    Preset("gone", "alice", "dave"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One line of the list of mailboxes. `tags` are text keys."""

    ref: str
    name: str
    role: str
    address: str
    tags: tuple[str, ...]
    count: int
    newest: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One mail of the open mailbox."""

    number: int
    received_at: datetime
    reading: Reading
    raw: str
    notice: bool
    answerable: bool


@dataclass(frozen=True, slots=True)
class LinkChoice:
    """An address to write to: that of `ref`. `note` is the text key of what is odd about it."""

    address: str
    ref: str
    order: str
    note: str = ""

    @property
    def name(self) -> str:
        return BY_REF[self.ref].name


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The writing form as it should stand. `answers` is the number of the mail that is answered, 0 for a new one."""

    to: str = ""
    stranger: bool = False
    attached: bool = False
    subject: str = ""
    text: str = ""
    answers: int = 0


def name_of(ref: str, t: Translate) -> str:
    return t("desk.name") if ref == OPERATOR else BY_REF[ref].name if ref in BY_REF else t("someone")


def boxes(sink: Sink, t: Translate) -> list[Box]:
    """All mailboxes in the cast's order, the operator's last."""
    found = [
        Box(
            ref=character.ref,
            name=character.name,
            role=character.role,
            address=character.mailbox,
            tags=tuple(tag for tag in ("opted_out", "gone", "mobile") if getattr(character, tag)),
            count=len(sink.mails(character.ref)),
            newest=_newest_subject(sink, character.ref),
        )
        for character in CAST
    ]
    operator = Box(
        ref=OPERATOR,
        name=name_of(OPERATOR, t),
        role="desk",
        address=OPERATOR_MAILBOX,
        tags=(),
        count=len(sink.mails(OPERATOR)),
        newest=_newest_subject(sink, OPERATOR),
    )
    return [*found, operator]


def _newest_subject(sink: Sink, ref: str) -> str:
    mails = sink.mails(ref)
    return _reading(mails[-1].content).subject if mails else ""


def mails(sink: Sink, ref: str, own: str) -> list[Shown]:
    """Newest first; `own` as in `letter.read`."""
    return [_shown(mail, own) for mail in reversed(sink.mails(ref)[-_SHOWN:])]


def _shown(mail: ReceivedMail, own: str) -> Shown:
    reading = _reading(mail.content, own)
    raw = mail.content[:_RAW_BYTES].decode("utf-8", "replace")
    answerable = mail.box in BY_REF and not mail.is_automatic
    return Shown(mail.number, mail.received_at, reading, raw, mail.is_automatic, answerable)


def choices(writer: Character, aliases: Mapping[tuple[str, str], str]) -> list[LinkChoice]:
    """Whom this character can write to; last a mistyped address, and for sellers those that only ask."""
    others = [
        (purchase, purchase.buyer if writer.role is Role.SELLER else purchase.seller)
        for purchase in PURCHASES
        if writer.ref in (purchase.seller, purchase.buyer)
    ]
    right = [LinkChoice(aliases[writer.ref, other], other, purchase.order) for purchase, other in others]
    wrong = replace(right[0], address=misspelt(right[0].address), note="wrong")
    checks = [replace(choice, address="check+" + choice.address, note="check") for choice in right]
    return [*right, wrong, *(checks if writer.role is Role.SELLER else ())]


def form(town: Market, sink: Sink, writer: Character, t: Translate, *, preset: str = "", answer: int = 0) -> Form:
    """Filled in for an answer to mail number `answer`, for a preset by name, or for a first letter."""
    if 0 < answer <= len(sink.mails(writer.ref)):
        reading = _reading(sink.mails(writer.ref)[answer - 1].content)
        return Form(
            to=reading.reply_address,
            subject=answer_subject(reading.subject),
            text="\n\n" + quote(reading),
            answers=answer,
        )
    options: Sequence[LinkChoice] = choices(writer, town.aliases)
    text = "sample.text" if writer.role is Role.SELLER else "sample.buyer"
    first = Preset("", writer.ref, options[0].ref, text=text)
    chosen = next((p for p in PRESETS if p.name == preset and p.writer == writer.ref), first)
    option = next(o for o in options if (o.ref, o.note) == (chosen.to, chosen.note))
    return Form(
        to=option.address,
        stranger=chosen.stranger,
        attached=chosen.attached,
        subject=t(chosen.subject, order=option.order),
        text=t(chosen.text, name=writer.name, address=writer.mailbox),
    )
