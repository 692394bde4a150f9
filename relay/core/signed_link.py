"""Signed links: opaque tokens that let a party do one thing with one click (R-POL-02, R-SND-02, R-REW-09).

A token names its purpose, its party, its subject and its end. It is encrypted as well as authenticated (AES-SIV, RFC
5297), because ids that two people could compare would connect their aliases. The same link always gives the same token.
To show a link changes nothing: GET shows and POST acts.
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
    """The purpose of a link, one letter each. The subject is a message id unless noted otherwise."""

    OPT_OUT = "o"
    """For a buyer: no more unsolicited mail of that message's seller; the page offers wider scopes."""
    NOT_IMPORTANT = "i"
    """For a buyer: that message did not deserve its mark of importance."""
    NO_REPLY = "n"
    """For a seller: that message needs no answer."""
    REPORT = "r"
    """For both: report that message to the marketplace."""
    SENDER = "s"
    """For a party: approve or block the pending sender with the subject's id."""
    CONFIRM = "c"
    """For a party: confirm or deny that the party itself wrote that held message (R-IN-09)."""
    REOPEN = "t"
    """For both: reopen the thread of that message (R-POL-18)."""
    PRODUCT_SUPPORT = "p"
    """For a seller: answer product questions about orders that the operator fulfils (R-POL-13). There is no subject."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """The contents of a token. `party_id` may act; `subject_id` is "" for a purpose without subject."""

    purpose: Purpose
    party_id: str
    subject_id: str
    expires_at: datetime


class ForgedError(ValueError):
    """The text is not a token of this installation."""


def mint(link: Link, key: bytes) -> str:
    """Returns the token of a link; `key` is the installation's "link" secret. The end is rounded down to the minute."""
    minutes = int(link.expires_at.timestamp()) // 60
    text = f"{link.purpose}{minutes:x}.{link.party_id}.{link.subject_id}".encode("ascii")
    return base64.urlsafe_b64encode(_cipher(key).encrypt(text, [_PURPOSE])).rstrip(b"=").decode("ascii")


def read(token: str, key: bytes) -> Link:
    """Returns the link of a token, even if it has expired. Raises ForgedError."""
    if not _GRAMMAR.match(token):
        raise ForgedError("the token is not of this installation")
    try:
        sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        text = _cipher(key).decrypt(sealed, [_PURPOSE]).decode("ascii")
    except (ValueError, InvalidTag):
        raise ForgedError("the token is not of this installation") from None
    head, party_id, subject_id = text.split(".")
    expires_at = datetime.fromtimestamp(int(head[1:], 16) * 60, UTC)
    return Link(purpose=Purpose(head[0]), party_id=party_id, subject_id=subject_id, expires_at=expires_at)


@lru_cache(4)
def _cipher(key: bytes) -> AESSIV:
    return AESSIV(key)
