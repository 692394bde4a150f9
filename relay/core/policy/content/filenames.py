"""Reads the names of attachments as people and as programs read them, and finds names that mislead people."""

import re
import unicodedata
from typing import Final

from relay.core.mail import filetypes

_DIRECTION: Final = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_SHOWN_CHARS: Final = 100
_EXTENSION: Final = re.compile(r"[A-Za-z0-9]{1,12}\Z")
_SEPARATORS: Final = re.compile(r"[/\\]")


def shown(name: str) -> str:
    """Returns the name in a form for notices.

    It has one line and at most 100 characters, and no characters that change the direction of text.
    """
    return "".join(char for char in name if char.isprintable() and not _DIRECTION.match(char))[:_SHOWN_CHARS]


def plain(name: str) -> str:
    """Returns the file name in lower case, as the receiving system reads it.

    Full-width characters become plain characters. Folders are removed, and also dots and spaces at the end, because
    Windows drops them.
    """
    printable = "".join(char for char in unicodedata.normalize("NFKC", name[-1_000:]) if char.isprintable())
    return _SEPARATORS.split(printable.replace("\u3002", "."))[-1].rstrip(". ").lower()


def extension(name: str) -> str:
    """Returns the extension of the name in lower case and without its dot, or "" if the name has no extension."""
    found = _pieces(name)
    return found[-1] if len(found) > 1 and _EXTENSION.match(found[-1]) else ""


def is_trick(name: str, allowed: frozenset[str]) -> bool:
    """Returns whether the name misleads people.

    A name misleads if part of it runs backwards, or if a dangerous extension follows an extension in `allowed`, as in
    `invoice.pdf.exe`.
    """
    if "\u202e" in name or "\u2067" in name:
        return True
    found = _pieces(name)
    return len(found) > 2 and found[-1] in filetypes.DANGEROUS_EXTENSIONS and found[-2] in allowed


def _pieces(name: str) -> list[str]:
    return [piece.strip() for piece in plain(name).split(".")]
