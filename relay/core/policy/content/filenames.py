"""Names of attachments: as people see them, as programs take their type, and tricks that make the two differ."""

import re
import unicodedata
from typing import Final

from relay.core.mail import filetypes

_DIRECTION: Final = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_SHOWN_CHARS: Final = 100
_EXTENSION: Final = re.compile(r"[A-Za-z0-9]{1,12}\Z")
_SEPARATORS: Final = re.compile(r"[/\\]")


def shown(name: str) -> str:
    """Returns the name for a notice: one line, no characters that change the direction of text."""
    return "".join(char for char in name if char.isprintable() and not _DIRECTION.match(char))[:_SHOWN_CHARS]


def plain(name: str) -> str:
    """Returns the name as the receiving system takes it, in lower case.

    Full-width dots are dots; folders, and dots and spaces at the end, which Windows drops, are removed.
    """
    printable = "".join(char for char in unicodedata.normalize("NFKC", name[-1_000:]) if char.isprintable())
    return _SEPARATORS.split(printable.replace("\u3002", "."))[-1].rstrip(". ").lower()


def extension(name: str) -> str:
    """Returns the extension in lower case, "" if there is none."""
    found = _pieces(name)
    return found[-1] if len(found) > 1 and _EXTENSION.match(found[-1]) else ""


def is_trick(name: str, allowed: frozenset[str]) -> bool:
    """Whether the name is misleading: text that runs backwards, or `invoice.pdf.exe`."""
    if "\u202e" in name or "\u2067" in name:
        return True
    found = _pieces(name)
    return len(found) > 2 and found[-1] in filetypes.DANGEROUS_EXTENSIONS and found[-2] in allowed


def _pieces(name: str) -> list[str]:
    return [piece.strip() for piece in plain(name).split(".")]
