"""Composes the relay's letters: questions about pending senders, a new version of the policy, a party's complaint.

As in notices, no address except aliases appears, with one exception. The question about a pending sender contains the
sender's address in a form that is not a link, because the party must recognize it; this letter is sent only to the
registered mailbox of the party.
"""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from relay.core.model.kind import Kind
from relay.core.model.marketplace import Marketplace
from relay.core.model.party import Role
from relay.core.model.policy import ContentAction, Policy
from relay.core.model.reason import ReasonCode
from relay.core.model.setting_change import SettingChange
from relay.core.notice import encode, frame, values
from relay.core.notice.texts import UNITS, NoticePart, Translations, key, settings, text
from relay.core.signed_link import Purpose

_LONGEST_VALUE: Final = 1_000
_KINDS: Final = frozenset(Kind)
_HOLD_VERBS: Final = ("hold list", "message show ID", "hold release ID", "hold return ID")
_ACTIONS: Final = frozenset(ContentAction)
_DURATIONS: Final = tuple(zip((86_400, 3_600, 60, 1), UNITS, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Letterhead:
    """The values that each letter needs. `letter_id` is its Message-ID without angle brackets, `at` its Date."""

    marketplace: Marketplace
    letter_id: str
    at: datetime


class OwnerQuestion(NamedTuple):
    """A question to a party about held mail that may be its own.

    `purpose` is `Purpose.SENDER` for mail from an unlisted address, and `Purpose.CONFIRM` for unproven mail. `address`
    is the address of the writer, or the entry in the list of senders that covers it. `messages` is the number of
    messages that wait, and `since` is the time at which the first of them came. `url` is the signed link by which the
    party decides.
    """

    purpose: Purpose
    address: str
    messages: int
    since: datetime
    url: str


def owner_request(letterhead: Letterhead, questions: Iterable[OwnerQuestion], translations: Translations) -> bytes:
    """Returns the letter that asks a party to decide about held mail (R-SND-02, R-IN-09).

    Anybody can cause this letter by writing to an alias. So it contains no text of the held mail, and it writes the
    address in a form that mail programs do not show as a link.
    """
    marketplace, questions = letterhead.marketplace, tuple(questions)
    policy = marketplace.policy_at(letterhead.at)

    def entry(question: OwnerQuestion) -> str:
        said = {
            "address": values.unlinked(question.address),
            "messages": str(question.messages),
            "since": frame.moment(question.since, policy),
        }
        name = "pending.sender" if question.purpose is Purpose.SENDER else "pending.unproven"
        link = translations.gettext(f"link.{question.purpose.name.lower()}")
        return "\n".join((text(translations, name, said), link, question.url))

    named = {"marketplace": marketplace.name}
    purposes = {question.purpose for question in questions}
    blocks = (
        text(translations, "pending.lead", named) if Purpose.SENDER in purposes else "",
        text(translations, "pending.lead_unproven", named) if Purpose.CONFIRM in purposes else "",
        translations.gettext("pending.spelling"),
        *map(entry, questions),
        translations.gettext("pending.again"),
    )
    subject = text(translations, "pending.subject", {"count": str(len(questions))})
    return _letter(letterhead, subject, blocks, translations)


class HeldLine(NamedTuple):
    """A held message in the mail to the operator. `order` is the marketplace's order id, or ""."""

    record_id: str
    author: Role | None
    order: str
    reasons: tuple[ReasonCode, ...]
    since: datetime
    until: datetime


def held_for_staff(
    letterhead: Letterhead, messages: Iterable[HeldLine], number: int, translations: Translations
) -> bytes:
    """Returns the letter that informs the operator of held messages that wait for the staff (R-SND-02).

    `number` is the number of all such messages, of which `messages` are the first. The letter shows neither an address
    nor a text.
    """
    policy, counted = letterhead.marketplace.policy_at(letterhead.at), {"count": str(number)}

    def entry(one: HeldLine) -> str:
        titles = ", ".join(translations.gettext(key(code, NoticePart.TITLE)) for code in one.reasons)
        said = {"record": one.record_id, "order": one.order, "reasons": titles}
        said |= {"since": frame.moment(one.since, policy), "until": frame.moment(one.until, policy)}
        names = ["waiting.record"]
        if one.author is not None:
            names.append("waiting.buyer" if one.author is Role.BUYER else "waiting.seller")
        names += [*(["report.order"] if one.order else []), "waiting.reasons", "waiting.since"]
        return "\n".join(text(translations, name, said) for name in names)

    blocks = (
        text(translations, "waiting.lead", {"marketplace": letterhead.marketplace.name} | counted),
        *map(entry, messages),
        translations.gettext("waiting.commands"),
        "\n".join(f"  relay {verb}" for verb in _HOLD_VERBS),
    )
    return _letter(letterhead, text(translations, "waiting.subject", counted), blocks, translations)


def announcement(
    letterhead: Letterhead,
    policy: Policy,
    summary: str,
    changes: Iterable[SettingChange],
    url: str,
    translations: Translations,
) -> bytes:
    """Returns the letter that announces a new version of the policy to sellers, with its changes (R-POL-20).

    `summary` is the operator's text in the reader's language, "" if there is none. `url` is the address of the page
    with all versions, "" if there is none.
    """
    effective = frame.moment(policy.effective_at, policy)
    said = {"marketplace": letterhead.marketplace.name, "version": policy.version, "effective": effective}
    changed = [line for change in changes for line in worded(change, letterhead.marketplace, translations)]
    blocks = (
        text(translations, "announcement.lead", said),
        "\n".join((translations.gettext("announcement.summary"), summary.strip())) if summary.strip() else "",
        "\n".join((translations.gettext("announcement.changes"), *changed)) if changed else "",
        "\n".join((translations.gettext("announcement.link"), url)) if url else "",
    )
    subject = text(translations, "announcement.subject", {"date": effective.partition(" ")[0]})
    return _letter(letterhead, subject, blocks, translations)


def report_to_operator(
    letterhead: Letterhead,
    record_id: str,
    pair_id: str,
    order: str,
    reporter: Role,
    translations: Translations,
    *,
    words: str = "",
) -> bytes:
    """Returns the letter that informs the operator that a party has reported a message by its link.

    `order` is the marketplace's order id, "" if the message is about no order. `reporter` is the role of the party, and
    `words` is the text that the party has typed.
    """
    said = {"marketplace": letterhead.marketplace.name, "record": record_id, "pair": pair_id, "order": order}
    names = ("report.record", "report.pair", *(["report.order"] if order else []), f"report.{reporter}")
    blocks = (
        text(translations, "report.lead", said),
        "\n".join(text(translations, name, said) for name in names),
        "\n".join((translations.gettext("report.words"), words)) if words else "",
        translations.gettext("report.again"),
    )
    return _letter(letterhead, text(translations, "report.subject", said), blocks, translations)


def _letter(letterhead: Letterhead, subject: str, blocks: Iterable[str], translations: Translations) -> bytes:
    marketplace = letterhead.marketplace
    people = frame.page(blocks, marketplace, translations)
    return frame.header(marketplace, letterhead.at, letterhead.letter_id, subject) + encode.text_part(
        people, translations.gettext("language")
    )


def worded(change: SettingChange, marketplace: Marketplace, translations: Translations) -> Iterator[str]:
    """Yields the lines that describe a change of a setting.

    If the setting is a set, they name the members that were added and those that were removed. Otherwise they name the
    old and the new value.
    """
    path, old, new = change
    setting = _setting(path, translations)

    def say(name: str, **shown: object) -> str:
        words = {key: _value(path, value, translations) for key, value in shown.items()}
        masked = {key: values.shown(said, marketplace, _LONGEST_VALUE) for key, said in words.items()}
        return text(translations, name, {"setting": setting, **masked})

    if not (isinstance(old, AbstractSet) and isinstance(new, AbstractSet)):
        yield say("announcement.changed", old=old, new=new)
        return
    if added := new - old:
        yield say("announcement.added", new=added)
    if removed := old - new:
        yield say("announcement.removed", old=removed)


def _setting(path: str, translations: Translations) -> str:
    """Returns the name of a setting in the reader's language; an unknown path is returned unchanged.

    If the setting is the action of a content rule for one kind of mail, the name includes the kind.
    """
    known = next((name for name in settings() if path == name or path.startswith(f"{name}.")), None)
    if known is None:
        return path
    words, kind = translations.gettext(f"setting.{known}"), path.rpartition(".")[2]
    if kind not in _KINDS:
        return words
    return text(translations, "value.of_kind", {"setting": words, "kind": translations.gettext(f"kind.{kind}")})


def _value(path: str, value: object, translations: Translations) -> str:
    """Returns the value of a setting in the reader's language, with the unit that the setting's name ends in."""
    match value:
        case None | "" | []:
            return translations.gettext("value.none")
        case bool():
            return translations.gettext("value.yes" if value else "value.no")
        case str() if value in _KINDS:
            return translations.gettext(f"kind.{value}")
        case str() if value in _ACTIONS:
            return translations.gettext(f"value.{value}")
        case int() if path.endswith("_bytes"):
            return text(translations, "value.megabytes", {"number": values.megabytes(value)})
        case int() if path.endswith("_s"):
            return _duration(value, translations)
        case AbstractSet():
            return ", ".join(sorted(_value(path, one, translations) for one in value)) or _value(path, "", translations)
        case tuple() | list():
            return ", ".join(_value(path, one, translations) for one in value)
        case _:
            return str(value)


def _duration(seconds: int, translations: Translations) -> str:
    """Returns a duration in words, in the largest unit (such as days or hours) in which it is a whole number."""
    size, unit = next((size, unit) for size, unit in _DURATIONS if seconds % size == 0)
    return text(translations, f"value.{unit}", {"number": str(seconds // size)})
