"""Removes addresses that are not aliases (R-OUT-05), and hosts of the other side, from text that is kept or shown.

Text of a stranger is cut to a limit first, so that its length cannot cost time. After the known addresses, any text
that looks like an address is removed too.
"""

import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Final

MASK: Final = "***"
_SIGN: Final = r"[^\s<>()\[\]\"',;:@＠「」（）【】［］、。：；]"
_ADDRESS: Final = re.compile(f"(?<!{_SIGN}){_SIGN}++[@＠]{_SIGN}+")
_HOST: Final = re.compile(
    r"<[^>]*>|https?://\S+"  # angle brackets mostly contain an address, or the rest of one
    r"|\d{1,3}(?:\.\d{1,3}){3}|(?i:[0-9a-f]{0,4}:){2,7}[0-9a-fA-F]{0,4}"
    r"|[\w-]+(?:\.[\w-]+)*\.[A-Za-z][\w-]+"
)
_ADDRESS_MASK: Final = "[address]"
_MOST_TEXT: Final = 2_000
_QUOTED: Final = re.compile(r'"[^"]*"@')
_AT_SIGNS: Final = ("@", "%40", "=40", "+40", "&#64;")
_FULL_WIDTH: Final = str.maketrans({"\uff20": "@", "\ufe6b": "@"})


def clip(text: str, longest: int) -> str:
    """Returns one line of at most `longest` characters, without control characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: longest + 1]).split(" "))
    return line if len(line) <= longest else line[: longest - 1] + "…"


def addresses(text: str, domains: AbstractSet[str]) -> str:
    """Returns the text with every address masked, except those under our own `domains`."""
    return _ADDRESS.sub(lambda m: m[0] if re.split("[@＠]", m[0])[1].lower() in domains else MASK, text)


def answer(text: str, known: Iterable[str] = (), *, limit: int = 500) -> str:
    """Returns another server's text as one line of printable ASCII without addresses, of at most `limit` characters.

    Removed are all texts that look like an address, and the `known` addresses: whole, their local parts and their
    domains.
    """
    if len(text) > _MOST_TEXT:
        text = text[:_MOST_TEXT].rpartition(" ")[0]  # half an address would not be recognized
    text = text.translate(_FULL_WIDTH)
    text = "".join(char if " " <= char <= "~" else " " if char.isspace() else "?" for char in text)
    low = text.lower()
    # Most answers contain none of them, and this search costs far less than a pattern.
    for word in sorted((word for word in _words(known) if word.lower() in low), key=len, reverse=True):
        text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", _ADDRESS_MASK, text, flags=re.IGNORECASE)
    text = _QUOTED.sub("x@", text)
    words = (_ADDRESS_MASK if any(at in word for at in _AT_SIGNS) else word for word in text.split())
    return " ".join(words)[:limit]


def public_answer(text: str) -> str:
    """Returns an answer for the other side: also without host names and IP addresses, at most 300 characters."""
    return _HOST.sub("[host]", answer(text, limit=300))


def _words(addresses: Iterable[str]) -> set[str]:
    words: set[str] = set()
    for address in addresses:
        local, _, domain = address.rpartition("@")
        words |= {address, local, local.strip('"'), domain}
    return {ascii_word for word in words if len(ascii_word := word.strip()) > 1}
