"""Lists the machines that a message names: hosts and addresses in Received, Message-ID and similar fields.

The HELO name and the client address of the session are listed too. The bare domain of a public provider is not hidden,
because it identifies nobody and may stand in prose (R-REW-01).
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

import idna

from relay.core.mail.mime import Part
from relay.core.rewrite.scrub.spellings import spellings

FIELDS: Final = frozenset(
    {
        "authentication-results",
        "received",
        "received-spf",
        "x-client-ip",
        "x-forwarded-for",
        "x-mailer-host",
        "x-originating-host",
        "x-originating-ip",
        "x-real-ip",
        "x-received",
        "x-remote-ip",
        "x-sender-ip",
        "x-source-ip",
    }
)
_TELLING: Final = FIELDS | {"message-id"}
_TRACE_BYTES: Final = (
    16_384  # each name requires a search of the whole text, so only the newest octets of the trace fields are read
)
# The table for bytes.translate: an octet that no host name or IP address contains becomes a space.
_NAME_OCTETS: Final = b"abcdefghijklmnopqrstuvwxyz0123456789.-_:"
_TO_WORDS: Final = bytes(octet if octet in _NAME_OCTETS else 0x20 for octet in bytes(range(256)).lower())
# A host name ends in letters, unlike versions and dates; an IPv6 address has eight groups or a gap, unlike a time.
_HOST_OR_IPV4: Final = re.compile(r"(?:[a-z0-9_-]+\.)+(?:[a-z]+|xn--[a-z0-9-]+)\Z|[0-9]{1,3}(?:\.[0-9]{1,3}){3}\Z")
_IPV6: Final = re.compile(r"[0-9a-f:]{3,45}\Z")
_COLONS: Final = 7
_LONGEST_HOST: Final = 253  # RFC 1035 §2.3.4
_LABEL: Final = re.compile(r"(?=.*[a-z])[a-z0-9_-]{4,63}\Z")
_COMMON: Final = frozenset(
    """
    android apple client computer debian default desktop device example friend gateway guest home host hostname iphone
    ipad laptop linux local localdomain localhost localhost.localdomain macbook mail mailer mailhost mobile mxhost
    notebook phone relay router sender server smtp test tablet ubuntu unknown user webmail windows workgroup
    """.split()  # noqa: SIM905 - a table to read, not fifty lines
)
_HELO: Final = re.compile(rb"\bfrom[ \t\r\n]+([A-Za-z0-9_-]{4,63})(?=[ \t\r\n;])|helo=([A-Za-z0-9_-]{4,63})")
_MESSAGE_IDS: Final = 50
_CALENDARS: Final = frozenset({"google.com", "calendar.google.com", "yahoo.com", "apple.com"})
_PUBLIC: Final = frozenset(
    """
    126.com 163.com aol.com au.com biglobe.ne.jp docomo.ne.jp excite.co.jp ezweb.ne.jp fastmail.com gmail.com gmx.com
    gmx.de gmx.net goo.jp googlemail.com hotmail.co.jp hotmail.com i.softbank.jp icloud.com live.com live.jp mac.com
    mail.com mail.ru me.com msn.com naver.com nifty.com ocn.ne.jp outlook.com outlook.jp pm.me proton.me protonmail.com
    qq.com so-net.ne.jp softbank.ne.jp t-online.de uqmobile.jp web.de yahoo.co.jp yahoo.co.uk yahoo.com yahoo.fr
    yandex.com yandex.ru ybb.ne.jp ymail.com ymobile.ne.jp zoho.com
    """.split()  # noqa: SIM905 - a table to read, not fifty lines
)


def hosts(
    content: bytes, root: Part, hidden: Iterable[str], content_ids: Iterable[str], own: frozenset[str]
) -> tuple[str, ...]:
    """Returns the host names and IP addresses to hide, in lower case, the longest first.

    They come from the message, from `content_ids`, and from `hidden`, the hosts of the session. Messages inside the
    message are searched too, because the writer usually wrote these messages too. Names at the `own` domains belong to
    the relay and are left out.
    """
    told = [field for part in root.walk() for field in part.fields if field.name in _TELLING]
    values = [(field.name, content[field.value_start : field.end]) for field in told]
    trace = b" ".join([value for name, value in values if name in FIELDS])[:_TRACE_BYTES]
    # The right side of an id may be anything (RFC 5322 §3.6.4).
    ids = [value for name, value in values if name == "message-id"][:_MESSAGE_IDS]
    right_sides = [each.rpartition(b"@")[2] for each in (*ids, *(i.encode("latin-1") for i in content_ids))]
    clients = [*map(str.lower, hidden), *((m[1] or m[2]).decode("ascii").lower() for m in _HELO.finditer(trace))]
    single = [*clients, *(each.strip(b"<> \t\r\n").decode("latin-1").lower() for each in right_sides)]
    found = {_bare(name) for name in (*clients, *_names(trace), *_names(b" ".join(right_sides))) if _is_full(name)}
    found.update(name for name in single if _is_machine_label(name))
    below_own = tuple([f".{domain}" for domain in own])
    foreign = {name for name in found - _PUBLIC - own if not name.endswith(below_own)}
    foreign.update(name for host in tuple(foreign) if "xn--" in host for name in _as_people_see(host))
    return tuple(sorted(foreign, key=lambda n: (-len(n), n)))


def is_public(host: str) -> bool:
    """Returns whether so many people use the host that it identifies nobody."""
    return host in _PUBLIC or host in _CALENDARS


def _as_people_see(host: str) -> tuple[str, ...]:
    """Returns the spellings of a host in U-labels (RFC 5890 §2.3.2.1), or an empty tuple if it cannot be decoded."""
    try:
        return spellings(idna.decode(host).lower()) if len(host) <= _LONGEST_HOST else ()
    except UnicodeError:
        return ()


def _bare(name: str) -> str:
    return name.strip("[]").removeprefix("ipv6:")


def _is_full(name: str) -> bool:
    return "." in name or ":" in name


def _is_machine_label(name: str) -> bool:
    """Returns whether the name is the name of a machine without a domain, and not a common word.

    Desktop machines give such names in HELO.
    """
    return bool(_LABEL.match(name)) and name not in _COMMON


def _names(text: bytes) -> Iterator[str]:
    for octets in set(text.translate(_TO_WORDS).split()):
        if b":" in octets:
            pattern = _IPV6 if b"::" in octets or octets.count(b":") >= _COLONS else None
        else:
            pattern = _HOST_OR_IPV4 if b"." in octets else None
        if pattern:
            word = octets.decode("ascii").removeprefix("ipv6:").strip(".-")
            if pattern.match(word):
                yield word
