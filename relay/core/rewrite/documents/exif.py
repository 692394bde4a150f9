"""Reduces EXIF data (TIFF 6.0) to the orientation.

The orientation is kept because programs show a photo without it turned on its side.
"""

import struct
from typing import Final

_ORIENTATION: Final = 0x0112
_SHORT: Final = 3
_MOST_FIELDS: Final = 500
SILENT: Final = struct.pack(">4sLHL", b"MM\0*", 8, 0, 0)  # an empty structure, for files that must have one


def orientation(tiff: bytes) -> int:
    """Returns the orientation, 1 to 8. Returns 1, which means upright, if the orientation cannot be read."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return 1
    at = struct.unpack_from(f"{order}L", tiff, 4)[0]
    if at + 2 > len(tiff):
        return 1
    count = min(struct.unpack_from(f"{order}H", tiff, at)[0], _MOST_FIELDS)
    for start in range(at + 2, min(at + 2 + 12 * count, len(tiff) - 11), 12):
        tag, kind, values, value = struct.unpack_from(f"{order}HHLH", tiff, start)
        if (tag, kind, values) == (_ORIENTATION, _SHORT, 1):
            return value if 1 <= value <= 8 else 1
    return 1


def upright(value: int) -> bytes:
    """Returns a TIFF structure that contains only the orientation `value`, or no octets if `value` is 1 (upright)."""
    if value == 1:
        return b""
    return struct.pack(">4sLHHHLHHL", b"MM\0*", 8, 1, _ORIENTATION, _SHORT, 1, value, 0, 0)
