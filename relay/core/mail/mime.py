"""Splits a message into its MIME parts, as byte ranges of the received content.

Nothing is decoded or generated, so octets that no pass changes stay as they are. Limits are checked first, so hostile
structure is refused before it costs anything (R-IN-06).

This module defines how broken mail is read. Only CRLF ends a line. A boundary line is the boundary with nothing but
white space after it. Without an end boundary a part ends where its parent ends. Text before the first and after the
last boundary belongs to the parent. If two fields have one name, the first counts.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple

from relay.core.mail import words


@dataclass(frozen=True, slots=True, kw_only=True)
class MimeLimits:
    """Limits of the structure.

    `header_bytes` counts the header blocks of all parts together, `header_fields` the fields of one part; all parts
    together may have `FIELDS_IN_ALL` times as many.
    """

    parts: int = 200
    depth: int = 20
    header_bytes: int = 262_144
    header_fields: int = 1_000

    WIDE: ClassVar["MimeLimits"]
    """For a message that was within the limits when it came; only nesting stays bounded, by the splitter itself."""


MimeLimits.WIDE = MimeLimits(parts=10_000, depth=100, header_bytes=1 << 30, header_fields=100_000)


FIELDS_IN_ALL: Final = 5
"""A mail with many attached mails has several times the fields of one; each costs time in each step."""


class MimeError(ValueError):
    """The structure breaks a limit or cannot be read. The message of the error can stand in a reply's text."""


class HeaderField(NamedTuple):
    """One header field.

    `name` is lower-case ASCII, "" for a line that is not a field. `content[start:end]` is the whole field with its
    last CRLF; `content[value_start:end]` is the raw value after the colon, with folding and the final CRLF.
    """

    name: str
    start: int
    value_start: int
    end: int


class Part(NamedTuple):
    """One MIME part.

    `path` is "" for the root, "1", "1.2" below it. `content[header_start:body_start]` is the header block with its
    empty line, `content[body_start:end]` the body (without the CRLF that belongs to the next boundary line).
    `content_type` is `type/subtype` in lower case; `params` are the parameters of Content-Type, names in lower case,
    RFC 2231 decoded; `encoding` is the transfer encoding in lower case ("7bit" by default). `filename` is decoded.
    """

    path: str
    fields: tuple[HeaderField, ...]
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

    def first(self, name: str) -> HeaderField | None:
        """Returns the field that counts for `name` (lower case); None if there is none."""
        return next((field for field in self.fields if field.name == name), None)


_DEEPEST: Final = 100
"""The deepest nesting that any configuration allows: the splitter and `walk` recurse once per level."""

# A name, the white space that RFC 5322 §4.5 once allowed before the colon, then lines up to one that is not folded.
_FIELD: Final = re.compile(
    rb"(?:([!-9;-~]++)[ \t]*+(:))?[^\r]*+(?>(?:\r(?!\n)[^\r]*+|\r\n[ \t][^\r]*+)*)(?:\r\n|\Z)",
)
_TYPE: Final = re.compile(rb"[ \t]*([!#$%&'*+.^_`{|}~0-9A-Za-z-]+)[ \t]*/[ \t]*([!#$%&'*+.^_`{|}~0-9A-Za-z-]+)")
_WORD: Final = re.compile(rb"[ \t]*+(?:\([^()]*+\)[ \t]*+)?([^\s;()]+)")
_IDENTITY: Final = frozenset({"7bit", "8bit", "binary"})
_MESSAGES: Final = frozenset({"message/rfc822", "message/global"})


def split(content: bytes, limits: MimeLimits) -> Part:
    """Returns the root of the tree of parts.

    Linear in size times depth. Raises MimeError, only if a limit is broken.
    """
    return _Splitter(content, limits).part(0, len(content), path="", depth=0, default="text/plain", is_message=True)


def body_start(content: bytes) -> int:
    """Returns the offset of the body of a whole message: after the empty line, or at the end if there is none."""
    if content.startswith(b"\r\n"):
        return 2
    empty = content.find(b"\r\n\r\n")
    return len(content) if empty < 0 else empty + 4


def raw_value(content: bytes, field: HeaderField) -> bytes:
    """Returns the value unfolded, without the white space around it."""
    return words.unfold(content[field.value_start : field.end])


def field_text(content: bytes, field: HeaderField) -> str:
    """Returns the value unfolded, with encoded-words decoded. Never raises."""
    return words.decode(raw_value(content, field))


def read_type(value: bytes) -> str:
    """Returns `type/subtype` of an unfolded Content-Type value in lower case; "" if it has none."""
    match = _TYPE.match(value)
    return f"{match[1].decode()}/{match[2].decode()}".lower() if match else ""


def boundary_line(boundary: str) -> bytes:
    """Returns the beginning of the lines around parts.

    White space may follow, and `--` in the last line (RFC 2046 §5.1.1).
    """
    return b"--" + boundary.rstrip(" \t").encode("latin-1", "replace")


def surroundings(content: bytes, part: Part) -> tuple[tuple[int, int], tuple[int, int]]:
    """Returns the two ranges of a multipart that no program shows; a range is empty if there is no such text.

    They are the text before the first boundary line, and the text from the `--` at the end of the last one.
    """
    line = boundary_line(part.params.get("boundary", ""))
    first, last = part.children[0], part.children[-1]
    preamble_end = content.rfind(line, part.body_start, first.header_start)
    end_line = content.find(line, last.end, part.end)
    epilogue = part.end if end_line < 0 else end_line + len(line)
    return (part.body_start, max(part.body_start, preamble_end)), (epilogue, part.end)


class _Splitter:
    """One split in progress, with what is left of its limits."""

    def __init__(self, content: bytes, limits: MimeLimits) -> None:
        self._content = content
        self._limits = limits
        self._parts_left = limits.parts
        self._header_bytes_left = limits.header_bytes
        self._fields_left = FIELDS_IN_ALL * limits.header_fields
        # Lines that merely begin like a boundary cost a look each; a few are normal (one boundary begins another).
        self._looks_left = 20 * limits.parts

    def part(self, start: int, end: int, *, path: str, depth: int, default: str, is_message: bool) -> Part:
        if depth > min(self._limits.depth, _DEEPEST):
            raise MimeError("MIME parts are nested too deep")
        self._parts_left -= 1
        if self._parts_left < 0:
            raise MimeError("too many MIME parts")
        fields_end, body = self._header_end(start, end)
        fields = self._fields(start, fields_end)
        if fields and not fields[0].name and not is_message:
            # A part that begins with a line of text has no header, because programs show that line.
            body, fields = start, ()
        first = {field.name: field for field in reversed(fields)}
        content_type, params = self._content_type(first.get("content-type"), default)
        disposition, disposition_params = self._word_and_params(first.get("content-disposition"))
        encoding = self._word_and_params(first.get("content-transfer-encoding"))[0] or "7bit"
        children: tuple[Part, ...] = ()
        if content_type.startswith("multipart/"):
            inner = "message/rfc822" if content_type == "multipart/digest" else "text/plain"
            children = tuple(
                self.part(*part, path=_below(path, number), depth=depth + 1, default=inner, is_message=False)
                for number, part in enumerate(self._between_boundaries(body, end, params.get("boundary", "")), 1)
            )
        elif content_type in _MESSAGES and encoding in _IDENTITY:
            path_below = _below(path, 1)
            children = (self.part(body, end, path=path_below, depth=depth + 1, default="text/plain", is_message=True),)
        return Part(
            path=path,
            fields=fields,
            header_start=start,
            body_start=body,
            end=end,
            content_type=content_type,
            params=params,
            encoding=encoding,
            disposition=disposition,
            filename=disposition_params.get("filename") or params.get("name", ""),
            children=children,
        )

    def _header_end(self, start: int, end: int) -> tuple[int, int]:
        """Returns the end of the fields and the start of the body, and counts the bytes of the header.

        Without an empty line, the whole part is header.
        """
        if self._content.startswith(b"\r\n", start, end):
            return start, start + 2
        empty = self._content.find(b"\r\n\r\n", start, min(end, start + self._header_bytes_left + 4))
        fields_end, body = (end, end) if empty < 0 else (empty + 2, empty + 4)
        self._header_bytes_left -= body - start
        if self._header_bytes_left < 0:
            raise MimeError("the header is too long")
        return fields_end, body

    def _fields(self, start: int, end: int) -> tuple[HeaderField, ...]:
        fields = tuple(
            HeaderField(
                match[1].decode().lower() if match[1] else "",
                match.start(),
                max(match.start(), match.end(2)),
                match.end(),
            )
            for match in itertools.islice(_FIELD.finditer(self._content, start, end), self._limits.header_fields + 1)
            if match.end() > match.start()
        )
        self._fields_left -= len(fields)
        if len(fields) > self._limits.header_fields or self._fields_left < 0:
            raise MimeError("too many header fields")
        return fields

    def _content_type(self, field: HeaderField | None, default: str) -> tuple[str, dict[str, str]]:
        """Returns type and parameters; plain text if the value cannot be read (RFC 2045 §5.2)."""
        if field is None:
            return default, {}
        value = raw_value(self._content, field)
        content_type = read_type(value)
        return (content_type, words.parameters(value)) if content_type else ("text/plain", {})

    def _word_and_params(self, field: HeaderField | None) -> tuple[str, dict[str, str]]:
        if field is None:
            return "", {}
        value = raw_value(self._content, field)
        match = _WORD.match(value)
        return match[1].decode("latin-1").lower() if match else "", words.parameters(value)

    def _between_boundaries(self, start: int, end: int, boundary: str) -> Iterator[tuple[int, int]]:
        """Yields the ranges between boundary lines (RFC 2046 §5.1.1).

        The CRLF before a boundary line is part of that line, and may be the one that ended the header.
        """
        delimiter = b"\r\n" + boundary_line(boundary)
        if not boundary.strip(" \t"):
            return
        part_start = -1
        line = start if self._content.startswith(delimiter[2:], start, end) else -1
        line = line - 2 if line >= 0 else self._content.find(delimiter, start, end)
        while line >= 0:
            rest = line + len(delimiter)
            line_end = self._content.find(b"\r\n", rest, min(end, rest + 100))
            tail = self._content[rest : end if line_end < 0 else line_end]
            is_last = tail.startswith(b"--")
            if not (tail[2:] if is_last else tail).strip(b" \t"):
                if part_start >= 0:
                    yield part_start, max(part_start, line)
                if is_last:
                    return
                part_start = end if line_end < 0 else line_end + 2
                rest = part_start - 2
            self._looks_left -= 1
            if self._looks_left < 0:
                raise MimeError("too many boundary lines")
            line = self._content.find(delimiter, rest, end)
        if part_start >= 0:
            yield part_start, end


def _below(path: str, number: int) -> str:
    return f"{path}.{number}" if path else str(number)
