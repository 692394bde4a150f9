"""Texts with a grammar: what each is called, an example of it, and how it is told."""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import msgspec
import re2

from relay.core.mail import address
from relay.core.model import days


@dataclass(frozen=True, slots=True)
class Format:
    """`name` completes "expected ..."; `accepts` raises ValueError for a text (a date) that is not one."""

    name: str
    example: str
    accepts: Callable[[Any], object]


def _host_name(text: str) -> None:
    # RFC 1123 §2.1; an all-numeric last label would be read as an address.
    folded = address.fold_domain(text)
    labels = folded.split(".")
    if len(folded) > 253 or labels[-1].isdigit() or not all(_LABEL.match(label) for label in labels):
        raise ValueError(text)


def _mail_domain(text: str) -> None:
    _host_name(text)
    if "." not in text:
        raise ValueError(text)


def _route_domain(text: str) -> None:
    if text != "*":
        _host_name(text)


def _host_or_ip(text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        _host_name(text)


def _mail_address(text: str) -> None:
    address.fold(text)


def _web_url(text: str) -> None:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not _PRINTABLE.match(text):
        raise ValueError(text)


def _scanner_address(text: str) -> None:
    if text.startswith(("http://", "https://")):
        _web_url(text)
    elif not text.startswith("unix:/"):
        parts = urlsplit(f"//{text}")
        if not parts.hostname or not parts.port or parts.netloc != text or parts.username is not None:
            raise ValueError(text)
        _host_or_ip(parts.hostname)


def _when(value: object) -> None:
    if not isinstance(value, date):  # of which a datetime is one
        raise ValueError(value)  # noqa: TRY004 - told like any other wrong value


def _day(value: object) -> None:
    if isinstance(value, datetime) or not isinstance(value, date):
        raise ValueError(value)  # noqa: TRY004 - likewise


def _pattern(text: str) -> None:
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(text, options=options)
    except re2.error:
        raise ValueError(text) from None


def _matching(pattern: str) -> Callable[[str], None]:
    grammar = re.compile(pattern)

    def accepts(text: str) -> None:
        if not grammar.fullmatch(text):
            raise ValueError(text)

    return accepts


_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_PRINTABLE: Final = re.compile(r"[!-~]+\Z")

HOST_NAME: Final = Format("a host name", "mx.shop.example", _host_name)
HOST_OR_IP: Final = Format("an IP address or a host name", "127.0.0.1", _host_or_ip)
IP: Final = Format("an IP address", "192.0.2.1", ipaddress.ip_address)
CIDR: Final = Format("a network in CIDR form without host bits", "192.0.2.0/24", ipaddress.ip_network)
MAIL_DOMAIN: Final = Format("a mail domain", "marketplace.example", _mail_domain)
MAIL_ADDRESS: Final = Format("one mail address", "ops@company.example", _mail_address)
WEB_URL: Final = Format("a web address", "https://shop.example/help", _web_url)
SLUG: Final = Format("a word of a-z, 0-9, - and _", "shop", _matching("[a-z0-9][a-z0-9_-]{0,62}"))
STORE: Final = Format(
    "a store address", "sqlite:relay.db or postgresql://user@host/name", _matching(r"sqlite:.+|postgres(ql)?://.+")
)
ROUTE_DOMAIN: Final = Format('a mail domain or "*"', "shop.example", _route_domain)
SCANNER: Final = Format(
    "a scanner's address", "127.0.0.1:3310, unix:/run/clamav/clamd.ctl or http://127.0.0.1:11333", _scanner_address
)
ZONE: Final = Format("an IANA time zone", "Asia/Tokyo", days.zone)
QUIET: Final = Format('two times of day or ""', "22:00-07:00", days.stretch)
WHEN: Final = Format("a date or time without quotes", "2026-07-01", _when)
DAY: Final = Format("a date without quotes", "2026-01-01", _day)
EXTENSION: Final = Format("a file name's ending without dot, in lower case", "pdf", _matching("[a-z0-9]{1,10}"))
PATTERN: Final = Format("an RE2 pattern", "(half|bargain) price", _pattern)
BRACKETS: Final = Format("an opening and a closing bracket", "[]", _matching(r"\S\S"))

# An optional text has no `min_length`: "" stands for none and is not held against the format.
HostName = Annotated[str, msgspec.Meta(extra={"format": HOST_NAME})]
HostOrIp = Annotated[str, msgspec.Meta(extra={"format": HOST_OR_IP}, min_length=1)]
Ip = Annotated[str, msgspec.Meta(extra={"format": IP})]
Cidr = Annotated[str, msgspec.Meta(extra={"format": CIDR}, min_length=1)]
MailDomain = Annotated[str, msgspec.Meta(extra={"format": MAIL_DOMAIN})]
MailAddress = Annotated[str, msgspec.Meta(extra={"format": MAIL_ADDRESS}, min_length=1)]
WebUrl = Annotated[str, msgspec.Meta(extra={"format": WEB_URL}, min_length=1)]
OptionalUrl = Annotated[str, msgspec.Meta(extra={"format": WEB_URL})]
Slug = Annotated[str, msgspec.Meta(extra={"format": SLUG}, min_length=1)]
StoreUrl = Annotated[str, msgspec.Meta(extra={"format": STORE}, min_length=1)]
RouteDomain = Annotated[str, msgspec.Meta(extra={"format": ROUTE_DOMAIN}, min_length=1)]
ScannerAddress = Annotated[str, msgspec.Meta(extra={"format": SCANNER}, min_length=1)]
Brackets = Annotated[str, msgspec.Meta(extra={"format": BRACKETS}, min_length=1)]
OptionalAddress = Annotated[str, msgspec.Meta(extra={"format": MAIL_ADDRESS})]
Extension = Annotated[str, msgspec.Meta(extra={"format": EXTENSION}, min_length=1)]
Pattern = Annotated[str, msgspec.Meta(extra={"format": PATTERN}, min_length=1)]
