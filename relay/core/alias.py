"""Alias grammar: 16 characters of lower-case base32, 65 random bits and a 15-bit keyed check code (R-ADR-02).

The check code binds the random part to its domain, so that a mistyped, guessed or moved alias is refused without a
database look-up. The tag in `alias+TAG` names an order or a kind (R-ADR-05).
"""

import hmac
import re
from typing import Final, NamedTuple

from relay.core import keyed

_RANDOM_CHARS: Final = 13
_CHECK_CHARS: Final = 3
LENGTH: Final = _RANDOM_CHARS + _CHECK_CHARS
ENTROPY_BYTES: Final = 9
_GRAMMAR: Final = re.compile(rf"[a-z2-7]{{{LENGTH}}}\Z")


_CHECK: Final = "check"


class Tagged(NamedTuple):
    """An alias's local part, and the tag after its `+` ("" when there is none).

    `check` means that the writer only asks for the verdict about the message (R-POL-19).
    """

    local_part: str
    tag: str
    check: bool = False


def issue(entropy: bytes, domain: str, key: bytes) -> str:
    """Returns a new local part from ENTROPY_BYTES random bytes, for a folded `domain`.

    `key` are the 32 bytes of the alias key. Raises ValueError when `entropy` has another length.
    """
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"an alias needs {ENTROPY_BYTES} random bytes, not {len(entropy)}")
    random_part = keyed.base32(entropy)[:_RANDOM_CHARS]
    return random_part + _check_code(random_part, domain, key)


def is_valid(local_part: str, domain: str, key: bytes) -> bool:
    """Whether the check code is right; `local_part` and `domain` are folded, without tag."""
    if not _GRAMMAR.match(local_part):
        return False
    expected = _check_code(local_part[:_RANDOM_CHARS], domain, key)
    return hmac.compare_digest(local_part[_RANDOM_CHARS:], expected)


def untag(local_part: str) -> Tagged:
    """Splits a local part: `7kq2...+Tag` gives Tagged("7kq2...", "Tag"), and `check+7kq2...+Tag` the same with `check`.

    The case of the alias is folded, that of the tag is kept.
    """
    alias, _, tag = local_part.partition("+")
    if alias.lower() == _CHECK and tag:
        return untag(tag)._replace(check=True)
    return Tagged(alias.lower(), tag)


def pseudonym(seller_id: str, buyer_id: str, key: bytes) -> str:
    """Returns the name under which one seller sees one buyer, such as `buyer-7F3K2M9Q` (R-ADR-06).

    Two sellers cannot tell from their pseudonyms whether they share a buyer.
    """
    return "buyer-" + keyed.base32(keyed.tag(key, "pseudonym", seller_id, buyer_id, size=5)).upper()


def _check_code(random_part: str, domain: str, key: bytes) -> str:
    return keyed.base32(keyed.tag(key, "alias", random_part, domain, size=2))[:_CHECK_CHARS]
