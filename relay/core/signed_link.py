"""Makes and reads the tokens of signed links, by which a party does one thing with one click.

R-POL-02, R-SND-02 and R-REW-09 require such links. A token contains its purpose, the ids of its party and its subject,
and the time when it expires. It is authenticated and encrypted (AES-SIV, RFC 5297), because two people who could read
and compare the ids in their tokens would learn which aliases belong together. The same link always gives the same
token. Opening a link changes nothing: a GET request shows a page, and only a POST request acts.
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
    """The purposes of links, each as one letter.

    The subject of a link is the id of a message, unless the purpose says otherwise.
    """

    OPT_OUT = "o"
    """For a buyer: get no more unsolicited mail from the seller of the message. The page also offers wider opt-outs."""
    NOT_IMPORTANT = "i"
    """For a buyer: say that the message did not deserve its mark of importance."""
    NO_REPLY = "n"
    """For a seller: say that the message needs no answer."""
    REPORT = "r"
    """For a buyer or a seller: report the message to the marketplace."""
    SENDER = "s"
    """For a buyer or a seller: approve or block a pending sender. The subject is the id of the sender."""
    CONFIRM = "c"
    """For a buyer or a seller: confirm or deny having written the held message (R-IN-09)."""
    REOPEN = "t"
    """For a buyer or a seller: reopen the thread of the message (R-POL-18)."""
    PRODUCT_SUPPORT = "p"
    """For a seller: get the product questions about orders that the operator fulfils (R-POL-13). It has no subject."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """The contents of a token: the party `party_id` may act on `subject_id` until `expires_at`.

    `subject_id` is "" if the purpose has no subject.
    """

    purpose: Purpose
    party_id: str
    subject_id: str
    expires_at: datetime


class ForgedError(ValueError):
    """The text is not a token that this installation made."""


def mint(link: Link, key: bytes) -> str:
    """Returns the token of a link; its `expires_at` is rounded down to the minute.

    `key` is the installation's secret for links, of KEY_BYTES bytes.
    """
    minutes = int(link.expires_at.timestamp()) // 60
    text = f"{link.purpose}{minutes:x}.{link.party_id}.{link.subject_id}".encode("ascii")
    return base64.urlsafe_b64encode(_cipher(key).encrypt(text, [_PURPOSE])).rstrip(b"=").decode("ascii")


def read(token: str, key: bytes) -> Link:
    """Returns the link of a token, even if the token has expired.

    `key` is the installation's secret for links. Raises ForgedError if the token was not made with this key.
    """
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
