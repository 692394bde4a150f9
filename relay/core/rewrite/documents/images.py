"""Cleans pictures: segments of JPEG, chunks of PNG and WebP, blocks of GIF.

TIFF and HEIF files refer to their data by offset and have modules of their own. For each format a list names the pieces
that draw the picture, and only these pieces are kept. Data after the end of a picture is removed too, because phones
store films and thumbnails there.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Final

from relay.core.rewrite.documents import exif, heif, tiff
from relay.core.rewrite.documents.damage import UncleanableError

Cleaner = Callable[[bytes], bytes]

_DAMAGED: Final = "the picture is damaged"
_TOO_MANY: Final = "the picture has too many pieces"
_MOST_PIECES: Final = 50_000  # of segments, chunks or blocks; an animated GIF has some thousands
_MOST_SUB_BLOCKS: Final = 1_000_000


def cleaner(octets: bytes) -> Cleaner | None:
    """Returns the function that cleans the picture, or None for other files.

    The signature at the beginning of the file decides, never its name.
    """
    if octets.startswith(b"\xff\xd8\xff"):
        return jpeg
    if octets.startswith(_PNG):
        return png
    if octets.startswith((b"GIF87a", b"GIF89a")):
        return gif
    if octets.startswith(b"RIFF") and octets[8:12] == b"WEBP":
        return webp
    if octets.startswith(tiff.SIGNATURES):
        return tiff.clean
    if octets[4:8] == heif.SIGNATURE:
        return heif.clean
    return None


# ---------------------------------------------------------------- JPEG (ITU-T T.81 Annex B)

_SOI, _EOI, _SOS, _COM, _APP0, _APP1, _APP2, _APP14, _APP15 = 0xD8, 0xD9, 0xDA, 0xFE, 0xE0, 0xE1, 0xE2, 0xEE, 0xEF
_MARKER: Final = re.compile(rb"\xff++[^\x00\xd0-\xd7]")
_NEXT_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # used in a search, where `++` would be quadratic
_EXIF: Final = b"Exif\0\0"


def jpeg(octets: bytes) -> bytes:
    """Returns the cleaned picture. Like all cleaning functions here, raises UncleanableError for a damaged picture."""
    kept = [octets[:2]]
    turned = 1
    place = 1
    at = 2
    for _ in range(_MOST_PIECES):
        match = _MARKER.match(octets, at)
        if match is None:
            raise UncleanableError(_DAMAGED)
        kind = octets[match.end() - 1]
        if kind == _EOI:
            kept.append(b"\xff\xd9")
            break
        end = match.end() + int.from_bytes(octets[match.end() : match.end() + 2], "big")
        if end < match.end() + 2 or end > len(octets):
            raise UncleanableError(_DAMAGED)
        data = octets[match.end() + 2 : end]
        if kind == _APP1 and data.startswith(_EXIF):
            turned = exif.orientation(data[len(_EXIF) :]) if turned == 1 else turned
        if _draws(kind, data):
            kept.append(octets[at:end])
            place = len(kept) if kind == _APP0 else place  # JFIF must be the first segment
        at = end
        if kind == _SOS:
            after = _NEXT_MARKER.search(octets, at)
            if after is None:  # cut off, but programs still show it
                kept.append(octets[at:])
                break
            kept.append(octets[at : after.start()])
            at = after.start()
    else:
        raise UncleanableError(_TOO_MANY)
    tiff = exif.upright(turned)
    if tiff:
        kept.insert(place, struct.pack(">BBH", 0xFF, _APP1, len(_EXIF) + len(tiff) + 2) + _EXIF + tiff)
    return b"".join(kept)


def _draws(kind: int, data: bytes) -> bool:
    if kind == _APP0:
        return data.startswith(b"JFIF\0")
    if kind == _APP2:
        return data.startswith(b"ICC_PROFILE\0")
    return kind == _APP14 or not (_APP0 <= kind <= _APP15 or kind == _COM)


# ---------------------------------------------------------------- PNG (ISO/IEC 15948)

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_PNG_DRAWS: Final = frozenset(
    b"tRNS cHRM gAMA iCCP sBIT sRGB cICP mDCV cLLI bKGD hIST pHYs sPLT acTL fcTL fdAT".split()
)
_ANCILLARY: Final = 0x20


def png(octets: bytes) -> bytes:
    kept = [_PNG]
    at = len(_PNG)
    for _ in range(_MOST_PIECES):
        length, kind = struct.unpack_from(">L4s", octets, at) if at + 12 <= len(octets) else (len(octets), b"")
        end = at + 12 + length
        if end > len(octets):
            raise UncleanableError(_DAMAGED)
        if kind == b"eXIf":
            tiff = exif.upright(exif.orientation(octets[at + 8 : end - 4]))
            kept.append(_chunk(b"eXIf", tiff) if tiff else b"")
        elif not kind[0] & _ANCILLARY or kind in _PNG_DRAWS:
            kept.append(octets[at:end])
        if kind == b"IEND":
            return b"".join(kept)
        at = end
    raise UncleanableError(_TOO_MANY)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">L4s", len(data), kind) + data + struct.pack(">L", zlib.crc32(kind + data))


# ---------------------------------------------------------------- GIF (version 89a)

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_COMMENT, _APPLICATION = 0xFE, 0xFF
_GIF_DRAWS: Final = (b"NETSCAPE2.0", b"ANIMEXTS1.0", b"ICCRGBG1012")


def gif(octets: bytes) -> bytes:
    if len(octets) < 13:
        raise UncleanableError(_DAMAGED)
    at = 13 + _colours(octets[10])
    kept = [octets[:at]]
    for _ in range(_MOST_PIECES):
        kind = octets[at] if at < len(octets) else None
        if kind == _TRAILER:
            kept.append(octets[at : at + 1])
            return b"".join(kept)
        if kind == _EXTENSION and at + 2 < len(octets):
            end = _blocks_end(octets, at + 2)
            label, name = octets[at + 1], octets[at + 3 : at + 14]
            if label != _COMMENT and (label != _APPLICATION or name in _GIF_DRAWS):
                kept.append(octets[at:end])
        elif kind == _IMAGE and at + 9 < len(octets):
            end = _blocks_end(octets, at + 11 + _colours(octets[at + 9]))
            kept.append(octets[at:end])
        else:
            raise UncleanableError(_DAMAGED)
        at = end
    raise UncleanableError(_TOO_MANY)


def _colours(packed: int) -> int:
    return 3 << (packed & 7) + 1 if packed & 0x80 else 0


def _blocks_end(octets: bytes, at: int) -> int:
    for _ in range(_MOST_SUB_BLOCKS):
        if at >= len(octets):
            raise UncleanableError(_DAMAGED)
        if not octets[at]:
            return at + 1
        at += octets[at] + 1
    raise UncleanableError(_TOO_MANY)


# ---------------------------------------------------------------- WebP (RFC 9649)

_WEBP_DRAWS: Final = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"})
_HAS_EXIF, _HAS_XMP = 0x08, 0x04


def webp(octets: bytes) -> bytes:
    kept: list[bytes] = []
    tiff = b""
    for kind, chunk in _riff(octets):
        if kind == b"EXIF":
            tiff = exif.upright(exif.orientation(chunk[8:].removeprefix(_EXIF)))
        elif kind in _WEBP_DRAWS:
            kept.append(chunk)
    if kept and kept[0].startswith(b"VP8X") and len(kept[0]) > 8:
        flags = kept[0][8] & ~(_HAS_EXIF | _HAS_XMP) | (_HAS_EXIF if tiff else 0)
        kept[0] = kept[0][:8] + bytes([flags]) + kept[0][9:]
        if tiff:
            kept.append(struct.pack("<4sL", b"EXIF", len(tiff)) + tiff)
    body = b"WEBP" + b"".join(kept)
    return struct.pack("<4sL", b"RIFF", len(body)) + body


def _riff(octets: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yields the type and the octets of each chunk; the octets include the head and the padding."""
    at = 12
    stop = 8 + int.from_bytes(octets[4:8], "little")
    if stop > len(octets):
        raise UncleanableError(_DAMAGED)
    for _ in range(_MOST_PIECES):
        if at == stop:
            return
        if at + 8 > stop:
            raise UncleanableError(_DAMAGED)
        kind, length = struct.unpack_from("<4sL", octets, at)
        end = at + 8 + length + length % 2
        if end > stop:
            raise UncleanableError(_DAMAGED)
        yield kind, octets[at:end]
        at = end
    raise UncleanableError(_TOO_MANY)
