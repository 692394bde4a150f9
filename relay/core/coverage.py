"""Checks which fields of a message a valid signature of DKIM or ARC covers (RFC 6376 §3.5 `h=`, §5.4.2, R-IN-09).

A signature proves only the fields that it signs. If a name occurs in several fields, the lowest of them are signed. But
everybody who has a signed mail can add fields above the signed fields, and the relay, like mail programs, reads the
first field of a name. So a signature proves the writer only if nobody can have added a field that changes how the mail
is read.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from relay.core.mail import address
from relay.core.mail.head import KIND_MARK, LOOP_MARK

_ALWAYS_SIGNED: Final = frozenset({"from", "subject", "date", "message-id", "reply-to"})
_ONE_MAY_BE_UNSIGNED: Final = frozenset({"to", "cc", "mime-version"})
"""Fields that may occur once without being signed, because large providers do not sign all of them.

The same rule applies to each field whose name begins with `content-`.
"""
IGNORED_UNSIGNED: Final = frozenset({"in-reply-to", "references", KIND_MARK, LOOP_MARK.lower()})
"""Fields that the relay ignores unless each occurrence of them is signed."""
_CONTENT: Final = "content-"
_KNOWN_CONTENT: Final = frozenset(
    {"content-type", "content-transfer-encoding", "content-disposition", "content-language", "content-id"}
)
_QUOTED: Final = re.compile(r'"(?>(?:[^"\\]|\\.?)*)"?|\([^()]*+\)', re.DOTALL)
"""Matches a quoted string or a comment.

A quoted string without an end matches up to the end of the value, so that no text is searched twice.
"""
_TAG_SIGNS: Final = 64  # the longest local part (RFC 5321 §4.5.3.1.1)


def signed_fields(listed: str) -> Counter[str]:
    """Returns how many fields of each name, in lower case, the value of an `h=` tag signs."""
    return Counter(name.strip().lower() for name in listed.split(":"))


def proves(present: Iterable[str], signed: Mapping[str, int]) -> bool:
    """Returns whether a signature proves the writer of a mail.

    `present` has the name, in lower case, of each field of the mail's header. `signed` has the number of fields of each
    name that the signature covers, as `signed_fields` returns it.
    """
    return all(count <= _most(name, signed.get(name, 0)) for name, count in Counter(present).items())


def _most(name: str, signed: int) -> float:
    """Returns how many fields called `name` a mail may have if its signature covers `signed` of them.

    Infinity means any number.
    """
    if name in _ALWAYS_SIGNED:
        return signed
    if name in _ONE_MAY_BE_UNSIGNED or name.startswith(_CONTENT):
        return max(signed, 1)
    return float("inf")


def uncovered(present: Iterable[str], signed: Mapping[str, int]) -> frozenset[str]:
    """Returns the names of the fields that occur more often than they are signed, for the record.

    Fields that neither the relay nor a mail program acts on are left out. The record must contain no text of the
    message, so every unusual name that begins with `Content-` is returned as "content-*".
    """
    return frozenset(
        name if not name.startswith(_CONTENT) or name in _KNOWN_CONTENT else f"{_CONTENT}*"
        for name, count in Counter(present).items()
        if _acts(name) and count > signed.get(name, 0)
    )


def _acts(name: str) -> bool:
    acts = name in _ALWAYS_SIGNED or name in _ONE_MAY_BE_UNSIGNED or name in IGNORED_UNSIGNED
    return acts or name.startswith(_CONTENT)


def names(values: Iterable[str], local_part: str, domain: str) -> bool:
    """Returns whether one of the values of To and Cc contains the alias, with or without a tag.

    The values are unfolded (RFC 5322 §2.2.3). `local_part` and `domain` are those of the alias, folded as by
    `address.fold`. An alias within a quoted name or a comment does not count.
    """
    name = re.escape(local_part)
    tag = rf"\+[^\s@<>,;]{{0,{_TAG_SIGNS}}}"
    wanted = re.compile(rf"(?<![\w.+-])(?:check\+)?{name}(?:{tag})?@([^\s<>,;]+)", re.IGNORECASE)
    return any(_is_domain(match[1], domain) for value in values for match in wanted.finditer(_QUOTED.sub(" ", value)))


def _is_domain(text: str, domain: str) -> bool:
    try:
        return address.fold_domain(text) == domain
    except address.AddressError:
        return False
