"""Variable envelope return paths: an address to which a bounce comes back, and which names its queue item.

The form is `b.` + item id + expiry + signature, of lower-case letters and digits. It survives folding of case, and the
dot separates it from every alias. The signature prevents bounces of other people's mail, and the expiry ends the use of
an old address (R-REW-10, R-OUT-04).
"""

import base64
import hmac
import re
from datetime import UTC, datetime
from typing import Final

from relay.core import keyed

PREFIX: Final = "b."
_EXPIRY_CHARS: Final = 8  # 5 bytes of seconds since 1970
_SIGNATURE_CHARS: Final = 16  # 80 bits
_ITEM_ID: Final = re.compile(r"[0-9a-z]{26}\Z")
_GRAMMAR: Final = re.compile(
    rf"b\.(?P<item_id>[0-9a-z]{{26}})(?P<expiry>[a-z2-7]{{{_EXPIRY_CHARS}}})(?P<signature>[a-z2-7]{{{_SIGNATURE_CHARS}}})\Z"
)


def mint(item_id: str, expires_at: datetime, key: bytes) -> str:
    """Returns the local part for an item's MAIL FROM. Raises ValueError for an invalid id.

    `item_id` is a record id, `key` the installation's "verp" secret.
    """
    if not _ITEM_ID.match(item_id):
        raise ValueError("an item id is 26 characters of lower-case base32")
    expiry = keyed.base32(int(expires_at.timestamp()).to_bytes(5, "big"))
    return f"{PREFIX}{item_id}{expiry}{_signature(item_id, expiry, key)}"


def read(local_part: str, now: datetime, key: bytes) -> str | None:
    """Returns the item id of a valid, unexpired return path of this installation, else None."""
    match = _GRAMMAR.match(local_part.lower())
    if match is None:
        return None
    item_id, expiry = match["item_id"], match["expiry"]
    if not hmac.compare_digest(match["signature"], _signature(item_id, expiry, key)):
        return None
    expires_at = datetime.fromtimestamp(int.from_bytes(base64.b32decode(expiry.upper()), "big"), UTC)
    return item_id if now < expires_at else None


def _signature(item_id: str, expiry: str, key: bytes) -> str:
    return keyed.base32(keyed.tag(key, "verp", item_id, expiry, size=_SIGNATURE_CHARS * 5 // 8))
