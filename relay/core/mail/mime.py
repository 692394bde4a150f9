"""Splits a message into its MIME parts (RFC 2045, RFC 2046), as byte ranges of the received content.

No body is decoded or written again, so octets that no pass of the rewrite changes stay as they are. Limits are checked
while the message is split, so a hostile structure is refused before it takes much time or memory (R-IN-06).

This module defines how invalid mail is read. Only CRLF ends a line. A boundary line has only white space after the
boundary. A part without an end boundary ends where its parent ends. Text before the first boundary and after the last
boundary belongs to the parent. If a field name occurs twice, the first field counts. `header_end` decides where a
header ends if some of its lines are not fields.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple

from relay.core.mail import charsets, header_end, words
from relay.core.mail.header_end import HeaderField


@dataclass(frozen=True, slots=True, kw_only=True)
class MimeLimits:
    """The limits of a message's structure.

    `parts` is the largest number of MIME parts, and `depth` is the depth to which they may be nested. `header_bytes` is
    the largest size of the headers of all parts together. `header_fields` is the largest number of header fields of one
    part; all parts together may have `FIELDS_IN_ALL` times as many fields.
    """

    parts: int = 200
    depth: int = 20
    header_bytes: int = 262_144
    header_fields: int = 1_000

    WIDE: ClassVar["MimeLimits"]
    """Limits for a message that was within the configured limits when it came, and is split again.

    The depth of nesting is still limited, because the splitter has a limit of its own.
    """


MimeLimits.WIDE = MimeLimits(parts=10_000, depth=100, header_bytes=1 << 30, header_fields=100_000)


FIELDS_IN_ALL: Final = 5
"""The limit of the header fields of all parts together, as a multiple of `MimeLimits.header_fields`.

It is more than 1, because a mail to which other mails are attached also has their fields. It is small, because each
field costs time in each step.
"""


class MimeError(ValueError):
    """The structure of a message exceeds a limit, or it cannot be decided where a header ends.

    The error message may be used in the text of an SMTP reply.
    """


@dataclass(slots=True)
class Hint:
    """The charset of the first text of a message that declares one, "" if there is none. All parts share it."""

    charset: str = ""


class Part(NamedTuple):
    """One MIME part, as byte offsets in the content of the message.

    `path` is "" for the root, "1" for its first child, "1.2" for the second child of that child.
    `content[header_start:body_start]` is the header with the empty line after it. That line may be missing or contain
    white space. `content[body_start:end]` is the body, without the CRLF that belongs to the next boundary line.
    `fields` also has those lines of the header that are not fields.

    `content_type` is `type/subtype` in lower case. `params` are the decoded parameters of Content-Type, by name in
    lower case. `encoding` is the transfer encoding in lower case, "7bit" if none is declared. `disposition` is the
    Content-Disposition in lower case, such as "attachment", and `filename` is the decoded file name; each is "" if the
    message does not give it. `hint` helps to read text without a known charset.
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
    hint: Hint

    def walk(self) -> Sequence["Part"]:
        """Returns this part and all parts below it, each before those below it."""
        parts = [self]
        for child in self.children:
            parts += child.walk()
        return parts

    def first(self, name: str) -> HeaderField | None:
        """Returns the first header field called `name` (in lower case), None if the part has no such field."""
        for field in self.fields:
            if field.name == name:
                return field
        return None


_DEEPEST: Final = 100
"""The greatest depth of nesting that a configuration may allow.

It is limited, because the splitter and `Part.walk` call themselves once per level.
"""

# A name, white space before the colon (RFC 5322 §4.5 allows it in old mail), then the line and its folded lines.
_FIELD: Final = re.compile(
    rb"(?:([!-9;-~]++)[ \t]*+(:))?[^\r]*+(?>(?:\r(?!\n)[^\r]*+|\r\n[ \t][^\r]*+)*)(?:\r\n|\Z)",
)
_FIELDS_AND_EMPTY_LINE: Final = re.compile(rb"(?>(?:[!-9;-~]++[ \t]*+:[^\r]*+(?>(?:\r\n[ \t][^\r]*+)*)\r\n)*)\r\n")
_TYPE: Final = re.compile(rb"[ \t]*([!#$%&'*+.^_`{|}~0-9A-Za-z-]+)[ \t]*/[ \t]*([!#$%&'*+.^_`{|}~0-9A-Za-z-]+)")
_WORD: Final = re.compile(rb"[ \t]*+(?:\([^()]*+\)[ \t]*+)?([^\s;()]+)")
_COMMENT: Final = re.compile(rb"\([^()]*+\)")
_ENCODING: Final = re.compile(rb"[\s\"']*+([a-z0-9_-]++)(?=[\s\"';,]|\Z)")
_DEEPEST_COMMENT: Final = 10
_USUAL: Final = frozenset({b"7bit", b"8bit", b"base64", b"quoted-printable"})
_IDENTITY: Final = frozenset({"7bit", "8bit", "binary"})
_MESSAGES: Final = frozenset({"message/rfc822", "message/global"})


def split(content: bytes, limits: MimeLimits, hint: Hint | None = None) -> Part:
    """Returns the root part of a message, with all other parts as its children.

    Raises MimeError if a limit is exceeded, or if it cannot be decided where a header ends. Any other invalid mail is
    split without an error. The time grows linearly with the size times the depth of nesting. If the message was made
    from another message, `hint` is the hint of the other message's root part.
    """
    return _Splitter(content, limits, hint).part(0, len(content), path="", depth=0, default="text/plain")


def body_start(content: bytes) -> int:
    """Returns the offset of the body in the content of a whole message, as `split` finds it. Never raises."""
    if match := _FIELDS_AND_EMPTY_LINE.match(content):
        return match.end()
    try:
        return _Splitter(content, MimeLimits.WIDE).header(0, len(content), "")[1]
    except MimeError:
        empty = content.find(b"\r\n\r\n")
        return len(content) if empty < 0 else empty + 4


def raw_value(content: bytes, field: HeaderField) -> bytes:
    """Returns the raw value of a field, unfolded (RFC 5322 §2.2.3) and without white space around it."""
    return words.unfold(content[field.value_start : field.end])


def field_text(content: bytes, field: HeaderField) -> str:
    """Returns the value of a field as text, unfolded and with its encoded words decoded (RFC 2047). Never raises."""
    return words.decode(raw_value(content, field))


def read_type(value: bytes) -> str:
    """Returns `type/subtype` of an unfolded Content-Type value, in lower case; "" if the value is invalid."""
    match = _TYPE.match(value)
    return f"{match[1].decode()}/{match[2].decode()}".lower() if match else ""


def boundary_line(boundary: str) -> bytes:
    """Returns the beginning of a boundary line: `--`, then the boundary (RFC 2046 §5.1.1).

    In the last boundary line, `--` follows the boundary. Each boundary line may end with white space.
    """
    return b"--" + boundary.rstrip(" \t").encode("latin-1", "replace")


def place(path: str) -> str:
    """Returns the name of the part with this path for an error message: "part 1.2", or "the message" for the root."""
    return f"part {path}" if path else "the message"


def surroundings(content: bytes, part: Part) -> tuple[tuple[int, int], tuple[int, int]]:
    """Returns two ranges (start, end) of a multipart that mail programs do not show: its preamble and its epilogue.

    The preamble is the text before the first boundary line. The epilogue is the text after the boundary in the last
    boundary line, so it begins with `--`. A range is empty if there is no such text. The part must have a child.
    """
    line = boundary_line(part.params.get("boundary", ""))
    first, last = part.children[0], part.children[-1]
    preamble_end = content.rfind(line, part.body_start, first.header_start)
    end_line = content.find(line, last.end, part.end)
    epilogue = part.end if end_line < 0 else end_line + len(line)
    return (part.body_start, max(part.body_start, preamble_end)), (epilogue, part.end)


class _Splitter:
    """Splits one message; it counts down how much of each limit is left."""

    def __init__(self, content: bytes, limits: MimeLimits, hint: Hint | None = None) -> None:
        self._content = content
        self._hint = hint or Hint()
        self._limits = limits
        self._parts_left = limits.parts
        self._header_bytes_left = limits.header_bytes
        self._fields_left = FIELDS_IN_ALL * limits.header_fields
        # Each line that only begins like a boundary line must be examined. A few such lines are normal, because one
        # boundary may be the beginning of another.
        self._looks_left = 20 * limits.parts

    def part(self, start: int, end: int, *, path: str, depth: int, default: str) -> Part:
        if depth > min(self._limits.depth, _DEEPEST):
            raise MimeError(f"MIME parts are nested too deep in {place(path)}")
        self._parts_left -= 1
        if self._parts_left < 0:
            raise MimeError(f"too many MIME parts, from {place(path)} on")
        fields, body, first = self.header(start, end, path)
        content_type, params = self._content_type(first.get("content-type"), default)
        charset = params.get("charset")
        if charset and not self._hint.charset and content_type.startswith("text/") and charsets.codec_of(charset):
            self._hint.charset = charset
        disposition, disposition_params = self._word_and_params(first.get("content-disposition"))
        encoding = self._encoding(first.get("content-transfer-encoding"))
        children: tuple[Part, ...] = ()
        if content_type.startswith("multipart/"):
            inner = "message/rfc822" if content_type == "multipart/digest" else "text/plain"
            children = tuple(
                self.part(*part, path=_below(path, number), depth=depth + 1, default=inner)
                for number, part in enumerate(self._between_boundaries(body, end, params.get("boundary", ""), path), 1)
            )
        elif content_type in _MESSAGES and encoding in _IDENTITY:
            children = (self.part(body, end, path=_below(path, 1), depth=depth + 1, default="text/plain"),)
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
            hint=self._hint,
        )

    def header(self, start: int, end: int, path: str) -> tuple[tuple[HeaderField, ...], int, dict[str, HeaderField]]:
        """Reads the header of the part with this path, which begins at `start` and ends before `end`.

        Returns its fields, the start of its body, and the first field of each name. Raises MimeError.
        """
        fields_end, body = self._header_end(start, end, path)
        fields = self._fields(start, fields_end, path)
        first = {field.name: field for field in reversed(fields)}
        if "" in first:
            fields, body = self._before_body(fields, body, first, path)
            first = {field.name: field for field in reversed(fields)}
        return fields, body, first

    def _before_body(
        self, fields: tuple[HeaderField, ...], body: int, first: dict[str, HeaderField], path: str
    ) -> tuple[tuple[HeaderField, ...], int]:
        """Returns the fields, and the start of the body, of a header that contains lines that are not fields.

        `body` is the place after the empty line, and `first` has the first field of each name. Raises MimeError if it
        cannot be decided where the header ends.
        """
        boundary = self._content_type(first.get("content-type"), "")[1].get("boundary", "")
        line = boundary_line(boundary) if boundary else b""
        try:
            at = header_end.first_body_line(self._content, fields, line)
        except ValueError as error:
            raise MimeError(f"it cannot be decided where the header of {place(path)} ends") from error
        encoding = first.get("content-transfer-encoding")
        if at is not None and not line and encoding in fields[:at] and self._encoding(encoding) == "base64":
            at = header_end.first_base64_line(self._content, fields, at)
        if at is None:
            return fields, body
        start = fields[at].start
        kept = fields[:at]
        return (*kept[:-1], *(header_end.without_blank_end(self._content, field) for field in kept[-1:])), start

    def _header_end(self, start: int, end: int, path: str) -> tuple[int, int]:
        """Returns the end of the header fields and the start of the body of the part at `start`.

        If the part has no empty line, all of it is header. Raises MimeError if the headers of all parts until now have
        too many bytes.
        """
        if self._content.startswith(b"\r\n", start, end):
            return start, start + 2
        empty = self._content.find(b"\r\n\r\n", start, min(end, start + self._header_bytes_left + 4))
        fields_end, body = (end, end) if empty < 0 else (empty + 2, empty + 4)
        self._header_bytes_left -= body - start
        if self._header_bytes_left < 0:
            raise MimeError(f"the header of {place(path)} is too long")
        return fields_end, body

    def _fields(self, start: int, end: int, path: str) -> tuple[HeaderField, ...]:
        fields: list[HeaderField] = []
        at = start
        for match in itertools.islice(_FIELD.finditer(self._content, start, end), self._limits.header_fields + 1):
            name, field_end = match[1], match.end()
            if field_end > at:
                value_start = match.end(2) if name else at
                fields.append(HeaderField(name.decode().lower() if name else "", at, value_start, field_end))
                at = field_end
        self._fields_left -= len(fields)
        if len(fields) > self._limits.header_fields or self._fields_left < 0:
            raise MimeError(f"too many header fields in {place(path)}")
        return tuple(fields)

    def _content_type(self, field: HeaderField | None, default: str) -> tuple[str, dict[str, str]]:
        """Returns the type and the parameters of a Content-Type field.

        Returns `default` without parameters if there is no field, and "text/plain" without parameters if the value is
        invalid (RFC 2045 §5.2).
        """
        if field is None:
            return default, {}
        value = raw_value(self._content, field)
        content_type = read_type(value)
        return (content_type, words.parameters(value, self._hint.charset)) if content_type else ("text/plain", {})

    def _word_and_params(self, field: HeaderField | None) -> tuple[str, dict[str, str]]:
        if field is None:
            return "", {}
        value = raw_value(self._content, field)
        match = _WORD.match(value)
        return match[1].decode("latin-1").lower() if match else "", words.parameters(value, self._hint.charset)

    def _encoding(self, field: HeaderField | None) -> str:
        """Returns the transfer encoding: the first token outside of comments, whatever stands around it."""
        if field is None:
            return "7bit"
        value = raw_value(self._content, field).lower()
        if value in _USUAL:
            return value.decode("ascii")
        for _ in range(_DEEPEST_COMMENT if b"(" in value else 0):
            value = _COMMENT.sub(b"", value)
        found = _ENCODING.match(value) or _WORD.match(value)
        return found[1].decode("latin-1") if found else "7bit"

    def _between_boundaries(self, start: int, end: int, boundary: str, path: str) -> Iterator[tuple[int, int]]:
        """Yields the ranges (start, end) of the parts between boundary lines (RFC 2046 §5.1.1).

        The CRLF before a boundary line belongs to the boundary line. It may be the same CRLF that ends the header.
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
                raise MimeError(f"too many boundary lines in {place(path)}")
            line = self._content.find(delimiter, rest, end)
        if part_start >= 0:
            yield part_start, end


def _below(path: str, number: int) -> str:
    return f"{path}.{number}" if path else str(number)
