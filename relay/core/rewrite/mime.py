"""Lossless MIME splitting: byte ranges into the received content, nothing decoded, nothing regenerated.

Joining is slicing; what no pass touches stays byte for byte. Limits come first, so hostile structure is refused before
it costs anything (R-IN-06).
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MimeLimits:
    parts: int = 200
    depth: int = 20
    header_bytes: int = 262_144
    header_fields: int = 1_000


class MimeError(ValueError):
    """The structure breaks a limit or cannot be read; the message is fit for a reply's text."""


@dataclass(frozen=True, slots=True)
class Field:
    """One header field. `name` lower case, ASCII; `content[start:end]` is the whole field with its last CRLF;
    `content[value_start:end]` is the raw value after the colon, folding and final CRLF included."""

    name: str
    start: int
    value_start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One MIME part. `path` is "" for the root, "1", "1.2" below it. `content[header_start:body_start]` is the header
    block with its empty line, `content[body_start:end]` the body (without the CRLF that belongs to the next boundary
    line). `content_type` is `type/subtype` lower case; `params` are Content-Type's parameters, names lower case,
    RFC 2231 decoded; `encoding` is the transfer encoding, lower case ("7bit" by default). `filename` is decoded."""

    path: str
    fields: tuple[Field, ...]
    header_start: int
    body_start: int
    end: int
    content_type: str
    params: dict[str, str]
    encoding: str
    disposition: str
    filename: str
    children: tuple["Part", ...]

    def walk(self) -> Iterator["Part"]:
        yield self
        for child in self.children:
            yield from child.walk()
