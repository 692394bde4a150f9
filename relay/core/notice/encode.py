"""Writes the header fields and MIME parts that notices need.

The standard library could write them too, but its bytes depend on the version of Python.
"""

import base64
from collections.abc import Iterable

from relay.core.mail import words


def field(name: str, value: str) -> bytes:
    """Returns a header field with CRLF at its end. `value` must be ASCII without a line end."""
    return f"{name}: {value}\r\n".encode("ascii")


def unstructured(text: str) -> str:
    """Returns a text as the value of an unstructured field, such as Subject.

    It is written as encoded words (RFC 2047) if it is not ASCII, is too long for a line, or looks like an encoded word.
    """
    if text.isascii() and len(text) <= 900 and "=?" not in text:
        return text
    return words.encode(text).decode("ascii")


def phrase(name: str) -> str:
    """Returns a display name as a phrase: a quoted string if it is ASCII, else encoded words.

    Encoded words may not stand in quotes (RFC 2047 §5, RFC 5322 §3.2.5).
    """
    return words.quoted(name) if name.isascii() else words.encode(name).decode("ascii")


def text_part(text: str, language: str) -> bytes:
    """Returns a text/plain part, header and body; `language` is the value of Content-Language.

    ASCII text is written as it is; other text, and text with a line of more than 998 characters, is written in base64.
    """
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
    """Returns the body of a multipart (RFC 2046 §5.1.1). Each of `parts` has a header and a body and ends in CRLF."""
    return b"".join(f"--{boundary}\r\n".encode("ascii") + part + b"\r\n" for part in parts) + (
        f"--{boundary}--\r\n".encode("ascii")
    )
