"""What the catalogues must say: the keys of every text and the values that a text may name.

A key is `REASON.part` or a word of the frame around it. English and Japanese hold every key, each with the same
placeholders (`{subject}`); `tests/core/test_texts.py` holds them to it. Texts for people on a page and in a notice are
the same; a page's own words stand under `page.`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from typing import Final, Protocol

from relay.core.model.kind import Kind
from relay.core.model.policy import ContentAction, Policy
from relay.core.model.reason import ReasonCode
from relay.core.model.standing import Standing
from relay.core.model.verdict import Action
from relay.core.signed_link import Purpose

LANGUAGES: Final = ("en", "ja")


class Translations(Protocol):
    """One language's catalogue, such as `gettext.GNUTranslations`."""

    def gettext(self, message: str, /) -> str: ...

    def ngettext(self, singular: str, plural: str, n: int, /) -> str: ...


class Catalogue(Protocol):
    """All languages: a party's locale gives its translations, the default language where there are none for it."""

    def __call__(self, locale: str, /) -> Translations: ...


class NoticePart(StrEnum):
    """What is said of a reason. TITLE is a few words for a subject or a list; RULE names the place looked at."""

    TITLE = "title"
    WHAT = "what"
    RULE = "rule"
    CHANGE = "change"
    AGAIN = "again"


NOTICES: Final = ("returned", "held", "delayed", "undeliverable", "warned", "checked")
CONTACTS: Final = ("email", "phone", "account", "other")
DEFAULTS: Final = ("name", "domain", "contact", "kind", "score", "sender")
"""Values of a reason that some rule does not know."""
REASON_VALUES: Final = frozenset({*DEFAULTS, "marketplace", "important_subject", "limit", "allowed", "reset", "days"})

FRAME: Final = (
    "language",
    *(f"{place}.{notice}" for place in ("subject", "lead") for notice in NOTICES),
    "heading.what",
    "heading.rule",
    "heading.change",
    "heading.change_next",
    "heading.again",
    "heading.others",
    "heading.stripped",
    "heading.strips",
    "heading.message",
    "rule.id",
    "rule.field",
    "rule.place",
    "again.held",
    "again.warned",
    "again.stripped",
    "again.checked",
    "held.days",
    "held.until",
    "sent.at",
    "checked.at",
    "remaining",
    *(f"reach.{reach}" for reach in Standing),
    *(f"verdict.{action}" for action in Action),
    *(f"link.{purpose.name.lower()}" for purpose in Purpose),
    "list.item",
    "list.title",
    "stripped.item",
    "message.to",
    "message.order",
    "message.subject",
    "message.no_subject",
    "message.received",
    "message.record",
    "remote.said",
    "remote.said_by",
    "remote.until",
    "mark.important",
    "footer",
    *(f"default.{name}" for name in DEFAULTS),
    *(f"kind.{kind}" for kind in Kind),
    *(f"contact.{contact}" for contact in CONTACTS),
)
UNITS: Final = ("days", "hours", "minutes", "seconds")
LETTERS: Final = (
    "pending.subject",
    "pending.lead",
    "pending.sender",
    "pending.again",
    "announcement.subject",
    "announcement.lead",
    "announcement.summary",
    "announcement.changes",
    "announcement.changed",
    "announcement.added",
    "announcement.removed",
    "announcement.link",
    "report.subject",
    "report.lead",
    "report.record",
    "report.pair",
    "report.order",
    "report.buyer",
    "report.seller",
    "report.words",
    "report.again",
    "value.of_kind",
    "value.yes",
    "value.no",
    "value.none",
    "value.megabytes",
    *(f"value.{unit}" for unit in UNITS),
    *(f"value.{action}" for action in ContentAction),
)
RELAYED: Final = (
    "placeholder.part",
    "placeholder.text",
    "footer.order",
    "footer.opt_out",
    "footer.not_important",
    "footer.report",
    "footer.no_reply",
    "footer.from",
)
"""What the relay adds to mail that it passes on."""

COUNTED: Final[Mapping[str, str]] = {
    "thread_closed.what": "days",
    "bypass_quota.rule": "limit",
    "quota_seller.rule": "limit",
    "quota_pair.rule": "limit",
    **{f"value.{unit}": "number" for unit in UNITS},
}
"""The texts in which a number of things stands, by the value that is the number: each has a form for every number that
its language tells apart (gettext's plural forms)."""


def key(code: ReasonCode, part: NoticePart) -> str:
    return f"{code}.{part}"


def settings() -> Iterator[str]:
    """The key path of every setting of a policy, as in its file."""
    for section in fields(Policy()):
        inner = getattr(Policy(), section.name)
        if is_dataclass(inner):
            yield from (f"{section.name}.{setting.name}" for setting in fields(inner))
        elif section.name.endswith("_s"):
            yield section.name


KEYS: Final = (
    *(key(code, part) for code in ReasonCode for part in NoticePart),
    *FRAME,
    *LETTERS,
    *RELAYED,
    *(f"setting.{path}" for path in settings()),
)


def text(translations: Translations, name: str, values: Mapping[str, str]) -> str:
    """The text under a key with its values in place. Values are never read as templates."""
    number = values[COUNTED[name]] if name in COUNTED else ""
    template = translations.ngettext(name, name, int(number)) if number.isdecimal() else translations.gettext(name)
    return template.format_map(values)
