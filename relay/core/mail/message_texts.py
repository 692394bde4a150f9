"""Finds the parts that mail programs show as the text of a message, whatever names they have.

Some programs name the text they send, as in `text/html; name="body.html"`. Such a part is not an attachment.
"""

import re
from collections.abc import Sequence
from typing import Final

from relay.core.mail.mime import Part

_BODIES: Final = frozenset({"text/plain", "text/html"})
_ATTACHED: Final = "attachment"
_BY_PROGRAM: Final = re.compile(r"ATT\d{5,6}\.(?:html?|txt)", re.IGNORECASE)


def message_texts(part: Part, *, with_signed: bool, is_named: bool = True) -> Sequence[Part]:
    """Returns the text parts that together are the message.

    They are all texts of an alternative; of parts that follow each other, only the first part with a text counts. A
    part with a file name counts only if it is in an alternative or the first part. `with_signed` says whether the parts
    inside a signature count; parts inside an encryption do not.
    """
    kind = part.content_type
    if not part.children:
        is_text = kind in _BODIES and part.disposition != _ATTACHED and (is_named or not part.filename)
        return [part] if is_text else []
    if kind == "multipart/alternative":
        return [text for child in part.children for text in _of_alternative(child, with_signed=with_signed)]
    if not kind.startswith("multipart/") or kind == "multipart/encrypted":
        return []
    if kind == "multipart/signed" and not with_signed:
        return []
    for number, child in enumerate(part.children):
        if found := message_texts(child, with_signed=with_signed, is_named=is_named and not number):
            return found
    return []


def _of_alternative(part: Part, *, with_signed: bool) -> Sequence[Part]:
    if not part.children and part.content_type.startswith("text/") and part.disposition != _ATTACHED:
        return [part]
    return message_texts(part, with_signed=with_signed)


def is_added_by_program(part: Part) -> bool:
    """Whether a server divided a message and named this piece of its text, as Exchange does (`ATT00001.htm`)."""
    return part.content_type in _BODIES and bool(_BY_PROGRAM.fullmatch(part.filename))
