"""Converts a message for a next hop that does not support SMTPUTF8 or 8BITMIME.

Without SMTPUTF8, header fields become ASCII (RFC 6531 §3.1). Without 8BITMIME, bodies become 7 bit (RFC 6152 §3).
Readers see the same text, and ASCII octets do not change.

Signed parts are converted too. They should have been 7 bit from the beginning (RFC 1847 §2.1), and the next hop would
damage or refuse an 8-bit part. The relay's own signature is made afterwards.
"""

import re
from collections.abc import Iterator
from typing import Final

from relay.core.mail import address, encodings, mime, words
from relay.core.mail.edits import Edit
from relay.core.mail.header_end import HeaderField
from relay.core.mail.mime import MimeLimits, Part, raw_value, split
from relay.core.rewrite import textedit
from relay.core.rewrite.assemble import section

_ENCODING: Final = "content-transfer-encoding"
_ADDRESSES: Final = frozenset(
    f"{resent}{name}" for resent in ("", "resent-") for name in ("from", "to", "cc", "bcc", "sender", "reply-to")
)
# The pieces of a list of mailboxes that may hold more than ASCII.
_PHRASE: Final = re.compile(
    rb"""
    ( " (?>(?: [^"\\] | \\. )*) "? )  # a quoted string
    | ( @ [^\s"()<>@,;:\\]++ )  # a domain
    | [^\s"()<>@,;:\\]++  # a word, with those that follow it after nothing but space
      (?>(?: [\ \t]++ (?= [^\s"()<>@,;:\\\x80-\xff]*+ [\x80-\xff] ) [^\s"()<>@,;:\\]++ )*)
    """,
    re.DOTALL | re.VERBOSE,
)
_ESCAPED: Final = re.compile(r"(?s)\\(.)")
_UNPRINTABLE: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_FIELD_LINE: Final = 78
_NOT_ASCII: Final = re.compile(rb"[\x80-\xff]")
_GLOBAL: Final = re.compile(rb"(?i)message/global")


def downgraded(content: bytes, *, eight_bit: bool) -> bytes:
    """Returns the message with ASCII header fields, also in nested messages; the same object if nothing changes.

    Bodies become 7 bit unless `eight_bit` is true. The time is linear. Raises MimeError for a message that cannot be
    split, which the relay does not accept in the first place.
    """
    if content.isascii():
        return content
    root = split(content, MimeLimits.WIDE)
    edits = [edit for part in root.walk() for edit in _part(content, part, eight_bit=eight_bit)]
    return section(content, 0, len(content), edits) if edits else content


def _part(content: bytes, part: Part, *, eight_bit: bool) -> Iterator[Edit[bytes]]:
    encoding = None if eight_bit else _new_encoding(content, part)
    for field in part.fields:
        if field.name == _ENCODING and encoding:
            yield Edit(field.start, field.end, b"")
        elif not content[field.start : field.end].isascii():
            yield Edit(field.start, field.end, _field(content, part, field))
        elif field.name == "content-type" and _is_international(part):
            yield Edit(field.start, field.end, _GLOBAL.sub(b"message/rfc822", content[field.start : field.end]))
    if encoding:
        old = part.first(_ENCODING)
        at = old.end if old else part.header_start
        end = b"\r\n\r\n" if part.body_start == part.header_start else b"\r\n"
        yield Edit(at, at, b"Content-Transfer-Encoding: " + encoding.encode("ascii") + end)
        yield from _body(content, part, encoding)


def _body(content: bytes, part: Part, encoding: str) -> Iterator[Edit[bytes]]:
    if encoding != "7bit":
        octets = encodings.decode(content[part.body_start : part.end], part.encoding)
        yield Edit(part.body_start, part.end, textedit.encoded(octets, encoding))
    elif part.content_type.startswith("multipart/"):
        # No program shows these octets.
        hidden = mime.surroundings(content, part) if part.children else ((part.body_start, part.end),)
        yield from (Edit(start, end, _NOT_ASCII.sub(b"?", content[start:end])) for start, end in hidden)


def _new_encoding(content: bytes, part: Part) -> str | None:
    """Returns the new transfer encoding for a part whose body is not ASCII, or None if the body need not change."""
    body = content[part.body_start : part.end]
    if body.isascii():
        return None
    if part.children or part.content_type.startswith("multipart/"):
        return "7bit"  # composite types are never encoded (RFC 2045 §6.4), only the parts in them
    if part.encoding in ("base64", "quoted-printable"):
        return part.encoding
    is_text = part.content_type.startswith("text/") and b"\0" not in body
    return encodings.seven_bit_encoding(body) if is_text else "base64"


def _is_international(part: Part) -> bool:
    """Returns whether the part is a nested message that becomes `message/rfc822` (RFC 6532 §3.7).

    With ASCII fields an international message is an ordinary message. A nested message that is encoded keeps its type.
    """
    return part.content_type == "message/global" and bool(part.children)


def _field(content: bytes, part: Part, field: HeaderField) -> bytes:
    """Returns the whole field in ASCII, or no octets for a line that is not a field."""
    if not field.name:
        return b""
    value = raw_value(content, field)
    name = content[field.start : field.value_start].rstrip(b": \t")
    if field.name in ("content-type", "content-disposition"):
        kind = part.content_type if field.name == "content-type" else part.disposition
        kind = "message/rfc822" if kind == part.content_type and _is_international(part) else kind
        written = words.parameters(value).items()
        value = b"".join(words.parameter(key, text).encode("ascii") for key, text in written if words.is_token(key))
        value = kind.encode("ascii", "replace") + value
    elif field.name in _ADDRESSES:
        value = _folded(_PHRASE.sub(_phrase, value))
    else:
        value = words.encode(_UNPRINTABLE.sub(" ", words.decode(value)))
    return name + b": " + value + b"\r\n"


def _phrase(found: re.Match[bytes]) -> bytes:
    """Returns one piece of a list of mailboxes in ASCII.

    A domain becomes A-labels. A local part has no ASCII form, so it becomes an encoded word like a display name.
    """
    piece, value = found[0], found.string
    if piece.isascii():
        return piece
    text = words.to_text(piece)
    if found[2]:
        try:
            return f"@{address.fold_domain(text[1:])}".encode("ascii")
        except address.AddressError:
            return b"@invalid"
    if found[1]:
        text = _ESCAPED.sub(r"\1", text.strip('"'))
    before = b"" if value[max(0, found.start() - 1) : found.start()] in (b"", b" ", b"\t", b"(") else b" "
    after = b"" if value[found.end() : found.end() + 1] in (b"", b" ", b"\t", b")", b"@") else b" "
    return before + words.encode(_UNPRINTABLE.sub(" ", text)) + after


def _folded(value: bytes) -> bytes:
    """Returns the value folded at single spaces, with lines that are as long as allowed (RFC 5322 §2.2.3)."""
    lines = [b""]
    for word in value.split(b" "):
        if lines[-1] and word and len(lines[-1]) + len(word) >= _FIELD_LINE:
            lines.append(word)
        else:
            lines[-1] += b" " + word if lines[-1] else word
    return b"\r\n ".join(lines)
