"""Checks how deep the elements of an HTML text are nested.

The time of an HTML parser grows with the square of the depth, so a text that is nested too deep is not parsed.
"""

import re
from typing import Final

from relay.core.mail.layers import TAG_NAME

_DEEPEST: Final = 256
_NO_DEPTH: Final = re.compile(
    "area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr|p|li|t[dhr]|d[dt]|option"
)
"""The elements that do not add to the depth: they have no content, or end where the next element of the kind begins."""


def is_flat_enough(source: str) -> bool:
    """Returns whether the elements of the HTML text are nested at most 256 deep.

    The depth that is counted may be too high but not too low: an end tag is ignored unless it matches the innermost
    open element.
    """
    if source.count("<") <= _DEEPEST:
        return True
    still_open: list[str] = []
    for match in TAG_NAME.finditer(source):
        name = match[2].lower()
        if _NO_DEPTH.fullmatch(name):
            continue
        if not match[1]:
            still_open.append(name)
        elif still_open and still_open[-1] == name:
            still_open.pop()
        if len(still_open) > _DEEPEST:
            return False
    return True
