"""Cleans Word, Excel and PowerPoint files from before 2007 (MS-CFB): overwrites the names of people with blanks.

The file keeps its length, and no other octet moves. The names are in the property sets (MS-OLEPS), in Word's lists of
authors who saved the file, of reviewers and of variables (MS-DOC), and in the record of the last user of Excel (MS-XLS)
and PowerPoint (MS-PPT). Names that Word and Excel from before 1997 store outside the property sets are not removed.
"""

import re
import struct
from collections.abc import Callable, Iterator
from typing import Final

from relay.core.rewrite.documents import compound
from relay.core.rewrite.documents.compound import Compound, Stream
from relay.core.rewrite.documents.damage import UncleanableError

SIGNATURE: Final = compound.SIGNATURE
_ENCRYPTED: Final = "the file is encrypted"
_DAMAGED: Final = "the file is damaged"


def clean(octets: bytes) -> bytes:
    """Returns the cleaned file. Raises UncleanableError if it is damaged, encrypted or without a property set."""
    file = Compound(octets)
    found = False
    try:
        for streams in file.storages():
            for name, change in _CHANGES.items():
                if name in streams:
                    content = file.read(streams[name])
                    change(content)
                    file.write(streams[name], content)
                    found = found or change is _properties
            if "WordDocument" in streams:
                _word(file, streams)
    except (struct.error, IndexError) as error:
        raise UncleanableError(_DAMAGED) from error
    if not found:
        raise UncleanableError("the file's author fields were not found")
    file.empty_free_sectors()
    return bytes(file.octets)


# ---------------------------------------------------------------- property sets (MS-OLEPS)

_SETS: Final = {
    bytes.fromhex("e0859ff2f94f6810ab9108002b27b3d9"): frozenset({4, 8}),  # author, last saved by
    bytes.fromhex("02d5cdd59c2e1b10939708002b2cf9ae"): frozenset({14, 15}),  # manager, company
}
_OF_THEIR_OWN: Final = bytes.fromhex("05d5cdd59c2e1b10939708002b2cf9ae")  # fields by name
_PERSONS: Final = re.compile("_author|(?:checked by|editor|owner|recorded by|typist)\\Z", re.IGNORECASE)
_LPSTR, _LPWSTR = 30, 31
_NAMES, _CODE_PAGE = 0, 1
_UTF_16: Final = 1_200
_MOST_FIELDS: Final = 200


def _properties(content: bytearray) -> None:
    (sets,) = struct.unpack_from("<L", content, 24)
    for number in range(min(sets, 2)):
        format_id, section = struct.unpack_from("<16sL", content, 28 + 20 * number)
        (count,) = struct.unpack_from("<L", content, section + 4)
        pairs = (
            struct.unpack_from("<LL", content, section + 8 + 8 * field) for field in range(min(count, _MOST_FIELDS))
        )
        fields = {field: section + offset for field, offset in pairs}
        for field in _named(content, fields) if format_id == _OF_THEIR_OWN else _SETS.get(format_id, frozenset()):
            if field in fields:
                _blank(content, fields[field])


def _blank(content: bytearray, at: int) -> None:
    kind, length = struct.unpack_from("<LL", content, at)
    if kind in (_LPSTR, _LPWSTR):
        _fill(content, at + 8, length * 2 if kind == _LPWSTR else length, b"\0")


def _named(content: bytearray, fields: dict[int, int]) -> Iterator[int]:
    """Yields the numbers of the fields whose names say that their values are names of people."""
    if _NAMES not in fields:
        return
    is_wide = _CODE_PAGE in fields and struct.unpack_from("<4xH", content, fields[_CODE_PAGE]) == (_UTF_16,)
    (count,) = struct.unpack_from("<L", content, fields[_NAMES])
    at = fields[_NAMES] + 4
    for _ in range(min(count, _MOST_FIELDS)):
        field, length = struct.unpack_from("<LL", content, at)
        size = length * 2 + length % 2 * 2 if is_wide else length  # padded to a multiple of four octets
        name = content[at + 8 : at + 8 + size].decode("utf-16-le" if is_wide else "latin-1", "replace")
        if _PERSONS.match(name.strip("\0")):
            yield field
        at += 8 + size


def _fill(content: bytearray, start: int, size: int, filler: bytes) -> None:
    if start + size > len(content):
        raise UncleanableError(_DAMAGED)
    content[start : start + size] = filler * (size // len(filler))


# ---------------------------------------------------------------- Excel and PowerPoint

_WRITE_ACCESS, _FILE_PASS = 0x005C, 0x002F


def _workbook(content: bytearray) -> None:
    """Blanks the name of the last user, which is in one of the first records (MS-XLS 2.4.349).

    An empty name is written as two spaces.
    """
    at = 0
    for _ in range(_MOST_FIELDS):
        kind, length = struct.unpack_from("<HH", content, at)
        if kind == _FILE_PASS:
            raise UncleanableError(_ENCRYPTED)
        if kind == _WRITE_ACCESS and length > 4:
            _fill(content, at + 4, length, b" ")
            content[at + 4 : at + 7] = b"\2\0\0"
            return
        at += 4 + length


def _current_user(content: bytearray) -> None:
    """Blanks the name of the last user of a presentation (MS-PPT 2.3.2)."""
    (length,) = struct.unpack_from("<H", content, 20)
    _fill(content, 28, length, b" ")
    wide = 28 + length + 4
    if len(content) >= wide + 2 * length:
        _fill(content, wide, 2 * length, b" \0")


_CHANGES: Final[dict[str, Callable[[bytearray], None]]] = {
    "\5SummaryInformation": _properties,
    "\5DocumentSummaryInformation": _properties,
    "Workbook": _workbook,
    "Current User": _current_user,
}


# ---------------------------------------------------------------- Word (MS-DOC 2.5)

_IDENTITY, _WORD_97 = 0xA5EC, 0x00C1
_IN_TABLE_1, _IS_ENCRYPTED = 0x0200, 0x0100
_LISTS: Final = 154  # places and lengths in the table stream, by number (FibRgFcLcb97)
_INITIALS, _ASSOCIATED, _COMMENTERS, _REVIEWERS = 4, 32, 36, 51
_VARIABLES, _ROUTE, _SAVERS = 60, 70, 71
_AUTHORS: Final = frozenset({6, 7})  # among the associated strings: author, last saved by


def _word(file: Compound, streams: dict[str, Stream]) -> None:
    main = file.read(streams["WordDocument"])
    identity, version = struct.unpack_from("<HH", main)
    if identity != _IDENTITY or version < _WORD_97:
        return
    (flags,) = struct.unpack_from("<H", main, 10)
    if flags & _IS_ENCRYPTED:
        raise UncleanableError(_ENCRYPTED)
    name = "1Table" if flags & _IN_TABLE_1 else "0Table"
    if name not in streams or struct.unpack_from("<30xH28xH", main, 2) != (14, 22):
        raise UncleanableError(_DAMAGED)
    table = file.read(streams[name])
    for number in (_VARIABLES, _ROUTE, _SAVERS):  # for an empty list nothing is overwritten
        start, size = _list(main, number)
        _fill(table, start, size, b"\0")
        struct.pack_into("<L", main, _LISTS + 8 * number + 4, 0)
    for number, start, size in _strings(table, *_list(main, _ASSOCIATED)):
        if number in _AUTHORS:
            _fill(table, start, size, b" \0")
    for number, start, size in _strings(table, *_list(main, _REVIEWERS)):
        if number:  # the first is "Unknown"
            _fill(table, start, size, b" \0")
    _commenters(table, *_list(main, _COMMENTERS))
    _initials(table, *_list(main, _INITIALS))
    file.write(streams["WordDocument"], main)
    file.write(streams[name], table)


def _list(main: bytearray, number: int) -> tuple[int, int]:
    place, length = struct.unpack_from("<LL", main, _LISTS + 8 * number)
    return (place, length) if length else (0, 0)


def _strings(table: bytearray, at: int, size: int) -> Iterator[tuple[int, int, int]]:
    """Yields the number, the offset and the size in octets of each string in a table of strings (STTB)."""
    if not size:
        return
    extended, count, beside = struct.unpack_from("<HHH", table, at)
    if extended != 0xFFFF:
        raise UncleanableError(_DAMAGED)
    at += 6
    for number in range(count):
        letters = struct.unpack_from("<H", table, at)[0]
        yield number, at + 2, 2 * letters
        at += 2 + 2 * letters + beside


def _commenters(table: bytearray, at: int, size: int) -> None:
    """Blanks the names of commenters. In the table the length of each name stands before the name (Xst)."""
    end = at + size
    while at < end:
        (letters,) = struct.unpack_from("<H", table, at)
        _fill(table, at + 2, 2 * letters, b" \0")
        at += 2 + 2 * letters


def _initials(table: bytearray, at: int, size: int) -> None:
    """Blanks the initials of commenters.

    The table begins with the positions of the comments, four octets each. One record of 30 octets for each comment
    (ATRDPre10) follows. Each record begins with up to nine letters.
    """
    comments = max(0, size - 4) // 34
    for number in range(comments):
        _fill(table, at + 4 * (comments + 1) + 30 * number + 2, 18, b" \0")
