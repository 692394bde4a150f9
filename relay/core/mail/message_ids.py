"""Reads the message ids in Message-ID, In-Reply-To and References fields (RFC 5322 §3.6.4)."""

import re
from typing import Final

from relay.core.mail import words
from relay.core.mail.mime import Part, raw_value

MAX_IDS: Final = 50
_FIRST_IDS: Final = 10
# Old programs fold inside an id, so white space is not part of an id. The longest id is as long as the longest line
# (RFC 5322 §2.1.1).
# An id without brackets, as some programs write it, is recognized by its at sign. Quotes and brackets end it.
_ID: Final = re.compile(rb"<([^<>]{1,998})>|(?<![^\s,;<>()\"'])([^\s,;<>()\"'@]{1,900}+@[^\s,;<>()\"'@]{1,900}+)")


def ids(content: bytes, root: Part, *names: str) -> tuple[str, ...]:
    """Returns the message ids in all fields called one of `names` (lower case), without angle brackets, each id once.

    The ids have the order of `names`, then that of the fields. If there are more than MAX_IDS (50), the first ten and
    the last forty are returned, so that the first message of the thread and its newest messages are among them.
    """
    found: dict[str, None] = {}
    for name in names:
        for field in root.fields:
            if field.name == name:
                for match in _ID.finditer(_plain(raw_value(content, field))):
                    found[b"".join((match[1] or match[2]).split()).decode("utf-8", "replace")] = None
    found.pop("", None)
    listed = tuple(found)
    return listed if len(listed) <= MAX_IDS else listed[:_FIRST_IDS] + listed[_FIRST_IDS - MAX_IDS :]


def _plain(raw: bytes) -> bytes:
    """Returns the value with its encoded words decoded, and with the brackets that a program wrote as entities."""
    if b"=?" in raw:
        raw = words.decode(raw).encode("utf-8", "replace")
    return raw.replace(b"&lt;", b"<").replace(b"&gt;", b">") if b"&" in raw else raw
