"""Lists of `tag=value` pairs, in which DKIM, ARC and DMARC write what they say (RFC 6376 §3.2)."""

import re
from typing import Final

_TAG: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_SPACE: Final = " \t\r\n"


class TagListError(ValueError):
    """The text is no list of tags, or names one twice."""


def read(text: str) -> dict[str, str]:
    """The values by tag, in order; white space inside a value stays. Raises TagListError."""
    tags: dict[str, str] = {}
    pairs = text.split(";")
    if not pairs[-1].strip(_SPACE):
        pairs.pop()
    for pair in pairs:
        name, equals, value = pair.partition("=")
        name = name.strip(_SPACE)
        if not equals or not _TAG.match(name) or name in tags:
            raise TagListError("not a list of tags")
        tags[name] = value.strip(_SPACE)
    return tags
