"""The coverage of a message by a valid signature of DKIM or ARC (RFC 6376 §3.5 `h=`, §5.4.2, R-IN-09).

A signature proves only the fields that it signs, and of several fields of one name the lowest ones. Everybody who has
a signed mail can put further fields on top of it, and the relay, like mail programs, reads the first field of a name.
So a signature proves the writer only if nobody can have added a field that acts.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from relay.core.mail import address
from relay.core.mail.head import KIND_MARK, LOOP_MARK

_ALWAYS_SIGNED: Final = frozenset({"from", "subject", "date", "message-id", "reply-to"})
_ONE_MAY_BE_UNSIGNED: Final = frozenset({"to", "cc", "mime-version"})
"""As every field whose name begins with `content-`: large providers never sign one or the other of them."""
IGNORED_UNSIGNED: Final = frozenset({"in-reply-to", "references", KIND_MARK, LOOP_MARK.lower()})
"""Fields that have no effect unless they are signed, and as often as they are signed."""
_CONTENT: Final = "content-"
_KNOWN_CONTENT: Final = frozenset(
    {"content-type", "content-transfer-encoding", "content-disposition", "content-language", "content-id"}
)
_QUOTED: Final = re.compile(r'"(?>(?:[^"\\]|\\.?)*)"?|\([^()]*+\)', re.DOTALL)
"""A quoted name without an end reaches to the end of the value, so that no text is searched twice."""
_TAG_SIGNS: Final = 64  # the longest local part (RFC 5321 §4.5.3.1.1)


def signed_fields(listed: str) -> Counter[str]:
    """Returns how many fields of each name, in lower case, the value of an `h=` tag signs."""
    return Counter(name.strip().lower() for name in listed.split(":"))


def proves(present: Iterable[str], signed: Mapping[str, int]) -> bool:
    """Whether a signature over the fields `signed` proves the writer of a mail with the fields `present`.

    `present` has the name of each field of the header, in lower case, as the relay reads it.
    """
    return all(count <= _most(name, signed.get(name, 0)) for name, count in Counter(present).items())


def _most(name: str, signed: int) -> float:
    """Returns how many fields of this name a mail may have under a signature that covers `signed` of them."""
    if name in _ALWAYS_SIGNED:
        return signed
    if name in _ONE_MAY_BE_UNSIGNED or name.startswith(_CONTENT):
        return max(signed, 1)
    return float("inf")


def uncovered(present: Iterable[str], signed: Mapping[str, int]) -> frozenset[str]:
    """Returns the names of fields that act and are not signed, or not as often as they are present.

    They are for the record, which has no text of the message: an unusual `Content-` name is "content-*".
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
    """Whether an alias stands in one of the unfolded values of To and Cc, with or without a tag.

    `local_part` and `domain` are folded. Quoted names and comments do not count.
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
