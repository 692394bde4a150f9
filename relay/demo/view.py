"""What the page shows, as plain values: mailboxes, the open mailbox, the form as it should stand, the record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from relay.core.model.party import Role
from relay.demo.cast import BY_REF, CAST, OPERATOR, OPERATOR_MAILBOX, PURCHASES, Character
from relay.demo.letter import Reading, answer_subject, quote, read
from relay.demo.post import misspelt
from relay.demo.sink import Mail, Sink
from relay.demo.texts import Translate
from relay.demo.town import Town

_SHOWN: Final = 30
_RAW_BYTES: Final = 200_000

_reading = lru_cache(maxsize=256)(read)


@dataclass(frozen=True, slots=True)
class Preset:
    """One of the things to try: who writes to whom, from where, with which words."""

    name: str
    writer: str
    to: str
    subject: str = "sample.subject"
    stranger: bool = False
    wrong: bool = False


PRESETS: Final = (
    Preset("answer", "alice", "bob"),
    Preset("opted_out", "alice", "carol", subject="sample.promotion"),
    Preset("important", "alice", "carol", subject="sample.important"),
    Preset("unlisted", "alice", "bob", stranger=True),
    Preset("wrong", "alice", "bob", wrong=True),
    Preset("gone", "alice", "dave"),
    Preset("mobile", "kaede", "hanako"),
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
class Choice:
    """An address to write to."""

    address: str
    name: str
    order: str
    wrong: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The writing form as it should stand. `answers` is the number of the mail that is answered, 0 for a new one."""

    to: str = ""
    stranger: bool = False
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


def mails(sink: Sink, ref: str) -> list[Shown]:
    """Newest first."""
    return [_shown(mail) for mail in reversed(sink.mails(ref)[-_SHOWN:])]


def _shown(mail: Mail) -> Shown:
    reading = _reading(mail.content)
    raw = mail.content[:_RAW_BYTES].decode("utf-8", "replace")
    answerable = mail.box in BY_REF and not mail.is_automatic
    return Shown(mail.number, mail.received_at, reading, raw, mail.is_automatic, answerable)


def choices(writer: Character, aliases: Mapping[tuple[str, str], str]) -> list[Choice]:
    """Whom this character can write to, and last a mistyped address."""
    others = [
        (purchase, purchase.buyer if writer.role is Role.SELLER else purchase.seller)
        for purchase in PURCHASES
        if writer.ref in (purchase.seller, purchase.buyer)
    ]
    right = [Choice(aliases[writer.ref, other], BY_REF[other].name, purchase.order) for purchase, other in others]
    return [*right, Choice(misspelt(right[0].address), right[0].name, right[0].order, wrong=True)]


def form(town: Town, sink: Sink, writer: Character, t: Translate, *, preset: str = "", answer: int = 0) -> Form:
    """Filled in for an answer to mail number `answer`, for a preset by name, or for a first letter."""
    if 0 < answer <= len(sink.mails(writer.ref)):
        reading = _reading(sink.mails(writer.ref)[answer - 1].content)
        return Form(
            to=reading.reply_address,
            subject=answer_subject(reading.subject),
            text="\n\n" + quote(reading),
            answers=answer,
        )
    chosen = next((p for p in PRESETS if p.name == preset and p.writer == writer.ref), None)
    options: Sequence[Choice] = choices(writer, town.aliases)
    option = options[0]
    if chosen:
        wanted = town.aliases[writer.ref, chosen.to]
        option = next(o for o in options if (o.wrong if chosen.wrong else o.address == wanted))
    sample = "sample.text" if writer.role is Role.SELLER else "sample.buyer"
    address = writer.stranger if chosen and chosen.stranger else writer.mailbox
    return Form(
        to=option.address,
        stranger=bool(chosen and chosen.stranger),
        subject=t(chosen.subject if chosen else "sample.subject", order=option.order),
        text=t(sample, name=writer.name, address=address),
    )
