"""Changes the decoded text of a part: takes edits of the text, returns edits of the raw body.

The part keeps its charset and its transfer encoding if the new text can be written in them. HTML can always be written,
because it has character references. Otherwise the whole part becomes UTF-8, and its header must name the new charset
(`Recoded`). A text with octets that its charset cannot decode is not converted, because these octets would be lost;
text that is inserted into it becomes ASCII.
"""

import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from relay.core.mail import charsets, encodings, words
from relay.core.mail.edits import Edit, apply_edits
from relay.core.mail.textbody import TextBody

_BARE_LF: Final = re.compile(rb"(?<!\r)\n")
_ENCODED: Final = frozenset({"base64", "quoted-printable"})
_STATEFUL: Final = ("iso2022", "utf_16", "utf_32", "utf_7", "hz")
"""Codecs in which ASCII text has different octets at different places, or in which a line end is not CRLF octets."""
_NOT_BEFORE_A_LINE_END: Final = (b" ", b"\t", b"=")
"""Octets that must not stand before a line end in quoted-printable: blanks are lost, and "=" joins the lines."""
_FIELD: Final = re.compile(rb"(?<![^\n])([^\r\n:]*+)(?::([^\r\n]*+(?:\r\n[ \t][^\r\n]*+)*))?\r\n")


class Recoded(NamedTuple):
    """The new charset and transfer encoding that the header of the part must name."""

    charset: str
    encoding: str


def changed(body: TextBody, edits: Sequence[Edit[str]]) -> tuple[list[Edit[bytes]], Recoded | None]:
    """Returns edits of the raw body, sorted, and the new charset and encoding, or None if these stay as they are."""
    if body.is_html:
        edits = [edit._replace(replacement=_referenced(edit.replacement, body)) for edit in edits]
    octet_edits = _put_in(body, edits) or (None if edits and _is_wide(body) else _in_place(body, edits))
    if octet_edits is not None:
        return octet_edits, None
    if not _is_wide(body) and not _is_read_through(body):
        plain = [s._replace(replacement=s.replacement.encode("ascii", "replace").decode()) for s in edits]
        return _in_place(body, plain) or _anew(body, plain), None
    octets = apply_edits(body.text, edits).encode("utf-8", "replace")
    encoding = body.part.encoding if body.part.encoding in _ENCODED | {"7bit", "8bit"} else "8bit"
    if encoding not in _ENCODED and encodings.has_bare_line_end(octets):
        encoding = "base64"
    elif encoding == "7bit" and not octets.isascii():
        encoding = encodings.seven_bit_encoding(octets)
    return [_whole(body, octets, encoding)], Recoded("utf-8", encoding)


def takes(body: TextBody, text: str) -> bool:
    """Whether a text can be put into the body without loss."""
    return text.isascii() or body.is_html or _fits(text, body) or _is_wide(body) or _is_read_through(body)


def _is_read_through(body: TextBody) -> bool:
    return body.is_understood and charsets.decodes(body.octets, body.codec)


def encoded(octets: bytes, encoding: str) -> bytes:
    """Returns the octets of a text encoded with a transfer encoding (RFC 2045 §6.7, §6.8).

    The encoded lines end in CRLF. The decoded text keeps its own line ends in base64, and in quoted-printable if it has
    NUL octets; otherwise its line ends become CRLF.
    """
    if encoding == "base64":
        return encodings.encode_base64(octets)
    if encoding == "quoted-printable":
        if b"\0" not in octets:  # in UTF-16 a line feed is half a character
            octets = _BARE_LF.sub(b"\r\n", octets)
        if b"\r\n" in octets and not encodings.has_bare_line_end(octets):
            return binascii.b2a_qp(octets)
        return b"\r\n".join(map(_quoted_printable, octets.split(b"\r\n")))
    return encodings.with_crlf(octets)


def _quoted_printable(line: bytes) -> bytes:
    """Returns the line, which has no line end, in quoted-printable; its soft line breaks end in CRLF."""
    return binascii.b2a_qp(line, istext=False).replace(b"\n", b"\r\n")


def _in_place(body: TextBody, edits: Sequence[Edit[str]]) -> list[Edit[bytes]] | None:
    """Returns edits of the raw body that keep its charset and transfer encoding; None if the new text does not fit."""
    if not all(_fits(edit.replacement, body) for edit in edits):
        return None
    widened = [_widened(body.text, edit) for edit in edits]
    inner = [edit for edit in widened if edit.start < edit.end]
    spans = encodings.octet_spans(body.octets, body.codec, body.text, [(s.start, s.end) for s in inner])
    pieces = ((*span, edit.replacement) for edit, span in zip(inner, spans, strict=True))
    octet_edits = encodings.encoded_edits(body.octets, body.codec, pieces)
    end = len(body.octets)
    below = [(end, end, edit.replacement) for edit in widened if edit.start == edit.end]
    tail = b"".join(each.replacement for each in encodings.encoded_edits(body.octets, body.codec, below))
    octets = apply_edits(body.octets, octet_edits) + tail
    if encodings.decode_text(octets, body.codec) != apply_edits(body.text, edits):
        return None
    if body.part.encoding == "base64":
        return [_whole(body, octets, "base64")]
    raw_edits = encodings.raw_edits(body.raw, body.part.encoding, octet_edits)
    if tail:
        raw_edits.append(Edit(len(body.raw), len(body.raw), encoded(tail, body.part.encoding)))
    raw = apply_edits(body.raw, raw_edits)
    half_a_line_end = encodings.has_bare_line_end(raw) and not encodings.has_bare_line_end(body.raw)
    if half_a_line_end and body.part.encoding not in _ENCODED:
        return None
    if half_a_line_end or encodings.decode(raw, body.part.encoding) != octets:
        return [_whole(body, octets, body.part.encoding)]
    return raw_edits


def _put_in(body: TextBody, edits: Sequence[Edit[str]]) -> list[Edit[bytes]] | None:
    """Returns the edit that inserts lines of ASCII at the end of the text or before one of its last tags.

    Returns None if `edits` do something else. The place is found by a byte search, so that the characters of the body
    need not be mapped to octets one by one, and the body need not be decoded again.
    """
    encoding = body.part.encoding
    if (
        len(edits) != 1
        or encoding == "base64"
        or body.codec.startswith(_STATEFUL)
        or encodings.has_bare_line_end(body.raw)
    ):
        return None
    start, end, new = edits[0]
    if start < end or not (new.isascii() and new.startswith("\r\n") and new.endswith("\r\n")):
        return None
    at = len(body.raw) if start == len(body.text) else _place_of(body, start)
    begins_a_line = body.raw.endswith(b"\r\n", 0, max(0, at))
    if at < 0 or (not begins_a_line and body.raw[max(0, at - 1) : at] in _NOT_BEFORE_A_LINE_END):
        return None
    return [Edit(at, at, encoded(new.encode("ascii"), encoding))]


def _place_of(body: TextBody, start: int) -> int:
    """Returns the offset in the raw body of a tag near the end of the text, or -1 if it is not found.

    Returns -1 also if the text before the tag has characters that could not be decoded, because encoding the text again
    would not give the same octets.
    """
    if "\ufffd" in body.text[:start]:
        return -1
    before = len(body.text[:start].encode(body.codec, "replace"))
    at = body.raw.rfind(body.octets[before : before + len("</body")])
    found = at >= 0 and encodings.decode(body.raw[:at], body.part.encoding) == body.octets[:before]
    return at if found else -1


def _is_wide(body: TextBody) -> bool:
    """Returns whether the body is unencoded UTF-16 or UTF-32.

    In these charsets a line end has four octets or more, but the lines of an unencoded body must end in the two octets
    CRLF.
    """
    return body.codec.startswith(("utf_16", "utf_32")) and body.part.encoding not in _ENCODED


def _anew(body: TextBody, edits: Sequence[Edit[str]]) -> list[Edit[bytes]]:
    octets = apply_edits(body.text, edits).encode(body.codec, "replace")
    return [_whole(body, octets, body.part.encoding)]


def _whole(body: TextBody, octets: bytes, encoding: str) -> Edit[bytes]:
    raw = encoded(octets, encoding)
    if body.raw.endswith(b"\r\n") and not raw.endswith(b"\r\n"):
        raw += b"\r\n"
    return Edit(0, len(body.raw), raw)


def _widened(text: str, edit: Edit[str]) -> Edit[str]:
    """Returns an insertion as a replacement of the character after it, which can be found in the octets.

    At the end of the text no character follows, and the edit is returned unchanged.
    """
    if edit.start == edit.end < len(text):
        return Edit(edit.start, edit.end + 1, edit.replacement + text[edit.end])
    return edit


def _writable(body: TextBody) -> str:
    """Returns the codec in which inserted text can be written: the codec of the declared charset, or ASCII.

    It is ASCII if the charset is missing or unknown, and in a body that must stay 7bit (RFC 2045 §2.7).
    """
    if not charsets.codec_of(body.part.params.get("charset", "")):
        return "ascii"
    if body.codec.startswith("iso2022_jp"):
        return "iso2022_jp"  # the characters that every program with this charset knows (RFC 1468)
    return "ascii" if body.part.encoding == "7bit" else body.codec


def _fits(replacement: str, body: TextBody) -> bool:
    if replacement.isascii():
        return True
    try:
        replacement.encode(_writable(body))
    except UnicodeEncodeError:
        return False
    return True


def _referenced(replacement: str, body: TextBody) -> str:
    codec = _writable(body)
    return replacement.encode(codec, "xmlcharrefreplace").decode(codec)


# ---------------------------------------------------------------- the header of a part that was recoded


def redeclared(value: bytes, recoded: Recoded, default: str) -> bytes:
    """Returns a raw Content-Type value with the new charset. `default` is the type if `value` names no type."""
    value = words.unfold(value)
    parameters = words.parameters(value) | {"charset": recoded.charset}
    kind = value.partition(b";")[0].strip().decode("ascii", "replace") or default
    written = "".join(words.parameter(name, text) for name, text in parameters.items() if words.is_token(name))
    return f" {kind}{written}\r\n".encode("ascii", "replace")


def redeclared_header(header: bytes, recoded: Recoded, default: str) -> bytes:
    """Returns the header block of a part, including the empty line, with the new charset and encoding.

    `default` is the content type if the header names no type.
    """
    kind = next((value for name, value, _ in _fields(header) if name == "content-type"), b"")
    return with_fields(
        header,
        {
            "Content-Type": redeclared(kind, recoded, default),
            "Content-Transfer-Encoding": f" {recoded.encoding}\r\n".encode("ascii"),
        },
    )


def with_fields(header: bytes, new: Mapping[str, bytes]) -> bytes:
    """Returns a header block in which the fields `new` replace the fields of the same names.

    `new` maps field names to raw values, which begin directly after the colon and end in CRLF.
    """
    gone = {name.lower() for name in new}
    kept = [whole for name, _, whole in _fields(header) if name not in gone]
    return b"".join((*kept, *(name.encode("ascii") + b":" + value for name, value in new.items()), b"\r\n"))


def without_content_fields(header: bytes) -> bytes:
    """Returns a header block without the `Content-` fields and without the empty line."""
    return b"".join(whole for name, _, whole in _fields(header) if not name.startswith("content-"))


def _fields(header: bytes) -> Iterator[tuple[str, bytes, bytes]]:
    for match in _FIELD.finditer(header):
        if match[1]:
            yield match[1].strip().lower().decode("latin-1"), match[2] or b"", match[0]
