"""Decodes the body of a text part: transfer encoding, then charset."""

from typing import NamedTuple

from relay.core.mail import encodings
from relay.core.mail.mime import Part


class TextBody(NamedTuple):
    """A body and the text that a mail program decodes from it. Offsets of policy are offsets of `text`."""

    raw: bytes
    part: Part
    octets: bytes
    codec: str
    text: str
    is_html: bool

    @property
    def newline(self) -> str:
        return "\n" if "\n" in self.text and "\r\n" not in self.text else "\r\n"


def has_delsp(part: Part) -> bool:
    """Whether lines of the text are joined without the space that they end in (RFC 3676 §4.2)."""
    return part.params.get("format", "").lower() == "flowed" and part.params.get("delsp", "").lower() == "yes"


def read(raw: bytes, part: Part, *, is_html: bool | None = None) -> TextBody:
    """Decodes a body. `is_html` is given where it is known better than by the declared type."""
    if is_html is None:
        is_html = part.content_type in ("text/html", "application/xhtml+xml")
    octets = encodings.decode(raw, part.encoding)
    codec = encodings.codec_of(part.params.get("charset", ""), octets)
    return TextBody(raw, part, octets, codec, encodings.decode_text(octets, codec), is_html)
