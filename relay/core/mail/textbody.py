"""Decodes the body of a text part: first the transfer encoding, then the charset."""

from typing import NamedTuple

from relay.core.mail import encodings
from relay.core.mail.mime import Part


class TextBody(NamedTuple):
    """The body of a part, and the text that a mail program decodes from it.

    `raw` is the body as it was received, `octets` is the body without its transfer encoding, and `text` is `octets`
    decoded with `codec` (Python's name of it). The offsets in findings of the policy are offsets in `text`.
    """

    raw: bytes
    part: Part
    octets: bytes
    codec: str
    text: str
    is_html: bool

    @property
    def is_understood(self) -> bool:
        """Whether the charset is known; else the text has one character for each octet, and shows no words."""
        return self.codec != encodings.UNKNOWN or self.octets.isascii()

    @property
    def newline(self) -> str:
        return "\n" if "\n" in self.text and "\r\n" not in self.text else "\r\n"


def has_delsp(part: Part) -> bool:
    """Returns whether the part has `format=flowed` and `delsp=yes` (RFC 3676 §4.2).

    If so, a program that joins two lines removes the space at the end of the first line.
    """
    return part.params.get("format", "").lower() == "flowed" and part.params.get("delsp", "").lower() == "yes"


def read(raw: bytes, part: Part, *, is_html: bool | None = None) -> TextBody:
    """Returns the decoded body of a part; `raw` is the body as it was received.

    `is_html` says whether the text is HTML; if it is None, the declared Content-Type decides.
    """
    if is_html is None:
        is_html = part.content_type in ("text/html", "application/xhtml+xml")
    octets = encodings.decode(raw, part.encoding)
    codec = encodings.codec_of(part.params.get("charset", ""), octets, part.hint.charset)
    return TextBody(raw, part, octets, codec, encodings.decode_text(octets, codec), is_html)
