"""Decides where a header ends if it contains lines that are not header fields.

Mail programs differ in this case: some stop reading the header at such a line, others leave out the line. This module
chooses the reading that loses nothing. If known fields follow the line, the line is left out, because these fields say
how the body is read. If no known field follows before the empty line, the body begins with the line.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

MOST_STRAY: Final = 8
"""The most lines without a field before a known field. A text with more of them only looks like a header."""
# The known fields. Names that people also write at the beginning of a line of prose, such as `Status:`, are left out.
_KNOWN: Final = re.compile(
    r"""
    from | to | cc | bcc | sender | reply-to | subject | date | message-id | in-reply-to | references | received
    | return-path | delivered-to | mime-version | user-agent | importance | precedence | auto-submitted
    | thread-(?:index|topic) | dkim-signature | domainkey-signature | authentication-results | envelope-to | errors-to
    | (?:x | content | resent | received | list | arc | disposition-notification | return-receipt)-.+
    """,
    re.VERBOSE,
)


_BASE64_LINE: Final = re.compile(rb"[A-Za-z0-9+/]{4,}={0,2}[ \t]*(?:\r\n|\Z)")


class HeaderField(NamedTuple):
    """One header field, as byte offsets in the content of the message.

    `name` is in lower-case ASCII, "" for a line that is not a header field. `content[start:end]` is the whole field
    with its final CRLF. `content[value_start:end]` is the raw value: all octets after the colon, with the line ends.
    """

    name: str
    start: int
    value_start: int
    end: int


def first_body_line(content: bytes, fields: Sequence[HeaderField], boundary: bytes) -> int | None:
    """Returns the index, in `fields`, of the line with which the body begins; None if the empty line ends the header.

    `fields` are the header's lines; a line that is not a field has the name "". A boundary line always ends the header;
    `boundary` is the beginning of the part's own boundary lines, b"" if it has none. Raises ValueError if more than
    `MOST_STRAY` lines that are not fields come before a known field, because the end cannot be decided then.
    """
    last_known, stray, end = -1, 0, len(fields)
    for index, field in enumerate(fields):
        if boundary and not field.name and content.startswith(boundary, field.start):
            end = index + 1
            break
    for index, field in enumerate(fields[:end]):
        if not field.name:
            stray += 1
        elif _KNOWN.fullmatch(field.name):
            if stray > MOST_STRAY:
                raise ValueError
            last_known = index
    return next((index for index in range(last_known + 1, end) if not fields[index].name), None)


def first_base64_line(content: bytes, fields: Sequence[HeaderField], start: int) -> int | None:
    """Returns the index of the first line of base64 from `start` on, None if there is no such line.

    It begins a body in base64. A line of words before it would make the body unreadable, so it is left out.
    """
    return next((at for at in range(start, len(fields)) if _BASE64_LINE.match(content, fields[at].start)), None)


def without_blank_end(content: bytes, field: HeaderField) -> HeaderField:
    """Returns the field without the lines at its end that contain only white space; they separate it from the body."""
    end = field.end
    while (line := content.rfind(b"\r\n", field.value_start, end - 2) + 2) >= 2 and not content[line:end].strip():
        end = line
    return field._replace(end=end)
