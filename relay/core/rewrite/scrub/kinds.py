"""What a leaf of a message is to whoever opens it: by its declared type, else by the name of its file, else by its
first octets; for attachments are sent under any type."""

import re
from enum import Enum, auto
from typing import Final

from relay.core.rewrite import encodings
from relay.core.rewrite.mime import Part


class Kind(Enum):
    TEXT = auto()
    HTML = auto()
    CARDS = auto()
    MESSAGE = auto()
    """A message or a multipart that stands encoded, so that its parts were not split."""
    BINARY = auto()


_BY_TYPE: Final = {
    "text/html": Kind.HTML,
    "text/x-amp-html": Kind.HTML,
    "application/xhtml+xml": Kind.HTML,
    "application/xml": Kind.HTML,
    "text/xml": Kind.HTML,
    "text/enriched": Kind.HTML,
    "text/richtext": Kind.HTML,
    "text/calendar": Kind.CARDS,
    "application/ics": Kind.CARDS,
    "text/vcard": Kind.CARDS,
    "text/x-vcard": Kind.CARDS,
    "text/directory": Kind.CARDS,
    "application/json": Kind.TEXT,
    "message/rfc822": Kind.MESSAGE,
    "message/global": Kind.MESSAGE,
    "message/news": Kind.MESSAGE,
    "message/partial": Kind.MESSAGE,
}
_BY_NAME: Final = {
    "eml": Kind.MESSAGE,
    "mht": Kind.MESSAGE,
    "mhtml": Kind.MESSAGE,
    "ics": Kind.CARDS,
    "vcf": Kind.CARDS,
    "htm": Kind.HTML,
    "html": Kind.HTML,
    "xhtml": Kind.HTML,
    "xml": Kind.HTML,
    "svg": Kind.HTML,
}
_LOOK: Final = 512
_RAW_LOOK: Final = 2_048  # three octets of quoted-printable for one, and lines of white space
_NOT_TEXT: Final = bytes((*range(9), 0x0B, *range(0x10, 0x1B), *range(0x1C, 0x20), 0x7F))  # ISO-2022 shifts
_BINARY_SIGNATURES: Final = (b"%PDF-",)
_MARKUP: Final = re.compile(rb"\s*<(?:!doctype|html|\?xml|head|body|svg)", re.IGNORECASE)
_HEADER: Final = re.compile(
    rb"(?:From [^\r\n]+\r?\n)?(?:(?:received|return-path|delivered-to|from|to|subject|date|message-id|mime-version"
    rb"|x-[a-z-]+|content-type|dkim-signature)[ \t]*:[^\r\n]*\r?\n(?:[ \t][^\r\n]*\r?\n)*){2}",
    re.IGNORECASE,
)


def kind_of(content: bytes, part: Part) -> Kind:
    """Looks at a few hundred octets at most."""
    kind = declared_kind(part)
    name, dot, extension = part.filename.rpartition(".")
    named = _BY_NAME.get(extension.lower())
    if kind is not None:
        return named if named and kind is Kind.TEXT and part.content_type.startswith("text/") else kind
    raw = content[part.body_start : min(part.end, part.body_start + _RAW_LOOK)]
    start = encodings.decode(raw, part.encoding)[:_LOOK]
    if not looks_like_text(start):
        return Kind.BINARY
    return named or _by_octets(start, is_named=bool(name and dot))


def declared_kind(part: Part) -> Kind | None:
    """What a leaf says that it is; None for what is no text by its type."""
    kind = part.content_type
    if kind.startswith("multipart/"):
        return Kind.MESSAGE if part.encoding in {"base64", "quoted-printable"} else Kind.TEXT
    if kind.startswith(("text/", "message/")):
        return _BY_TYPE.get(kind, Kind.TEXT)
    if kind.endswith("+xml"):
        return Kind.HTML
    return _BY_TYPE.get(kind)


def looks_like_text(octets: bytes) -> bool:
    """Of its first octets, none is a control character; or they are UTF-16 or UTF-32."""
    if octets.startswith(_BINARY_SIGNATURES):
        return False
    if octets[:2] in {b"\xff\xfe", b"\xfe\xff"} or encodings.is_utf_16(octets) or encodings.is_utf_32(octets):
        return True
    return len(octets.translate(None, _NOT_TEXT)) == len(octets)


def _by_octets(octets: bytes, *, is_named: bool) -> Kind:
    """A file whose name says otherwise is no message, though lines in it may look like header fields."""
    if _MARKUP.match(octets):
        return Kind.HTML
    return Kind.MESSAGE if not is_named and _HEADER.match(octets) else Kind.TEXT
