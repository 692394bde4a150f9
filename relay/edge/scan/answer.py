"""Errors and text of a scanner's answer, shared by both protocols."""

import re
from typing import Final

_UNPRINTABLE: Final = re.compile(r"[^ -~]")


class AnswerError(Exception):
    """The scanner's answer is not a verdict."""


class TooBigError(Exception):
    """The message exceeds a size limit of the scanner."""


def printable(text: str) -> str:
    """Returns text for `Scan.found`: at most 100 printable ASCII characters."""
    return _UNPRINTABLE.sub("?", text[:100])
