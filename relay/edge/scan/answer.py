"""The errors and the text of a scanner's answer, for both protocols."""

import re
from typing import Final

_UNPRINTABLE: Final = re.compile(r"[^ -~]")


class AnswerError(Exception):
    """Raised if the answer of the scanner is not a verdict."""


class TooBigError(Exception):
    """Raised if the message exceeds a size limit of the scanner."""


def printable(text: str) -> str:
    """Returns the text for `Scan.found`, with at most 100 printable ASCII characters."""
    return _UNPRINTABLE.sub("?", text[:100])
