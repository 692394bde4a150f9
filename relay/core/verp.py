"""Makes and reads variable envelope return paths (VERP): each item has its own return path, which contains its id.

A bounce comes to the return path, so the relay knows from the address which item it is about. The local part is `b.`,
then the item id, the expiry and a signature, all in lower-case letters and digits. Servers may change the case of the
address without harm. The dot distinguishes the address from an alias, because no alias contains a dot. The signature
shows that the relay itself made the address, so nobody can send a bounce for mail that the relay did not send. After
the expiry the address is no longer valid (R-REW-10, R-OUT-04).
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
    """Returns the local part of the return path (MAIL FROM) of an item.

    `item_id` has 26 characters; raises ValueError if it is invalid. `key` is the installation's secret for return
    paths.
    """
    if not _ITEM_ID.match(item_id):
        raise ValueError("an item id is 26 characters of lower-case base32")
    expiry = keyed.base32(int(expires_at.timestamp()).to_bytes(5, "big"))
    return f"{PREFIX}{item_id}{expiry}{_signature(item_id, expiry, key)}"


def is_shaped(local_part: str) -> bool:
    """Whether a local part begins like a return path, so that it is worth to be read."""
    return local_part[: len(PREFIX)].lower() == PREFIX


def read(local_part: str, now: datetime, key: bytes) -> str | None:
    """Returns the item id in the local part of a return path that this installation made and that has not expired.

    Returns None for any other local part.
    """
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
