"""Cleans HEIC and AVIF files: keeps the items and boxes that draw the picture, and overwrites all others with zeros.

Both formats are HEIF (ISO/IEC 23008-12), which consists of boxes (ISO/IEC 14496-12). This module reads only the lists
of items. The libraries for these formats decode the pictures, which takes too much time for every mail.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from relay.core.rewrite.documents import exif, spans
from relay.core.rewrite.documents.damage import UncleanableError

SIGNATURE: Final = b"ftyp"
_DAMAGED: Final = "the picture is damaged"
_UNUSUAL: Final = "the picture is written in an unusual way"
_TOO_MANY: Final = "the picture has too many pieces"
_FILM: Final = "a film, a row of pictures or a camera's raw picture"

_FILE: Final = frozenset({b"ftyp", b"meta", b"mdat"})
_META: Final = frozenset({b"hdlr", b"pitm", b"iloc", b"iinf", b"iref", b"iprp", b"idat", b"dinf", b"ipro", b"grpl"})
_DRAWS: Final = frozenset(
    {b"hvc1", b"hev1", b"lhv1", b"av01", b"avc1", b"vvc1", b"evc1", b"jpeg", b"j2k1", b"unci"}
    | {b"grid", b"iovl", b"iden", b"tmap"}
)
_EXIF, _XMP, _URI = b"Exif", b"mime", b"uri "
_MOST_PIECES: Final = 50_000


class _Box(NamedTuple):
    kind: bytes
    start: int
    body: int
    end: int


class _Rest(NamedTuple):
    """The content of the cleaned file: the ranges to keep and the octets to write, as arguments for `spans.only`."""

    kept: list[tuple[int, int]]
    anew: list[tuple[int, bytes]]


def clean(octets: bytes) -> bytes:
    """Returns the cleaned file. Raises UncleanableError if the file is damaged or in an unusual form."""
    rest = _Rest([], [])
    file = _boxes(octets, 0, len(octets))
    if any(box.kind == b"moov" for box in file):
        raise UncleanableError(_FILM)
    _emptied(file, _FILE, rest)
    meta = _one(file, b"meta")
    inner = _boxes(octets, meta.body + 4, meta.end)
    _emptied(inner, _META, rest)
    rest.kept.append((meta.body, meta.body + 4))
    rest.kept.extend((box.body, box.end) for box in file if box.kind == b"ftyp")
    rest.kept.extend((box.body, box.end) for box in inner if box.kind in _META - {b"idat", b"iprp"})
    rest.kept.extend(_properties(octets, inner))
    _items(octets, inner, rest)
    return spans.only(octets, *rest)


# ---------------------------------------------------------------- boxes


def _boxes(octets: bytes, at: int, end: int) -> list[_Box]:
    found: list[_Box] = []
    while at < end:
        size, kind, body = *struct.unpack(">L4s", octets[at : at + 8].ljust(8, b"\0")), at + 8
        if size == 1:
            size, body = int.from_bytes(octets[body : body + 8], "big"), body + 8
        stop = at + size if size else end
        if not body <= stop <= end:
            raise UncleanableError(_DAMAGED)
        found.append(_Box(kind, at, body, stop))
        if len(found) > _MOST_PIECES:
            raise UncleanableError(_TOO_MANY)
        at = stop
    return found


def _one(boxes: list[_Box], kind: bytes) -> _Box:
    found = [box for box in boxes if box.kind == kind]
    if len(found) != 1:
        raise UncleanableError(_UNUSUAL)
    return found[0]


def _emptied(boxes: list[_Box], known: frozenset[bytes], rest: _Rest) -> None:
    """Adds the heads of all boxes to `rest`; a box whose type is not in `known` becomes free space."""
    for box in boxes:
        rest.kept.extend(((box.start, box.start + 4), (box.start + 8, box.body)))
        rest.anew.append((box.start + 4, box.kind if box.kind in known else b"free"))


def _properties(octets: bytes, meta: list[_Box]) -> Iterator[tuple[int, int]]:
    """Yields the ranges of all properties, because items refer to properties by number.

    Of a user description (`udes`) only the head is kept.
    """
    for box in meta:
        for inner in _boxes(octets, box.body, box.end) if box.kind == b"iprp" else ():
            if inner.kind != b"ipco":
                yield inner.start, inner.end
                continue
            yield inner.start, inner.body
            for one in _boxes(octets, inner.body, inner.end):
                yield one.start, one.body + 4 if one.kind == b"udes" else one.end


# ---------------------------------------------------------------- items


class _Reader:
    def __init__(self, octets: bytes, box: _Box) -> None:
        self.octets, self.at, self.end = octets, box.body, box.end

    def number(self, size: int) -> int:
        start, self.at = self.at, self.at + size
        if self.at > self.end:
            raise UncleanableError(_DAMAGED)
        return int.from_bytes(self.octets[start : self.at], "big")


def _items(octets: bytes, meta: list[_Box], rest: _Rest) -> None:
    kinds = _kinds(octets, _one(meta, b"iinf"))
    for item, extents in _locations(octets, meta):
        kind = kinds.get(item, b"")
        if kind in _DRAWS:
            rest.kept.extend(extents)
        elif kind in (_EXIF, _XMP, _URI):
            blank = _blank(kind, b"".join(octets[start:end] for start, end in extents))
            for start, end in extents:
                rest.anew.append((start, blank[: end - start]))
                blank = blank[end - start :]
        else:
            raise UncleanableError(_UNUSUAL)


def _blank(kind: bytes, content: bytes) -> bytes:
    """Returns content of the same length and kind without any data but the orientation."""
    if kind != _EXIF:
        return b" " * len(content)
    skipped = 4 + int.from_bytes(content[:4], "big")
    turned = exif.orientation(content[skipped:].removeprefix(b"Exif\0\0"))
    blank = bytes(4) + (exif.upright(turned) or exif.SILENT)
    return (blank if len(blank) <= len(content) else b"").ljust(len(content), b"\0")


def _kinds(octets: bytes, box: _Box) -> dict[int, bytes]:
    reader = _Reader(octets, box)
    version = reader.number(4) >> 24
    reader.number(4 if version else 2)
    kinds: dict[int, bytes] = {}
    for entry in _boxes(octets, reader.at, box.end):
        one = _Reader(octets, entry)
        version = one.number(4) >> 24
        if entry.kind != b"infe" or version not in (2, 3):
            raise UncleanableError(_UNUSUAL)
        item = one.number(2 if version == 2 else 4)
        one.number(2)
        kinds[item] = one.number(4).to_bytes(4, "big")
        coding = octets[one.at : entry.end].split(b"\0", 2)[2:]  # the content encoding, after a name and a content type
        if kinds[item] == _XMP and b"".join(coding).strip(b"\0"):
            raise UncleanableError(_UNUSUAL)  # compressed content would be damaged by spaces
    return kinds


def _locations(octets: bytes, meta: list[_Box]) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    reader = _Reader(octets, _one(meta, b"iloc"))
    version = reader.number(4) >> 24
    sizes = reader.number(2)
    offset, length, base, index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    wide = 4 if version == 2 else 2
    left = _MOST_PIECES
    for _ in range(reader.number(wide)):
        item = reader.number(wide)
        method = reader.number(2) & 15 if version else 0
        if reader.number(2) or method > 1 or version > 2:
            raise UncleanableError(_UNUSUAL)  # the data is in another file or in another item
        origin = reader.number(base) + (_one(meta, b"idat").body if method else 0)
        extents: list[tuple[int, int]] = []
        for _ in range(reader.number(2)):
            reader.number(index if version else 0)
            start = origin + reader.number(offset)
            extents.append((start, start + reader.number(length)))
        left -= 1 + len(extents)
        if left < 0:
            raise UncleanableError(_TOO_MANY)
        if any(start == end or end > len(octets) for start, end in extents):
            raise UncleanableError(_DAMAGED)
        yield item, extents
