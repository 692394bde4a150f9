"""Limits how deep an HTML text nests.

Parsers are quadratic in the depth, so a text that nests too deep is not parsed.
"""

import re
from typing import Final

from relay.core.mail.layers import TAG_NAME

_DEEPEST: Final = 256
_NO_DEPTH: Final = re.compile(
    "area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr|p|li|t[dhr]|d[dt]|option"
)
"""Elements without content, and elements that end where the next one of their kind begins."""


def is_flat_enough(source: str) -> bool:
    """Whether the text nests at most 256 deep.

    The depth is an upper bound, because an end tag that does not match the innermost open element is ignored.
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
