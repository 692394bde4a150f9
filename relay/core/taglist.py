"""Reads lists of `tag=value` pairs, in which DKIM, ARC and DMARC write their records and fields (RFC 6376 §3.2)."""

import re
from typing import Final

_TAG: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_SPACE: Final = " \t\r\n"


class TagListError(ValueError):
    """The text is not a list of `tag=value` pairs, or contains a tag twice."""


def read(text: str) -> dict[str, str]:
    """Returns the values by their tags, in the order of the text. Raises TagListError.

    White space around a value is removed; white space inside a value stays.
    """
    tags: dict[str, str] = {}
    pairs = text.split(";")
    if not pairs[-1].strip(_SPACE):
        pairs.pop()
    for pair in pairs:
        name, equals, value = pair.partition("=")
        name = name.strip(_SPACE)
        if not equals or not _TAG.match(name) or name in tags:
            raise TagListError("the text is not a list of tags, or has a tag twice")
        tags[name] = value.strip(_SPACE)
    return tags
