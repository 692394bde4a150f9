"""Signed links: what a party may do with one click, as an opaque token (R-POL-02, R-SND-02, R-REW-09).

A token names its purpose, the party that it was given to, what it is about and when it ends. It is encrypted as well as
authenticated (AES-SIV, RFC 5297), because ids that two people could compare would join their aliases. Deterministic:
the same link is the same text. Nothing is done by showing one: GET shows, POST does.
"""

import base64
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

KEY_BYTES: Final = 32
_GRAMMAR: Final = re.compile(r"[A-Za-z0-9_-]{40,400}\Z")
_PURPOSE: Final = b"relay link"


class Purpose(StrEnum):
    """One letter each, for short links. The subject is a message's id where nothing else is said."""

    OPT_OUT = "o"
    """A buyer: no more unsolicited mail of that message's seller; wider scopes on the page."""
    NOT_IMPORTANT = "i"
    """A buyer: the mark of importance on that message was not deserved."""
    NO_REPLY = "n"
    """A seller: that message needs no answer."""
    REPORT = "r"
    """Both: report that message to the marketplace."""
    SENDER = "s"
    """A party: approve or block the pending sender with the subject's id."""
    CONFIRM = "c"
    """A party: that held message is one's own (R-IN-09), or is not."""
    REOPEN = "t"
    """Both: reopen the thread of that message (R-POL-18)."""
    PRODUCT_SUPPORT = "p"
    """A seller: product questions about orders that the operator fulfils come to him (R-POL-13). No subject."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """`party_id` may act; `subject_id` is "" where the purpose has none."""

    purpose: Purpose
    party_id: str
    subject_id: str
    expires_at: datetime


class ForgedError(ValueError):
    """Not a token of ours."""


def mint(link: Link, key: bytes) -> str:
    """The token; `key` is the installation's "link" secret. The end is kept to the minute."""
    minutes = int(link.expires_at.timestamp()) // 60
    text = f"{link.purpose}{minutes:x}.{link.party_id}.{link.subject_id}".encode("ascii")
    return base64.urlsafe_b64encode(_cipher(key).encrypt(text, [_PURPOSE])).rstrip(b"=").decode("ascii")


def read(token: str, key: bytes) -> Link:
    """The link of a token, ended ones too: the page says so. Raises ForgedError."""
    if not _GRAMMAR.match(token):
        raise ForgedError("not a link of ours")
    try:
        sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        text = _cipher(key).decrypt(sealed, [_PURPOSE]).decode("ascii")
    except (ValueError, InvalidTag):
        raise ForgedError("not a link of ours") from None
    head, party_id, subject_id = text.split(".")
    expires_at = datetime.fromtimestamp(int(head[1:], 16) * 60, UTC)
    return Link(purpose=Purpose(head[0]), party_id=party_id, subject_id=subject_id, expires_at=expires_at)


@lru_cache(4)
def _cipher(key: bytes) -> AESSIV:
    return AESSIV(key)
