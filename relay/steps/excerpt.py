"""The words of a message that a reason is about, for the notice that names it (R-POL-16)."""

from typing import Final

from relay.core.mail import encodings
from relay.core.mail.mime import Part
from relay.core.model.reason import Span

_AROUND: Final = 40
_LONGEST: Final = 120


def excerpt(content: bytes, root: Part, span: Span) -> str:
    """The span's text with a little of what stands around it, on one line; "" for a span in the header or in a part
    that is no text. Addresses are still in it: `notice` takes them out."""
    part = next((one for one in root.walk() if one.path == span.part), None)
    if part is None or part.children or not part.content_type.startswith("text/"):
        return ""
    octets = encodings.decode(content[part.body_start : part.end], part.encoding)
    text = encodings.decode_text(octets, encodings.codec_of(part.params.get("charset", ""), octets))
    start, end = max(span.start - _AROUND, 0), min(span.end, span.start + _LONGEST) + _AROUND
    return " ".join(text[start:end].split())
