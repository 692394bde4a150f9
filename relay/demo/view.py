"""Prepares the contents of the page as plain values: the mailboxes, the open mailbox, the form and its addresses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Final

from relay.core.model.party import Role
from relay.demo.demo_parties import BY_REF, OPERATOR, OPERATOR_MAILBOX, PARTIES, PURCHASES, DemoParty
from relay.demo.mail_program import DisplayedMail, answer_subject, quote, read
from relay.demo.mailer import misspelt
from relay.demo.market import DemoMarket
from relay.demo.sink import ReceivedMail, Sink
from relay.demo.texts import Translate

_SHOWN: Final = 30
_RAW_BYTES: Final = 200_000

_read_cached = lru_cache(maxsize=256)(read)


@dataclass(frozen=True, slots=True)
class Preset:
    """A suggestion for a mail to try, with the values for the form.

    `writer` and `to` are references of parties; `subject` and `text` are text keys. Among the addresses of `to`, `note`
    selects the address with the same note.
    """

    name: str
    writer: str
    to: str
    subject: str = "sample.subject"
    text: str = "sample.text"
    note: str = ""
    unlisted: bool = False
    attached: bool = False


PRESETS: Final = (
    Preset("answer", "alice", "bob"),
    Preset("opted_out", "alice", "carol", subject="sample.promotion"),
    Preset("important", "alice", "carol", subject="sample.important"),
    Preset("unlisted", "alice", "bob", unlisted=True),
    Preset("attachment", "alice", "bob", attached=True),
    Preset("contact", "kaede", "hanako", text="sample.contact"),
    Preset("number", "kaede", "hanako"),
    Preset("check", "alice", "carol", note="check"),
    Preset("wrong", "alice", "bob", note="wrong"),
    Preset("gone", "alice", "dave"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoMailbox:
    """One line of the list of mailboxes. `tags` are text keys; `newest` is the subject of the newest mail."""

    ref: str
    name: str
    role: str
    address: str
    tags: tuple[str, ...]
    count: int
    newest: str


@dataclass(frozen=True, slots=True)
class ShownMail:
    """One mail of the open mailbox."""

    number: int
    received_at: datetime
    displayed: DisplayedMail
    raw: str
    notice: bool
    answerable: bool


@dataclass(frozen=True, slots=True)
class AddressChoice:
    """An address for mail to the party `ref`. `note` is a text key that explains an unusual address, or ""."""

    address: str
    ref: str
    order: str
    note: str = ""

    @property
    def name(self) -> str:
        return BY_REF[self.ref].name


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The contents of the form. `answers` is the number of the mail that is answered, or 0 for a new mail."""

    to: str = ""
    unlisted: bool = False
    attached: bool = False
    subject: str = ""
    text: str = ""
    answers: int = 0


def name_of(ref: str, t: Translate) -> str:
    """Returns the name to show for the party or the operator `ref`."""
    return t("desk.name") if ref == OPERATOR else BY_REF[ref].name if ref in BY_REF else t("someone")


def mailboxes(sink: Sink, t: Translate) -> list[DemoMailbox]:
    """Returns all mailboxes in the order of `PARTIES`, the operator's last."""
    found = [
        DemoMailbox(
            ref=demo_party.ref,
            name=demo_party.name,
            role=demo_party.role,
            address=demo_party.mailbox,
            tags=tuple(tag for tag in ("opted_out", "gone", "mobile") if getattr(demo_party, tag)),
            count=len(sink.mails(demo_party.ref)),
            newest=_newest_subject(sink, demo_party.ref),
        )
        for demo_party in PARTIES
    ]
    operator = DemoMailbox(
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
    return _read_cached(mails[-1].content).subject if mails else ""


def mails(sink: Sink, ref: str, own: str) -> list[ShownMail]:
    """Returns the mails of a mailbox, the newest first. `own` is the base URL of the relay's links."""
    return [_shown(mail, own) for mail in reversed(sink.mails(ref)[-_SHOWN:])]


def _shown(mail: ReceivedMail, own: str) -> ShownMail:
    displayed = _read_cached(mail.content, own)
    raw = mail.content[:_RAW_BYTES].decode("utf-8", "replace")
    answerable = mail.mailbox in BY_REF and not mail.is_automatic
    return ShownMail(mail.number, mail.received_at, displayed, raw, mail.is_automatic, answerable)


def choices(writer: DemoParty, aliases: Mapping[tuple[str, str], str]) -> list[AddressChoice]:
    """Returns the addresses that the writer can use.

    They are the aliases of the other parties, then a misspelt alias and, for sellers, the addresses with `check+`.
    """
    others = [
        (purchase, purchase.buyer if writer.role is Role.SELLER else purchase.seller)
        for purchase in PURCHASES
        if writer.ref in (purchase.seller, purchase.buyer)
    ]
    right = [AddressChoice(aliases[writer.ref, other], other, purchase.order) for purchase, other in others]
    wrong = replace(right[0], address=misspelt(right[0].address), note="wrong")
    checks = [replace(choice, address="check+" + choice.address, note="check") for choice in right]
    return [*right, wrong, *(checks if writer.role is Role.SELLER else ())]


def form(market: DemoMarket, sink: Sink, writer: DemoParty, t: Translate, *, preset: str = "", answer: int = 0) -> Form:
    """Returns the form, filled in for an answer, for a preset or for a first mail.

    `answer` is the number of the mail that is answered, or 0. `preset` is the name of a preset, or "".
    """
    if 0 < answer <= len(sink.mails(writer.ref)):
        displayed = _read_cached(sink.mails(writer.ref)[answer - 1].content)
        return Form(
            to=displayed.reply_address,
            subject=answer_subject(displayed.subject),
            text="\n\n" + quote(displayed),
            answers=answer,
        )
    options: Sequence[AddressChoice] = choices(writer, market.aliases)
    text = "sample.text" if writer.role is Role.SELLER else "sample.buyer"
    first = Preset("", writer.ref, options[0].ref, text=text)
    chosen = next((p for p in PRESETS if p.name == preset and p.writer == writer.ref), first)
    option = next(o for o in options if (o.ref, o.note) == (chosen.to, chosen.note))
    return Form(
        to=option.address,
        unlisted=chosen.unlisted,
        attached=chosen.attached,
        subject=t(chosen.subject, order=option.order),
        text=t(chosen.text, name=writer.name, address=writer.mailbox),
    )
