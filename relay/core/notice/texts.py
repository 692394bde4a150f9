"""The keys of the text catalogues, and the values that a text may name.

A key is `REASON.part`, a literal such as "heading.what" in the code that shows the text, or one of a family such as
`kind.KIND`. English and Japanese have every key, with the same placeholders (`{subject}`). `make catalogues` finds the
keys in the code and says which text is missing. Pages and notices share these texts; further texts of a page stand
under `page.`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from typing import Final, Protocol

from relay.core.model.policy import Policy
from relay.core.model.reason import ReasonCode

LANGUAGES: Final = ("en", "ja")


class Translations(Protocol):
    """One language's catalogue, such as `gettext.GNUTranslations`."""

    def gettext(self, message: str, /) -> str: ...

    def ngettext(self, singular: str, plural: str, n: int, /) -> str: ...


class Catalogue(Protocol):
    """All languages: a party's locale gives its translations, the default language where there are none for it."""

    def __call__(self, locale: str, /) -> Translations: ...


class NoticePart(StrEnum):
    """The texts of a reason. TITLE is a few words for a subject or a list; RULE names the place that was looked at."""

    TITLE = "title"
    WHAT = "what"
    RULE = "rule"
    CHANGE = "change"
    AGAIN = "again"


CONTACTS: Final = ("email", "phone", "account", "other")
DEFAULTS: Final = ("name", "domain", "contact", "kind", "score", "sender")
"""Values of a reason that stand in where a rule gives none."""
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
"""The texts that name a number of things, with the name of the value that is the number.

Each has all plural forms of its language (gettext).
"""


def key(code: ReasonCode, part: NoticePart) -> str:
    return f"{code}.{part}"


def settings() -> Iterator[str]:
    """Yields the key path of every setting of a policy, as in its file."""
    for section in fields(Policy()):
        inner = getattr(Policy(), section.name)
        if is_dataclass(inner):
            yield from (f"{section.name}.{setting.name}" for setting in fields(inner))
        elif section.name.endswith("_s"):
            yield section.name


def text(translations: Translations, name: str, values: Mapping[str, str]) -> str:
    """Returns the text under a key with its values filled in. Values are never read as templates."""
    number = values[COUNTED[name]] if name in COUNTED else ""
    template = translations.ngettext(name, name, int(number)) if number.isdecimal() else translations.gettext(name)
    return template.format_map(values)
