"""Writes the few forms of mail that a notice needs, with the same bytes on every version of Python."""

import base64
from collections.abc import Iterable

from relay.core.mail import words


def field(name: str, value: str) -> bytes:
    """Returns a header field. The value is ASCII without a line end."""
    return f"{name}: {value}\r\n".encode("ascii")


def unstructured(text: str) -> str:
    """Returns the text for an unstructured field, as encoded-words where it has to be (RFC 2047)."""
    if text.isascii() and len(text) <= 900 and "=?" not in text:
        return text
    return words.encode(text).decode("ascii")


def phrase(name: str) -> str:
    """Returns a display name: quoted if it is ASCII (RFC 5322 §3.2.5), else encoded-words, which may not be quoted."""
    return words.quoted(name) if name.isascii() else words.encode(name).decode("ascii")


def text_part(text: str, language: str) -> bytes:
    """Returns header and body of a text/plain part: ASCII text as it is, any other text in base64."""
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
    """Returns the body of a multipart (RFC 2046 §5.1.1). Each part has its own header and ends in CRLF."""
    return b"".join(f"--{boundary}\r\n".encode("ascii") + part + b"\r\n" for part in parts) + (
        f"--{boundary}--\r\n".encode("ascii")
    )
