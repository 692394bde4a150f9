"""The keys of the text catalogues (gettext), and the values that the texts may contain.

A key is of one of three kinds: `REASON.part`, a literal such as "heading.what" in the code that shows the text, or a
prefix with the value of an enum, such as `kind.KIND`. The catalogues of English and Japanese contain each key, and
their texts have the same placeholders (`{subject}`). `make catalogues` finds the keys in the code and reports the texts
that are missing. Pages use the texts of notices too; other texts of a page have keys that begin with `page.`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from typing import Final, Protocol

from relay.core.model.policy import Policy
from relay.core.model.reason import ReasonCode

LANGUAGES: Final = ("en", "ja")


class Translations(Protocol):
    """The text catalogue of one language, such as `gettext.GNUTranslations`."""

    def gettext(self, message: str, /) -> str: ...

    def ngettext(self, singular: str, plural: str, n: int, /) -> str: ...


class Catalogue(Protocol):
    """A function that returns the text catalogue for a locale.

    If there is no catalogue for the locale, it returns the catalogue of the default language.
    """

    def __call__(self, locale: str, /) -> Translations: ...


class NoticePart(StrEnum):
    """The texts of a reason."""

    TITLE = "title"
    """A few words, for a subject or a list."""
    WHAT = "what"
    """The text that says what happened."""
    RULE = "rule"
    """The text that explains the rule, and the place in the message that it concerns."""
    CHANGE = "change"
    """The text that says what the writer can change."""
    AGAIN = "again"
    """The text that says how to send the message again."""


CONTACTS: Final = ("email", "phone", "account", "other")
DEFAULTS: Final = ("name", "domain", "contact", "kind", "score", "sender")
"""The values of a reason that have a default text, which is used if the rule does not give the value."""
REASON_VALUES: Final = frozenset({*DEFAULTS, "marketplace", "important_subject", "limit", "allowed", "reset", "days"})

UNITS: Final = ("days", "hours", "minutes", "seconds")
COUNTED: Final[Mapping[str, str]] = {
    "thread_closed.what": "days",
    "bypass_quota.rule": "limit",
    "quota_seller.rule": "limit",
    "quota_pair.rule": "limit",
    "quota_returned.rule": "limit",
    "quota_checks.rule": "limit",
    **{f"value.{unit}": "number" for unit in UNITS},
}
"""The keys of the texts with plural forms (gettext), each with the name of the value that is the number.

The catalogue of each language has all plural forms of such a text.
"""


def key(code: ReasonCode, part: NoticePart) -> str:
    return f"{code}.{part}"


def settings() -> Iterator[str]:
    """Yields the key path of each setting of a policy, as in its file, such as "quotas.pair_per_day".

    At the top level of the file, only settings that are durations are included.
    """
    for section in fields(Policy()):
        inner = getattr(Policy(), section.name)
        if is_dataclass(inner):
            yield from (f"{section.name}.{setting.name}" for setting in fields(inner))
        elif section.name.endswith("_s"):
            yield section.name


def text(translations: Translations, name: str, values: Mapping[str, str]) -> str:
    """Returns the text with the key `name`, with its placeholders replaced by `values`.

    A placeholder within a value is not replaced.
    """
    number = values[COUNTED[name]] if name in COUNTED else ""
    template = translations.ngettext(name, name, int(number)) if number.isdecimal() else translations.gettext(name)
    return template.format_map(values)
