"""Cleans TIFF 6.0 and BigTIFF: directories keep only the fields that draw the picture; other data becomes zeros.

Raw pictures of cameras are TIFF files too, but no specification says which of their fields are needed. For them `clean`
raises UncleanableError.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from relay.core.rewrite.documents import spans
from relay.core.rewrite.documents.damage import UncleanableError

_DAMAGED: Final = "the picture is damaged"
_TOO_MANY: Final = "the picture has too many pieces"
_UNUSUAL: Final = "a camera's raw picture, or one packed in an unusual way"


class _Form(NamedTuple):
    """A variant of the TIFF format.

    `order`, `amount` and `offset` are format letters of `struct`: for the byte order, for a number of entries, and for
    an offset in the file. `first` is the position at which the offset of the first directory is stored.
    """

    order: str
    amount: str
    offset: str
    first: int

    @property
    def width(self) -> int:
        return struct.calcsize(self.order + self.offset)


_FORMS: Final = {
    b"II*\0": _Form("<", "H", "L", 4),
    b"MM\0*": _Form(">", "H", "L", 4),
    b"II+\0": _Form("<", "Q", "Q", 8),
    b"MM\0+": _Form(">", "Q", "Q", 8),
}
SIGNATURES: Final = tuple(_FORMS)
# The size in octets of each type and, for whole numbers, its format letter of `struct`. Text (2) draws nothing.
_SIZES: Final = {1: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_LETTERS: Final = {1: "B", 3: "H", 4: "L", 13: "L", 16: "Q", 18: "Q"}

_COMPRESSION, _PHOTOMETRIC, _SUB_DIRECTORIES = 259, 262, 330
_PIECES: Final = ((273, 279), (324, 325))  # offsets and lengths of strips, and of tiles
_DRAWS: Final = frozenset(
    {254, 255, 256, 257, 258, _COMPRESSION, _PHOTOMETRIC, 263, 264, 265, 266, 273, 274, 277, 278, 279, 280, 281, 282}
    | {283, 284, 286, 287, 288, 289, 290, 291, 292, 293, 296, 297, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325}
    | {326, 327, 328, _SUB_DIRECTORIES, 332, 334, 336, 338, 339, 340, 341, 342, 343, 344, 346, 347, 529, 530, 531, 532}
    | {559, 32995, 32996, 32997, 32998, 34675, 50674}  # matte and depth of SGI, ICC profile, LERC
)
_COMPRESSIONS: Final = frozenset({1, 2, 3, 4, 5, 7, 8, 32773, 32946, 34661, 34676, 34677, 34712, 34887, 34925, 50000})
_PHOTOMETRICS: Final = frozenset({0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 32844, 32845})
_MOST_DIRECTORIES: Final = 2_000
_MOST_ENTRIES: Final = 1_000
_MOST_PIECES: Final = 100_000


class _Field(NamedTuple):
    tag: int
    kind: int
    values: int
    place: int  # the offset of its value
    raw: bytes

    @property
    def end(self) -> int:
        return self.place + _SIZES[self.kind] * self.values


def clean(octets: bytes) -> bytes:
    """Returns the cleaned file. Raises UncleanableError if it is damaged, too complex or a raw picture of a camera."""
    form = _FORMS[octets[:4]]
    kept = [(0, form.first + form.width)]
    anew: dict[int, bytes] = {}
    try:
        waiting = [*struct.unpack_from(form.order + form.offset, octets, form.first)]
        while waiting:
            at = waiting.pop()
            if at == 0 or at in anew:
                continue
            entries, anew[at], following = _directory(octets, at, form)
            kept += _shown(octets, entries, form)
            waiting += (following, *_numbers(octets, entries.get(_SUB_DIRECTORIES), form))
            if len(kept) > _MOST_PIECES or len(anew) + len(waiting) > _MOST_DIRECTORIES:
                raise UncleanableError(_TOO_MANY)
    except (struct.error, OverflowError) as error:
        raise UncleanableError(_DAMAGED) from error
    return spans.only(octets, kept, anew.items())


def _directory(octets: bytes, at: int, form: _Form) -> tuple[dict[int, _Field], bytes, int]:
    """Returns the fields that draw the picture, the new octets of the directory, and the offset of the next directory.

    The new octets contain only these fields and have the same length as the old octets.
    """
    offset = struct.Struct(form.order + form.offset)
    count = struct.Struct(form.order + form.amount)
    size = 4 + 2 * offset.size
    (number,) = count.unpack_from(octets, at)
    if number > _MOST_ENTRIES:
        raise UncleanableError(_TOO_MANY)
    entries: dict[int, _Field] = {}
    end = at + count.size + number * size
    for start in range(at + count.size, end, size):
        tag, kind, values = struct.unpack_from(f"{form.order}HH{form.offset}", octets, start)
        if tag not in _DRAWS or kind not in _SIZES or tag in entries:
            continue
        place = start + 4 + offset.size
        if _SIZES[kind] * values > offset.size:
            (place,) = offset.unpack_from(octets, place)
        entries[tag] = _Field(tag, kind, values, place, octets[start : start + size])
        if entries[tag].end > len(octets):
            raise UncleanableError(_DAMAGED)
    (following,) = offset.unpack_from(octets, end)
    written = b"".join((count.pack(len(entries)), *(entry.raw for entry in entries.values()), offset.pack(following)))
    return entries, written.ljust(end + offset.size - at, b"\0"), following


def _shown(octets: bytes, entries: dict[int, _Field], form: _Form) -> Iterator[tuple[int, int]]:
    """Yields the ranges of the file that hold values of fields, strips and tiles.

    Raises UncleanableError for a compression or a colour space that ordinary pictures do not use.
    """
    compression = _numbers(octets, entries.get(_COMPRESSION), form) or (1,)
    if compression[0] not in _COMPRESSIONS or not _PHOTOMETRICS.issuperset(
        _numbers(octets, entries.get(_PHOTOMETRIC), form)
    ):
        raise UncleanableError(_UNUSUAL)
    for entry in entries.values():
        if entry.end - entry.place > form.width:
            yield entry.place, entry.end
    for places, lengths in _PIECES:
        starts = _numbers(octets, entries.get(places), form)
        sizes = _numbers(octets, entries.get(lengths), form)
        if len(starts) != len(sizes):
            raise UncleanableError(_DAMAGED)
        for start, size in zip(starts, sizes, strict=True):
            yield start, min(start + size, len(octets))


def _numbers(octets: bytes, entry: _Field | None, form: _Form) -> tuple[int, ...]:
    if entry is None:
        return ()
    if entry.values > _MOST_PIECES:
        raise UncleanableError(_TOO_MANY)
    letter = _LETTERS.get(entry.kind)
    if letter is None:
        raise UncleanableError(_DAMAGED)
    return struct.unpack_from(f"{form.order}{entry.values}{letter}", octets, entry.place)
