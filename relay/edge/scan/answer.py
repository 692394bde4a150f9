"""What both protocols make of a peer's answer."""

import re
from typing import Final

_UNPRINTABLE: Final = re.compile(r"[^ -~]")


class AnswerError(Exception):
    """The peer said something else than a verdict."""


class TooBigError(Exception):
    """The message is over a size limit of the peer's."""


def printable(text: str) -> str:
    """As `Scan.found` wants it."""
    return _UNPRINTABLE.sub("?", text[:100])
