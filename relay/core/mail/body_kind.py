"""Determines how a mail program opens a MIME part without children (a leaf).

A leaf is opened as plain text, HTML, cards (iCalendar and vCard), a message or a binary file. The declared Content-Type
decides if it is a type of text. Otherwise the file name and the first octets decide, because programs send attachments
under any type.
"""

import re
from enum import Enum, auto
from typing import Final

from relay.core.mail import encodings
from relay.core.mail.mime import Part


class BodyKind(Enum):
    TEXT = auto()
    HTML = auto()
    CARDS = auto()
    MESSAGE = auto()
    """A message or multipart that `mime.split` did not split into parts, because its body is encoded."""
    BINARY = auto()


_BY_TYPE: Final = {
    "text/html": BodyKind.HTML,
    "text/x-amp-html": BodyKind.HTML,
    "application/xhtml+xml": BodyKind.HTML,
    "application/xml": BodyKind.HTML,
    "text/xml": BodyKind.HTML,
    "text/enriched": BodyKind.HTML,
    "text/richtext": BodyKind.HTML,
    "text/calendar": BodyKind.CARDS,
    "application/ics": BodyKind.CARDS,
    "text/vcard": BodyKind.CARDS,
    "text/x-vcard": BodyKind.CARDS,
    "text/directory": BodyKind.CARDS,
    "application/json": BodyKind.TEXT,
    "message/rfc822": BodyKind.MESSAGE,
    "message/global": BodyKind.MESSAGE,
    "message/news": BodyKind.MESSAGE,
    "message/partial": BodyKind.MESSAGE,
}
_BY_NAME: Final = {
    "eml": BodyKind.MESSAGE,
    "mht": BodyKind.MESSAGE,
    "mhtml": BodyKind.MESSAGE,
    "ics": BodyKind.CARDS,
    "vcf": BodyKind.CARDS,
    "htm": BodyKind.HTML,
    "html": BodyKind.HTML,
    "xhtml": BodyKind.HTML,
    "xml": BodyKind.HTML,
    "svg": BodyKind.HTML,
}
_LOOK: Final = 512
_RAW_LOOK: Final = 2_048  # quoted-printable may write an octet as three, and white space may come first
_NOT_TEXT: Final = bytes((*range(9), 0x0B, *range(0x10, 0x1B), *range(0x1C, 0x20), 0x7F))  # ISO-2022 uses SO, SI, ESC
_BINARY_SIGNATURES: Final = (b"%PDF-",)
_MARKUP: Final = re.compile(rb"\s*<(?:!doctype|html|\?xml|head|body|svg)", re.IGNORECASE)
_HEADER: Final = re.compile(
    rb"(?:From [^\r\n]+\r?\n)?(?:(?:received|return-path|delivered-to|from|to|subject|date|message-id|mime-version"
    rb"|x-[a-z-]+|content-type|dkim-signature)[ \t]*:[^\r\n]*\r?\n(?:[ \t][^\r\n]*\r?\n)*){2}",
    re.IGNORECASE,
)


def kind_of(content: bytes, part: Part) -> BodyKind:
    """Returns the kind of a leaf; at most the first 2048 octets of its body are read."""
    kind = declared_kind(part)
    name, dot, extension = part.filename.rpartition(".")
    named = _BY_NAME.get(extension.lower())
    if kind is not None:
        return named if named and kind is BodyKind.TEXT and part.content_type.startswith("text/") else kind
    raw = content[part.body_start : min(part.end, part.body_start + _RAW_LOOK)]
    start = encodings.decode(raw, part.encoding)[:_LOOK]
    if not looks_like_text(start):
        return BodyKind.BINARY
    return named or _by_octets(start, is_named=bool(name and dot))


def declared_kind(part: Part) -> BodyKind | None:
    """Returns the kind of a leaf by its declared Content-Type; None if that is not a type of text."""
    kind = part.content_type
    if kind.startswith("multipart/"):
        return BodyKind.MESSAGE if part.encoding in {"base64", "quoted-printable"} else BodyKind.TEXT
    if kind.startswith(("text/", "message/")):
        return _BY_TYPE.get(kind, BodyKind.TEXT)
    if kind.endswith("+xml"):
        return BodyKind.HTML
    return _BY_TYPE.get(kind)


def looks_like_text(octets: bytes) -> bool:
    """Returns whether the octets are text: UTF-16, UTF-32, or octets without control characters that text never has.

    Returns False for the beginning of a PDF file.
    """
    if octets.startswith(_BINARY_SIGNATURES):
        return False
    if octets[:2] in {b"\xff\xfe", b"\xfe\xff"} or encodings.is_utf_16(octets) or encodings.is_utf_32(octets):
        return True
    return len(octets.translate(None, _NOT_TEXT)) == len(octets)


def _by_octets(octets: bytes, *, is_named: bool) -> BodyKind:
    """Returns the kind of a leaf by the first octets of its text.

    If the leaf has a file name, it does not count as a message, even if its first lines look like header fields.
    """
    if _MARKUP.match(octets):
        return BodyKind.HTML
    return BodyKind.MESSAGE if not is_named and _HEADER.match(octets) else BodyKind.TEXT
