"""The names of machines that a message's trace gives away: hosts and addresses in Received and its kin, the host in
Message-ID, HELO and client of the session.

A public provider's bare domain names nobody and may stand in prose (R-REW-01).
"""

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Final

from relay.core.rewrite.mime import Part

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
_TRACE_BYTES: Final = 16_384  # each name costs a look at the whole text; of endless trace fields the newest count
# Everything that no host name or IP address holds, as one table for bytes.translate.
_NAME_OCTETS: Final = b"abcdefghijklmnopqrstuvwxyz0123456789.-_:"
_TO_WORDS: Final = bytes(octet if octet in _NAME_OCTETS else 0x20 for octet in bytes(range(256)).lower())
# A name ends in letters, unlike version numbers and dates; an IPv6 address has eight groups or a gap, unlike a time.
_HOST_OR_IP: Final = re.compile(
    r"(?:[a-z0-9_-]+\.)+(?:[a-z]+|xn--[a-z0-9-]+)\Z|[0-9]{1,3}(?:\.[0-9]{1,3}){3}\Z"
    r"|(?=[^:]*:(?:[^:]*:){6}|.*::)[0-9a-f:]{3,45}\Z"
)
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
    """Lower-case names and IPs to hide, longest first. Names at `own` domains are the relay's and stay."""
    trace = b" ".join(content[field.value_start : field.end] for field in root.fields if field.name in FIELDS)
    named = itertools.chain(map(str.lower, hidden), _names(trace[:_TRACE_BYTES]))
    found = {name for name in named if name.count(".") >= 2 or ":" in name}
    message_id = root.first("message-id")
    ids = [content_id.encode("latin-1") for content_id in content_ids]
    if message_id:
        ids.append(content[message_id.value_start : message_id.end])
    # RFC 5322 §3.6.4 lets anything stand on the right side of an id.
    found.update(_names(b" ".join(each.rpartition(b"@")[2] for each in ids)))
    found = {name.strip("[]").removeprefix("ipv6:") for name in found}
    return tuple(sorted((n for n in found - _PUBLIC if not _is_own(n, own)), key=lambda n: (-len(n), n)))


def _names(text: bytes) -> Iterator[str]:
    for octets in set(text.translate(_TO_WORDS).split()):
        if b"." in octets or b":" in octets:
            word = octets.decode("ascii").removeprefix("ipv6:").strip(".-")
            if _HOST_OR_IP.match(word):
                yield word


def _is_own(name: str, own: frozenset[str]) -> bool:
    return any(name == domain or name.endswith("." + domain) for domain in own)
