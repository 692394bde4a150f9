"""Makes and checks aliases, reads the tag of an alias, and makes pseudonyms.

The local part of an alias is 16 characters of lower-case base32: 65 random bits, then a check code of 15 bits that is
computed with the alias key (R-ADR-02). The check code depends on the random bits and on the alias's domain. So a
mistyped or guessed alias, or an alias under another domain, is refused without a database look-up. The tag in
`alias+TAG` names an order or a kind (R-ADR-05).
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
_PLAIN_TAG: Final = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\Z")
_LONGEST_LOCAL_PART: Final = 64
_CHECK: Final = "check"


class Tagged(NamedTuple):
    """The parts of the local part that a message was sent to.

    `local_part` is the local part of the alias, in lower case. `tag` is the text after the `+`, "" if there is no tag.
    `check` is True if the writer only asks for the verdict about the message (R-POL-19).
    """

    local_part: str
    tag: str
    check: bool = False


def issue(entropy: bytes, domain: str, key: bytes) -> str:
    """Returns the local part of a new alias.

    `entropy` are ENTROPY_BYTES random bytes; raises ValueError if they are more or fewer. `domain` is the alias's
    domain, folded as by `address.fold_domain`. `key` is the alias key of 32 bytes.
    """
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"an alias needs {ENTROPY_BYTES} random bytes, not {len(entropy)}")
    random_part = keyed.base32(entropy)[:_RANDOM_CHARS]
    return random_part + _check_code(random_part, domain, key)


def is_valid(local_part: str, domain: str, key: bytes) -> bool:
    """Returns whether `local_part` is an alias of `domain` that was made with `key`.

    `local_part` has no tag and is in lower case; `domain` is folded as by `address.fold_domain`.
    """
    if not _GRAMMAR.match(local_part):
        return False
    expected = _check_code(local_part[:_RANDOM_CHARS], domain, key)
    return hmac.compare_digest(local_part[_RANDOM_CHARS:], expected)


def untag(local_part: str) -> Tagged:
    """Splits the local part of a recipient into alias and tag.

    `7kq2...+Tag` gives Tagged("7kq2...", "Tag"); `check+7kq2...+Tag` gives Tagged("7kq2...", "Tag", check=True). The
    alias is put in lower case; the tag stays as it is.
    """
    alias, _, tag = local_part.partition("+")
    if alias.lower() == _CHECK and tag:
        return untag(tag)._replace(check=True)
    return Tagged(alias.lower(), tag)


def tagged(address: str, tag: str) -> str | None:
    """Returns the alias `address` with a tag, or None if some mail programs could not write to the result.

    A `#` before the tag is left out, because it has another meaning in links. The local part has at most 64 characters
    (RFC 5321 §4.5.3.1.1).
    """
    local_part, _, domain = address.partition("@")
    tag = tag.lstrip("#")
    if not _PLAIN_TAG.match(tag) or len(local_part) + 1 + len(tag) > _LONGEST_LOCAL_PART:
        return None
    return f"{local_part}+{tag}@{domain}"


def pseudonym(seller_id: str, buyer_id: str, key: bytes) -> str:
    """Returns the name under which one seller sees one buyer, such as `buyer-7F3K2M9Q` (R-ADR-06).

    The same buyer has another pseudonym for each seller, so two sellers who compare pseudonyms cannot find out whether
    they have a buyer in common.
    """
    return "buyer-" + keyed.base32(keyed.tag(key, "pseudonym", seller_id, buyer_id, size=5)).upper()


def _check_code(random_part: str, domain: str, key: bytes) -> str:
    return keyed.base32(keyed.tag(key, "alias", random_part, domain, size=2))[:_CHECK_CHARS]
