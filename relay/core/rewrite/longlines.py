"""The pass that shortens lines, because no line longer than 998 octets may be sent (RFC 5322 §2.1.1, R-REW-10).

Mail with longer lines arrives every day. The pass runs after the passes that change the content, and reads the body
with their edits. A body with a long line is encoded again in base64 or quoted-printable, so its decoded content stays
the same. Long lines elsewhere are changed: a header field of a part is folded, or removed if it cannot be folded; a
text before the first part or after the last part of a multipart is removed; the lines of a nested message that was not
split are cut. Signed parts stay as they are, because a long line does less harm than a broken signature.
"""

import binascii
import itertools
import re
from collections.abc import Callable, Iterator
from typing import Final

from relay.core.mail import encodings, mime
from relay.core.mail.edits import Edit, in_order
from relay.core.mail.header_end import HeaderField
from relay.core.mail.mime import Part
from relay.core.rewrite import assemble
from relay.core.rewrite.plan import Change, Draft, Plan

_LONGEST: Final = 998
_BASE64_LINE: Final = 76
# 25 units of at most three octets, and a soft line break: below 76 (RFC 2045 §6.7 rule 5).
_QP_LINE: Final = re.compile(rb"((?>(?:=[0-9A-Fa-f]{2}|[^\r\n]){25}))(?=[^\r\n])")
_CUT: Final = re.compile(rb"([^\r\n]{998})(?=[^\r\n])")
_BARE_LF: Final = re.compile(rb"(?<!\r)\n")
_LINE: Final = re.compile(rb"[^\r\n]+")
_FOLDING_POINT: Final = re.compile(rb"[ \t](?=[^ \t])")
_LONGEST_FOLDED: Final = 900

_Encoder = Callable[[bytes], bytes]


def apply(draft: Draft, _plan: Plan) -> Draft:
    """Returns the draft with the long lines of its body shortened.

    Each new edit replaces the earlier edits in the same part, field or text.
    """
    start, content = draft.root.body_start, draft.content
    body = assemble.section(content, start, len(content), draft.edits) if draft.edits else content
    if not has_long_line(body, 0 if draft.edits else start):
        return draft
    for part in _unsigned(draft.root):
        if part is not draft.root:
            for field in part.fields:
                draft = _fold_field(draft, part, field)
        if not part.children:
            draft = _encode(draft, part)
        elif part.content_type.startswith("multipart/"):
            draft = _empty_surroundings(draft, part)
    return draft


def has_long_line(content: bytes, start: int = 0) -> bool:
    """Returns whether the content from `start` on has a line longer than 998 octets.

    The function looks for only one line end in each thousand octets, so it is fast.
    """
    end = len(content)
    while end - start > _LONGEST:
        line_end = content.rfind(b"\r\n", start, start + _LONGEST + 2)
        if line_end < 0:
            return True
        start = line_end + 2
    return False


def _unsigned(part: Part) -> Iterator[Part]:
    if part.content_type != "multipart/signed":
        yield part
        for child in part.children:
            yield from _unsigned(child)


def _empty_surroundings(draft: Draft, part: Part) -> Draft:
    preamble, epilogue = mime.surroundings(draft.content, part)
    draft = _replace(draft, part, *preamble, lambda _: b"")
    return _replace(draft, part, *epilogue, lambda _: b"--\r\n")


def _fold_field(draft: Draft, part: Part, field: HeaderField) -> Draft:
    return _replace(draft, part, field.start, field.end, _fold)


def _encode(draft: Draft, part: Part) -> Draft:
    encoding = part.encoding
    encoder = _WRAPPERS.get(encoding)
    if encoder is None and part.content_type.startswith(("multipart/", "message/")):
        encoder = _cut  # these types may not be encoded (RFC 2045 §6.4)
    if encoder is None:
        encoding, encoder = "base64", encodings.encode_base64
        if part.content_type.startswith("text/"):
            encoding, encoder = "quoted-printable", _to_quoted_printable
    encoded = _replace(draft, part, part.body_start, part.end, encoder)
    if encoded is draft or encoding == part.encoding or encoder is _cut:
        return encoded
    return _declare(encoded, part, f"Content-Transfer-Encoding: {encoding}\r\n".encode("ascii"))


def _declare(draft: Draft, part: Part, line: bytes) -> Draft:
    """Returns the draft with the new transfer encoding, the field `line`, in the header of the part."""
    name, _, value = line.partition(b":")
    if part is draft.root:
        others = tuple(field for field in draft.fields if field[0].lower() != "content-transfer-encoding")
        return draft._replace(fields=(*others, (name.decode(), value)))
    if part.body_start == part.header_start:
        line += b"\r\n"
    old = part.first("content-transfer-encoding")
    edit = Edit(old.start, old.end, line) if old else Edit(part.header_start, part.header_start, line)
    edits = tuple(e for e in draft.edits if e.end <= edit.start or edit.end <= e.start)
    return draft._replace(edits=tuple(in_order((*edits, edit))))


def _replace(draft: Draft, part: Part, start: int, end: int, encoder: _Encoder) -> Draft:
    """Returns the draft with one edit for the whole range if the range has a long line.

    The edit applies `encoder` to the octets that earlier edits left in the range.
    """
    inside, others = assemble.parted(draft.edits, start, end)
    text = assemble.section(draft.content, start, end, inside)
    if not has_long_line(text):
        return draft
    return draft._replace(
        edits=tuple(in_order((*others, Edit(start, end, encoder(text))))),
        changes=(*draft.changes, Change("re-encoded", part.path, start, end, "line too long")),
    )


def _cut(text: bytes) -> bytes:
    return _CUT.sub(rb"\1\r\n", text)


def _fold(value: bytes) -> bytes:
    """Returns the field folded at white space, or no octets if it cannot be folded."""
    folded = _LINE.sub(lambda line: _fold_line(line[0]), value)
    return b"" if has_long_line(folded) else folded


def _fold_line(line: bytes) -> bytes:
    """Returns the line folded at as few blanks as possible.

    Each new line ends at the last blank within `_LONGEST_FOLDED` octets.
    """
    points = [point.start() for point in _FOLDING_POINT.finditer(line)]
    pieces, start = [], 0
    for point, following in itertools.pairwise((*points, len(line) + _LONGEST_FOLDED)):
        if point > start and following - start > _LONGEST_FOLDED:
            pieces.append(line[start:point])
            start = point + 1
    return b"\r\n ".join((*pieces, line[start:]))


def _wrap_base64(text: bytes) -> bytes:
    digits = text.translate(None, b" \t\r\n")
    return b"\r\n".join(digits[i : i + _BASE64_LINE] for i in range(0, len(digits), _BASE64_LINE))


def _wrap_quoted_printable(text: bytes) -> bytes:
    lines = text.split(b"\r\n")
    return b"\r\n".join(_QP_LINE.sub(rb"\1=\r\n", line) if len(line) > _LONGEST else line for line in lines)


def _to_quoted_printable(text: bytes) -> bytes:
    # binascii ends soft line breaks like the first line of the text, or with LF if the text has only one line.
    return _BARE_LF.sub(b"\r\n", binascii.b2a_qp(text, istext=True))


_WRAPPERS: Final[dict[str, _Encoder]] = {"base64": _wrap_base64, "quoted-printable": _wrap_quoted_printable}
