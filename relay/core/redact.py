"""Taking out of texts what must not be kept or shown: no address but aliases (R-OUT-05), no host of the other side.

What a stranger wrote is clipped first, so that a hostile length costs nothing; what still looks like an address after
the known ones are gone goes too.
"""

import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Final

MASK: Final = "***"
_ATOM: Final = r"[^\s<>()\[\]\"',;:@＠「」（）【】［］、。：；]+"
_ADDRESS: Final = re.compile(f"{_ATOM}[@＠]{_ATOM}")
_HOST: Final = re.compile(
    r"<[^>]*>|https?://\S+"  # angle brackets mostly hold an address, or what is left of one
    r"|\d{1,3}(?:\.\d{1,3}){3}|(?i:[0-9a-f]{0,4}:){2,7}[0-9a-fA-F]{0,4}"
    r"|[\w-]+(?:\.[\w-]+)*\.[A-Za-z][\w-]+"
)
_ADDRESS_MASK: Final = "[address]"
_MOST_TEXT: Final = 2_000
_QUOTED: Final = re.compile(r'"[^"]*"@')
_AT_SIGNS: Final = ("@", "%40", "=40", "+40", "&#64;")
_FULL_WIDTH: Final = str.maketrans({"\uff20": "@", "\ufe6b": "@"})


def clip(text: str, longest: int) -> str:
    """One line of at most `longest` characters, without control characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: longest + 1]).split(" "))
    return line if len(line) <= longest else line[: longest - 1] + "…"


def addresses(text: str, domains: AbstractSet[str]) -> str:
    """The text with every address masked that is not under one of our own `domains`."""
    return _ADDRESS.sub(lambda m: m[0] if re.split("[@＠]", m[0])[1].lower() in domains else MASK, text)


def answer(text: str, known: Iterable[str] = (), *, limit: int = 500) -> str:
    """Another server's words as one line of printable ASCII of at most `limit` characters, without what looks like an
    address and without the `known` ones: whole, their local parts and their domains as words of their own."""
    if len(text) > _MOST_TEXT:
        text = text[:_MOST_TEXT].rpartition(" ")[0]  # half an address would not be known for one
    text = text.translate(_FULL_WIDTH)
    text = "".join(char if " " <= char <= "~" else " " if char.isspace() else "?" for char in text)
    low = text.lower()
    # Most answers hold none, and a look costs far less than a pattern.
    for word in sorted((word for word in _words(known) if word.lower() in low), key=len, reverse=True):
        text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", _ADDRESS_MASK, text, flags=re.IGNORECASE)
    text = _QUOTED.sub("x@", text)
    words = (_ADDRESS_MASK if any(at in word for at in _AT_SIGNS) else word for word in text.split())
    return " ".join(words)[:limit]


def public_answer(text: str) -> str:
    """An answer as the other side may read it: without host names and IP addresses too; at most 300 characters."""
    return _HOST.sub("[host]", answer(text, limit=300))


def _words(addresses: Iterable[str]) -> set[str]:
    words: set[str] = set()
    for address in addresses:
        local, _, domain = address.rpartition("@")
        words |= {address, local, local.strip('"'), domain}
    return {ascii_word for word in words if len(ascii_word := word.strip()) > 1}
