"""Rewrites headers so that all mail programs find the same fields, the same body and the same text.

A line that is not a field is removed, and an empty line is put between header and body. Programs differ in how they
read a header with such a line or without the empty line (`header_end`), so a reader could see another mail than the
mail that was judged. Signed parts are changed too, because otherwise their signatures would cover two different texts.
Lines of the message's own header are not removed here, because the rewrite always builds a new one.

A charset that was guessed, and 8-bit content, are declared, except in signed parts, because other programs may follow
the wrong declaration.
"""

from collections.abc import Iterator
from typing import Final

from relay.core.mail import charsets, encodings, guess
from relay.core.mail.edits import Edit, apply_edits, in_order
from relay.core.mail.mime import MimeLimits, Part, split
from relay.core.rewrite import signed, textedit
from relay.core.rewrite.edited import EditedMessage
from relay.core.rewrite.plan import Change
from relay.core.rewrite.scrub.structure import Place, places
from relay.core.rewrite.textedit import Recoded

_NO_FIELD: Final = "not a field"
_UNDECLARED: Final = "the text is not as it is declared"
_NO_END: Final = "the header does not end in an empty line"
_EMPTY_LINE: Final = b"\r\n"


def is_due(content: bytes, root: Part) -> bool:
    """Whether a header must be written again."""
    return _is_undeclared(root, content, is_ascii=content.isascii()) or _is_broken(content, root)


def _is_broken(content: bytes, part: Part) -> bool:
    if _end(content, part) is not None:
        return True
    for child in part.children:
        if _is_broken(content, child):
            return True
        for field in child.fields:
            if not field.name:
                return True
    return False


def _is_undeclared(part: Part, content: bytes, *, is_ascii: bool) -> bool:
    if part.content_type == "multipart/signed":
        return False
    if not is_ascii and _new_encoding(content, part):
        return True
    if not part.children:
        return bool(_new_charset(content, part))
    return any(_is_undeclared(child, content, is_ascii=is_ascii) for child in part.children)


def _new_encoding(content: bytes, part: Part) -> str:
    """Returns the transfer encoding to declare for 8-bit content that is declared as 7-bit; "" if there is no need."""
    return "8bit" if part.encoding == "7bit" and not content[part.body_start : part.end].isascii() else ""


def _new_charset(content: bytes, part: Part) -> str:
    """Returns the charset to declare for a text that has no known one; "" if there is no need, or none is found."""
    if not part.content_type.startswith("text/") or part.disposition == "attachment":
        return ""
    if charsets.codec_of(part.params.get("charset", "")):
        return ""
    octets = encodings.decode(content[part.body_start : part.end], part.encoding)
    if guess.is_ascii(octets) or b"\0" in octets:
        return ""
    return guess.charset(octets, part.hint.charset)


def apply(content: bytes, root: Part, *, with_root: bool = False) -> EditedMessage:
    """Returns the message with its headers written again.

    Lines of the root's header that are not fields are removed only if `with_root` is true. Without it, the pass for the
    outgoing header leaves out these lines and lists them.
    """
    edits: list[Edit[bytes]] = []
    changes: list[Change] = []
    for place in places(root):
        part = place.part
        for edit, why in _edits(content, place, strays=part is not root or with_root):
            edits.append(edit)
            changes.append(Change("header rewritten", part.path, edit.start, edit.end, why))
    edits = in_order(edits)
    changes += signed.broken_by(root, edits)
    mended = apply_edits(content, edits)
    return EditedMessage(mended, split(mended, MimeLimits.WIDE, root.hint), tuple(edits), tuple(changes))


def _edits(content: bytes, place: Place, *, strays: bool) -> Iterator[tuple[Edit[bytes], str]]:
    part = place.part
    declared = {} if place.signed or part.content_type == "multipart/signed" else dict(_declared(content, part))
    for field in part.fields:
        if not field.name and strays:
            yield Edit(field.start, field.end, b""), _NO_FIELD
        elif value := declared.pop(field.name, None):
            yield Edit(field.value_start, field.end, value), _UNDECLARED
    new = b"".join(name.title().encode("ascii") + b":" + value for name, value in declared.items())
    if new:
        yield Edit(part.header_start, part.header_start, new), _UNDECLARED
    end = _end(content, part)
    if end is not None:
        yield Edit(end, part.body_start, _EMPTY_LINE), _NO_END


def _declared(content: bytes, part: Part) -> Iterator[tuple[str, bytes]]:
    """Yields the new raw values of fields, by name in lower case."""
    if encoding := _new_encoding(content, part):
        yield "content-transfer-encoding", f" {encoding}\r\n".encode("ascii")
    if not part.children and (charset := _new_charset(content, part)):
        old = part.first("content-type")
        value = content[old.value_start : old.end] if old else b""
        yield "content-type", textedit.redeclared(value, Recoded(charset, part.encoding), part.content_type)


def _end(content: bytes, part: Part) -> int | None:
    """Returns the end of the fields if a body follows them without an empty line, else None."""
    start, body = part.header_start, part.body_start
    if body == part.end or (content.startswith(_EMPTY_LINE, body - 2) and body - start == len(_EMPTY_LINE)):
        return None
    if body - start > len(_EMPTY_LINE) and content.startswith(b"\r\n\r\n", body - 4):
        return None
    return part.fields[-1].end if part.fields else start
