"""Rewrites the headers of parts and nested messages so that all mail programs find the same fields and body.

A line that is not a field is removed, and an empty line is put between header and body. Programs differ in how they
read a header with such a line or without the empty line (`header_end`), so a reader could see another mail than the
mail that was judged. Signed parts are changed too, because otherwise their signatures would cover two different texts.
The header of the message itself is not changed here, because the rewrite always builds a new one.
"""

from collections.abc import Iterator
from typing import Final

from relay.core.mail.edits import Edit, apply_edits
from relay.core.mail.mime import MimeLimits, Part, split
from relay.core.rewrite import signed
from relay.core.rewrite.cutouts import CutMessage
from relay.core.rewrite.plan import Change

_NO_FIELD: Final = "not a field"
_NO_END: Final = "the header does not end in an empty line"
_EMPTY_LINE: Final = b"\r\n"


def is_due(content: bytes, root: Part) -> bool:
    """Returns whether the header of a part or of a nested message must be rewritten."""
    for child in root.children:
        if _end(content, child) is not None or is_due(content, child):
            return True
        for field in child.fields:
            if not field.name:
                return True
    return False


def apply(content: bytes, root: Part, *, with_root: bool = False) -> CutMessage:
    """Returns the message with the headers of its parts rewritten.

    The header of the root is rewritten only if `with_root` is true.
    """
    edits: list[Edit[bytes]] = []
    changes: list[Change] = []
    for part in root.walk():
        if part is not root or with_root:
            for edit, why in _edits(content, part):
                edits.append(edit)
                changes.append(Change("header rewritten", part.path, edit.start, edit.end, why))
    changes += signed.broken_by(root, edits)
    mended = apply_edits(content, edits)
    return CutMessage(mended, split(mended, MimeLimits.WIDE), tuple(edits), tuple(changes))


def _edits(content: bytes, part: Part) -> Iterator[tuple[Edit[bytes], str]]:
    for field in part.fields:
        if not field.name:
            yield Edit(field.start, field.end, b""), _NO_FIELD
    end = _end(content, part)
    if end is not None:
        yield Edit(end, part.body_start, _EMPTY_LINE), _NO_END


def _end(content: bytes, part: Part) -> int | None:
    """Returns the end of the fields if a body follows them without an empty line, else None."""
    start, body = part.header_start, part.body_start
    if body == part.end or (content.startswith(_EMPTY_LINE, body - 2) and body - start == len(_EMPTY_LINE)):
        return None
    if body - start > len(_EMPTY_LINE) and content.startswith(b"\r\n\r\n", body - 4):
        return None
    return part.fields[-1].end if part.fields else start
