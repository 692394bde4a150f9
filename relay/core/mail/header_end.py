"""Decides where a header ends that has lines which are no fields.

Mail programs differ here. Some stop reading the header at such a line, others leave it out. This module takes the
reading that loses nothing: the line is left out if fields that programs know follow it, because these fields say how
the body is read. If none follows before the empty line, the line begins the body.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

MOST_STRAY: Final = 8
"""So many lines without a field may stand before a known field; more of them are a text that looks like a header."""
# Names that people also write at the beginning of a line of prose, such as `Status:` and `Note:`, are not among them.
_KNOWN: Final = re.compile(
    r"""
    from | to | cc | bcc | sender | reply-to | subject | date | message-id | in-reply-to | references | received
    | return-path | delivered-to | mime-version | user-agent | importance | precedence | auto-submitted
    | thread-(?:index|topic) | dkim-signature | domainkey-signature | authentication-results | envelope-to | errors-to
    | (?:x | content | resent | received | list | arc | disposition-notification | return-receipt)-.+
    """,
    re.VERBOSE,
)


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
    """Returns the index of the line without a field that begins the body; None if the empty line ends the header.

    A boundary line of the part itself is never in its header; `boundary` is the beginning of such a line, b"" if there
    is none. Raises ValueError if more than `MOST_STRAY` lines without a field stand before a known field, because
    then it cannot be decided.
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


def without_blank_end(content: bytes, field: HeaderField) -> HeaderField:
    """Returns the field without the lines of white space at its end, which belong to the gap before the body."""
    end = field.end
    while (line := content.rfind(b"\r\n", field.value_start, end - 2) + 2) >= 2 and not content[line:end].strip():
        end = line
    return field._replace(end=end)
