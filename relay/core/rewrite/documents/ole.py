"""Word, Excel and PowerPoint files of before 2007 (MS-CFB): the author fields of their two property sets (MS-OLEPS),
blanked where they stand, so that no other octet moves.

Both sets fit in a run of sectors in every file that a program writes; one that does not is not looked into. What Word
keeps of former authors elsewhere in its own stream stays.
"""

import struct
from typing import Final

from relay.core.rewrite.documents.damage import UncleanableError

SIGNATURE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SETS: Final = (
    (bytes.fromhex("e0859ff2f94f6810ab9108002b27b3d9"), frozenset({4, 8})),  # author, last saved by
    (bytes.fromhex("02d5cdd59c2e1b10939708002b2cf9ae"), frozenset({14, 15})),  # manager, company
)
_TO_FORMAT_ID: Final = 28  # octets of the set's header before it
_LPSTR, _LPWSTR = 30, 31
_MOST_FIELDS: Final = 200


def clean(octets: bytes) -> bytes:
    """Raises UncleanableError where no property set can be found."""
    new = bytearray(octets)
    found = False
    for format_id, fields in _SETS:
        at = octets.find(format_id)
        while at >= 0:
            start = at - _TO_FORMAT_ID
            if start >= 0 and octets[start : start + 2] == b"\xfe\xff":
                found = True
                _blank(new, octets, start, at, fields)
            at = octets.find(format_id, at + 1)
    if not found:
        raise UncleanableError("the file's author fields were not found")
    return bytes(new)


def _blank(new: bytearray, octets: bytes, start: int, at: int, fields: frozenset[int]) -> None:
    try:
        section = start + struct.unpack_from("<L", octets, at + 16)[0]
        count = min(struct.unpack_from("<L", octets, section + 4)[0], _MOST_FIELDS)
        for number in range(count):
            field, offset = struct.unpack_from("<LL", octets, section + 8 + 8 * number)
            if field in fields:
                kind, length = struct.unpack_from("<LL", octets, section + offset)
                text = section + offset + 8
                size = length * 2 if kind == _LPWSTR else length
                if kind in (_LPSTR, _LPWSTR) and text + size <= len(octets):
                    new[text : text + size] = bytes(size)
    except struct.error as error:
        raise UncleanableError("the file is damaged") from error
