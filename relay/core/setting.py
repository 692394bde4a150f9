"""Constraints of settings, as metadata of the fields that hold the settings: `Annotated[int, Bounds(ge=1)]`.

Each setting is a field of one structure, and only this field defines it. `relay.config.tree` checks the constraints
when it reads a configuration file; the code that uses the structure never checks them. A text with a grammar has a
`Format`. A text without NOT_EMPTY is optional: "" means that it is not set, and "" is not checked against the format.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import Enum, auto
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import re2

from relay.core import wall_clock
from relay.core.mail import address


@dataclass(frozen=True, slots=True)
class Bounds:
    """The range of a number: at least `ge`, more than `gt`, at most `le`; None means that there is no such limit."""

    ge: int | None = None
    gt: int | None = None
    le: int | None = None


@dataclass(frozen=True, slots=True)
class OneOf:
    """The only values that a text may have, in the order in which an error message lists them."""

    words: tuple[str, ...]


class SettingFlag(Enum):
    NOT_EMPTY = auto()
    """The text must have at least one character."""
    REQUIRED = auto()
    """The configuration file must contain the key, although the field has a default."""


@dataclass(frozen=True, slots=True)
class Format:
    """The grammar of a setting, which is usually a text.

    `name` completes the error message "is not ...", and `example` is a valid value for it. `read` converts the value of
    the file to the value of the field; it raises ValueError for an invalid value.
    """

    name: str
    example: str
    read: Callable[[Any], object]


def checked_by(check: Callable[[str], object]) -> Callable[[str], str]:
    """Returns a `Format.read` that returns each text unchanged, and raises ValueError if `check` raises it."""

    def read(text: str) -> str:
        check(text)
        return text

    return read


def matching(pattern: str) -> Callable[[str], str]:
    """Returns a `Format.read` that returns each text unchanged, and raises ValueError if the pattern does not match.

    The regular expression `pattern` must match the whole text.
    """
    grammar = re.compile(pattern)

    def check(text: str) -> None:
        if not grammar.fullmatch(text):
            raise ValueError(text)

    return checked_by(check)


def host_name(text: str) -> str:
    """Returns a host name in lower case, as A-labels. Raises ValueError for a text that is not a host name.

    The grammar is RFC 1123 §2.1. A name whose last label is a number is refused too, because it looks like an IP
    address.
    """
    folded = address.fold_domain(text)
    labels = folded.split(".")
    if len(folded) > 253 or labels[-1].isdigit() or not all(_LABEL.match(label) for label in labels):
        raise ValueError(text)
    return folded


def web_url(text: str) -> str:
    """Returns the text unchanged if it is an HTTP or HTTPS URL with a host. Raises ValueError if it is not."""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not _PRINTABLE.match(text):
        raise ValueError(text)
    return text


def _mail_domain(text: str) -> str:
    if "." not in text:
        raise ValueError(text)
    return host_name(text)


def _when(value: object) -> datetime:
    """Returns a date or time of the file as a datetime; a date becomes its midnight, without a time zone.

    Raises ValueError for a value of another type.
    """
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    raise ValueError(value)


def _day(value: object) -> date:
    if isinstance(value, datetime) or not isinstance(value, date):
        raise ValueError(value)  # noqa: TRY004 - `Format.read` raises ValueError for each invalid value
    return value


def _pattern(text: str) -> None:
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(text, options=options)
    except re2.error:
        raise ValueError(text) from None


_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_PRINTABLE: Final = re.compile(r"[!-~]+\Z")

MAIL_DOMAIN: Final = Format("a mail domain", "marketplace.example", _mail_domain)
MAIL_ADDRESS: Final = Format("one mail address", "ops@company.example", checked_by(address.fold))
WEB_URL: Final = Format("a web address", "https://shop.example/help", web_url)
SLUG: Final = Format("a word of a-z, 0-9, - and _", "shop", matching("[a-z0-9][a-z0-9_-]{0,62}"))
ZONE: Final = Format("an IANA time zone", "Asia/Tokyo", checked_by(wall_clock.zone))
QUIET: Final = Format('two times of day or ""', "22:00-07:00", checked_by(wall_clock.daily_period))
WHEN: Final = Format("a date or time without quotes", "2026-07-01", _when)
DAY: Final = Format("a date without quotes", "2026-01-01", _day)
EXTENSION: Final = Format("a file name's ending without dot, in lower case", "pdf", matching("[a-z0-9]{1,10}"))
PATTERN: Final = Format("an RE2 pattern", "(half|bargain) price", checked_by(_pattern))
BRACKETS: Final = Format("an opening and a closing bracket", "[]", matching(r"\S\S"))

Positive = Annotated[int, Bounds(ge=1)]
Whole = Annotated[int, Bounds(ge=0)]
Duration = Annotated[float, Bounds(gt=0)]
Wait = Annotated[float, Bounds(ge=0)]
Text = Annotated[str, SettingFlag.NOT_EMPTY]
Language = Annotated[str, OneOf(("en", "ja"))]
MailDomain = Annotated[str, MAIL_DOMAIN, SettingFlag.NOT_EMPTY]
OptionalMailDomain = Annotated[str, MAIL_DOMAIN]
MailAddress = Annotated[str, MAIL_ADDRESS, SettingFlag.NOT_EMPTY]
OptionalMailAddress = Annotated[str, MAIL_ADDRESS]
WebUrl = Annotated[str, WEB_URL, SettingFlag.NOT_EMPTY]
OptionalWebUrl = Annotated[str, WEB_URL]
Slug = Annotated[str, SLUG, SettingFlag.NOT_EMPTY]
TimeZone = Annotated[str, ZONE, SettingFlag.NOT_EMPTY]
QuietHours = Annotated[str, QUIET]
Extension = Annotated[str, EXTENSION, SettingFlag.NOT_EMPTY]
Pattern = Annotated[str, PATTERN, SettingFlag.NOT_EMPTY]
Brackets = Annotated[str, BRACKETS, SettingFlag.NOT_EMPTY]
