"""Lists the spellings of a word that look alike and mean the same (RFC 6532 §3.1).

A letter and its mark may be one code point, or two as in file names from a Mac. Kana may be half-width, because old
Japanese programs write half-width kana.
"""

import unicodedata
from typing import Final

_HALF_WIDTH: Final = {ord(unicodedata.normalize("NFKC", char)): char for char in map(chr, range(0xFF66, 0xFFA0))}


def spellings(text: str) -> tuple[str, ...]:
    """Returns all spellings of the text without duplicates. An ASCII text has only one spelling."""
    if text.isascii():
        return (text,)
    composed, apart = unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)
    return tuple(dict.fromkeys((composed, apart, text, apart.translate(_HALF_WIDTH))))
