"""Lists the machines that a message names: hosts and addresses in Received, Message-ID and similar fields.

The HELO name and the client address of the session are listed too. A public service and the local host identify nobody
(R-REW-01). A name without a domain counts only if it has a digit or a hyphen, because other names may be words.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import idna

from relay.core.mail.mime import Part
from relay.core.rewrite.scrub.public_services import is_public
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
_TRACE_BYTES: Final = 16_384
"""The number of octets of the trace fields that are read, the newest first.

It is limited, because each name requires a search of the whole text.
"""
# The table for bytes.translate: an octet that no host name or IP address contains becomes a space. The signs "@" and
# "=" stay, because a word before such a sign is no host: it is a part of an address, or the name of a property.
_NAME_OCTETS: Final = b"abcdefghijklmnopqrstuvwxyz0123456789.-_:@="
_TO_WORDS: Final = bytes(octet if octet in _NAME_OCTETS else 0x20 for octet in bytes(range(256)).lower())
# A host name ends in letters, unlike versions and dates; an IPv6 address has eight groups or a gap, unlike a time.
_HOST_OR_IPV4: Final = re.compile(r"(?:[a-z0-9_-]+\.)+(?:[a-z]+|xn--[a-z0-9-]+)\Z|[0-9]{1,3}(?:\.[0-9]{1,3}){3}\Z")
_IPV6: Final = re.compile(r"[0-9a-f:]{3,45}\Z")
_COLONS: Final = 7
_LONGEST_HOST: Final = 253  # RFC 1035 §2.3.4
# The name of a machine without its domain. A word of letters alone may be a word of the text, so it does not count.
_LABEL: Final = re.compile(r"(?=.*[a-z])(?=.*[0-9-])[a-z0-9_-]{4,63}\Z")
_NOBODY: Final = re.compile(
    r"(?:localhost|.*\.localhost|localhost\.localdomain|127\..*|0\.0\.0\.0|::1?|::ffff:127\..*)\Z"
)
_HELO: Final = re.compile(
    rb"\bfrom[ \t\r\n]+([A-Za-z0-9_-]{4,63})(?=[ \t\r\n;])|helo=([A-Za-z0-9_-]{4,63})(?![A-Za-z0-9_.-])"
)
# The id that a server gives to a message may look like an IP address.
_ID: Final = re.compile(rb"(?<![A-Za-z])id[ \t\r\n]+[0-9]+(?:\.[0-9]+){3}(?![0-9.])")
# The right side of an id that is the name of a file, such as "logo@page.png".
_FILE: Final = re.compile(r".*\.(?:pdf|txt|csv|docx?|xlsx?|jpe?g|gif|bmp|png|svg|webp|zip|eml|html?|xml|ics|vcf)\Z")
_MESSAGE_IDS: Final = 50
_CALENDARS: Final = frozenset({"google.com", "calendar.google.com", "yahoo.com", "apple.com"})


class MachineNames(NamedTuple):
    """The names of machines in a message, in lower case, the longest first.

    `hosts` are full host names and IP addresses. `labels` are names without a domain, which identify a machine only in
    places for such names.
    """

    hosts: tuple[str, ...]
    labels: tuple[str, ...]


def names(
    content: bytes,
    root: Part,
    hidden: Iterable[str],
    content_ids: Iterable[str],
    own: frozenset[str],
    shown: frozenset[str] = frozenset(),
) -> MachineNames:
    """Returns the names of the machines to hide.

    They come from the message, from `content_ids`, and from `hidden`, the hosts of the session. Messages inside the
    message are searched too, because the writer usually wrote these messages too. Left out are the names at the `own`
    domains, which belong to the relay, and the `shown` domains, which the marketplace allows.
    """
    telling = [field for part in root.walk() for field in part.fields if field.name in _TELLING]
    values = [(field.name, content[field.value_start : field.end]) for field in telling]
    trace = b" ".join([value for name, value in values if name in FIELDS])[:_TRACE_BYTES]
    # The right side of an id may be anything (RFC 5322 §3.6.4). An id without an at sign names no machine.
    ids = [value for name, value in values if name == "message-id"][:_MESSAGE_IDS]
    split_ids = [each.rpartition(b"@")[1:] for each in (*ids, *(i.encode("latin-1") for i in content_ids))]
    right_sides = [right for sign, right in split_ids if sign]
    clients = [*map(str.lower, hidden), *((m[1] or m[2]).decode("ascii").lower() for m in _HELO.finditer(trace))]
    single = [*clients, *(each.strip(b"<> \t\r\n").decode("latin-1").lower() for each in right_sides)]
    of_ids = [name for name in _words(b" ".join(right_sides)) if not _FILE.match(name)]
    listed = (*clients, *_words(_ID.sub(b"", trace)), *of_ids)
    found = {_bare(name) for name in listed if _is_full(name)}
    below_own = tuple([f".{domain}" for domain in own])
    foreign = {
        name
        for name in found - own - shown
        if not is_public(name)
        and not _NOBODY.match(name)
        and not name.endswith(below_own)
        and name.removeprefix("www.") not in shown
    }
    foreign.update(name for host in tuple(foreign) if "xn--" in host for name in _as_people_see(host))
    return MachineNames(_longest_first(foreign), _longest_first({name for name in single if _LABEL.match(name)}))


def _longest_first(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(found, key=lambda name: (-len(name), name)))


def is_of_calendar(host: str) -> bool:
    """Returns whether the host names a public service in the id of an event, so that the id may stay as it is."""
    return host in _CALENDARS or is_public(host)


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


def _words(text: bytes) -> Iterator[str]:
    text = text.replace(b"@", b"@ ").replace(b"=", b"= ")
    for octets in set(text.translate(_TO_WORDS).split()):
        if b":" in octets:
            pattern = _IPV6 if b"::" in octets or octets.count(b":") >= _COLONS else None
        else:
            pattern = _HOST_OR_IPV4 if b"." in octets else None
        if pattern:
            word = octets.decode("ascii").removeprefix("ipv6:").strip(".-")
            if pattern.match(word):
                yield word
