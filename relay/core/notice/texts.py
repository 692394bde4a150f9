"""What the catalogues must say: the keys of every text and the values that a text may name.

A key is `REASON.part` or a word of the frame around it. English and Japanese hold every key, each with the same
placeholders (`{subject}`); `tests/core/test_texts.py` holds them to it. Texts for people on a page and in a notice are
the same.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Protocol

from relay.core.model.reason import ReasonCode

LANGUAGES: Final = ("en", "ja")


class Translations(Protocol):
    """One language's catalogue, such as `gettext.GNUTranslations`."""

    def gettext(self, message: str, /) -> str: ...


class Catalogue(Protocol):
    """All languages: a party's locale gives its translations, the default language where there are none for it."""

    def __call__(self, locale: str, /) -> Translations: ...


class Part(StrEnum):
    """What is said of a reason. TITLE is a few words for a subject or a list; RULE names the place looked at."""

    TITLE = "title"
    WHAT = "what"
    RULE = "rule"
    CHANGE = "change"
    AGAIN = "again"


FRAME: Final = (
    "language",
    "subject.returned",
    "subject.held",
    "subject.delayed",
    "subject.undeliverable",
    "lead.returned",
    "lead.held",
    "lead.delayed",
    "lead.undeliverable",
    "heading.what",
    "heading.rule",
    "heading.change",
    "heading.again",
    "heading.message",
    "rule.id",
    "rule.field",
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
)
REASON_VALUES: Final = frozenset({"marketplace", "important_subject", "limit"})


def key(code: ReasonCode, part: Part) -> str:
    return f"{code}.{part}"


KEYS: Final = tuple(key(code, part) for code in ReasonCode for part in Part) + FRAME


def text(translations: Translations, name: str, values: Mapping[str, str]) -> str:
    """The text under a key with its values in place. Values are never read as templates."""
    return translations.gettext(name).format_map(values)
