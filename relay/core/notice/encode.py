"""Writing mail by hand: the few forms that a notice needs, the same bytes on every Python."""

import base64
from collections.abc import Iterable, Iterator
from datetime import datetime
from email.utils import format_datetime
from typing import Final

_WORD_BYTES: Final = 42
"""RFC 2047 §2: an encoded word has at most 75 characters, `=?utf-8?b?` and `?=` included; 42 bytes become 56."""


def field(name: str, value: str) -> bytes:
    """A header field of an ASCII value that holds no line end."""
    return f"{name}: {value}\r\n".encode("ascii")


def words(text: str) -> str:
    """Unstructured text or a display name as RFC 2047 encoded words where it must be, folded between words."""
    if text.isascii() and len(text) <= 900 and "=?" not in text:
        return text
    chunks = (base64.b64encode(chunk).decode("ascii") for chunk in _chunks(text))
    return "\r\n ".join(f"=?utf-8?b?{chunk}?=" for chunk in chunks)


def phrase(name: str) -> str:
    """A display name: quoted where it is ASCII (RFC 5322 §3.2.5), else encoded words, which may not be quoted."""
    if not name.isascii():
        return words(name)
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def date(at: datetime) -> str:
    return format_datetime(at)


def text_part(text: str, language: str) -> bytes:
    """Header and body of a text/plain part. ASCII stays readable as it is, the rest is base64."""
    body = text.replace("\n", "\r\n").encode()
    readable = text.isascii() and all(len(line) <= 998 for line in text.split("\n"))
    return b"".join(
        (
            field("Content-Type", "text/plain; charset=utf-8"),
            field("Content-Language", language),
            field("Content-Transfer-Encoding", "7bit" if readable else "base64"),
            b"\r\n",
            body if readable else base64.encodebytes(body).replace(b"\n", b"\r\n"),
        )
    )


def multipart(boundary: str, parts: Iterable[bytes]) -> bytes:
    """The body of a multipart (RFC 2046 §5.1.1); each part with its own header, ending in CRLF."""
    return b"".join(f"--{boundary}\r\n".encode("ascii") + part + b"\r\n" for part in parts) + (
        f"--{boundary}--\r\n".encode("ascii")
    )


def _chunks(text: str) -> Iterator[bytes]:
    """Pieces of whole characters (RFC 2047 §5 forbids splitting one)."""
    piece = b""
    for character in text:
        encoded = character.encode()
        if len(piece) + len(encoded) > _WORD_BYTES:
            yield piece
            piece = b""
        piece += encoded
    if piece:
        yield piece
