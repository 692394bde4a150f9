"""Reads the members of ZIP files (APPNOTE.TXT 4.3), with limits on everything that a small file can make large.

The directory at the end and the header before each member must agree, and members must not overlap. Otherwise the
content that is judged could differ from the content that is unpacked, because some programs read the directory and some
read the headers.
"""

import struct
import zlib
from collections.abc import Iterable
from typing import Final, NamedTuple

MOST_MEMBERS: Final = 500
MOST_INFLATED_BYTES: Final = 20_000_000
"""The limit for all archives of a message together, including nested archives; inflating 20 MB takes about 50 ms."""
MOST_RATIO: Final = 1_000
_LONGEST_COMMENT: Final = 65_535

_END: Final = struct.Struct("<4s4H2LH")
_ENTRY: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_ENCRYPTED: Final = 0x0001 | 0x0040 | 0x2000
_UTF8: Final = 0x0800
_STORED, _DEFLATED = 0, 8


class UnreadableArchiveError(ValueError):
    """An archive is encrypted, damaged, too big when unpacked, or of an unsupported form."""


class Budget:
    """The number of octets to which the archives of one message may still inflate."""

    def __init__(self) -> None:
        self._left = MOST_INFLATED_BYTES

    def spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise UnreadableArchiveError("too big when unpacked")


class Member(NamedTuple):
    name: str
    size: int
    packed: bytes
    method: int

    def content(self) -> bytes:
        """Returns the unpacked content.

        Raises UnreadableArchiveError if the member is damaged or if its length is not the declared length.
        """
        if self.method == _STORED:
            content = self.packed
        else:
            inflating = zlib.decompressobj(-15)
            try:
                content = inflating.decompress(self.packed, self.size + 1)
            except zlib.error as error:
                raise UnreadableArchiveError("damaged") from error
        if len(content) != self.size:
            raise UnreadableArchiveError("a member is not as long as it says")
        return content


def members(archive: bytes, budget: Budget) -> list[Member]:
    """Returns all files of the archive, without directories, and takes their unpacked sizes from `budget`.

    Raises UnreadableArchiveError if the archive cannot be read or exceeds a limit.
    """
    count, at = _directory(archive)
    found = []
    spans = []
    for _ in range(count):
        if len(archive) < at + _ENTRY.size or archive[at : at + 4] != b"PK\x01\x02":
            raise UnreadableArchiveError("damaged")
        _, _, _, flags, method, _, _, _, packed, size, named, extra, comment, _, _, _, start = _ENTRY.unpack_from(
            archive, at
        )
        raw_name = archive[at + _ENTRY.size : at + _ENTRY.size + named]
        at += _ENTRY.size + named + extra + comment
        budget.spend(size)
        if flags & _ENCRYPTED or method not in (_STORED, _DEFLATED):
            raise UnreadableArchiveError("encrypted, or packed in an unknown way")
        if size > MOST_RATIO * max(packed, 1_024):
            raise UnreadableArchiveError("too big when unpacked")
        data = _data_start(archive, start, raw_name, method)
        spans.append((start, data + packed))
        if not raw_name.endswith(b"/"):
            found.append(Member(_name(raw_name, flags), size, archive[data : data + packed], method))
    _refuse_overlap(spans, len(archive))
    return found


def _directory(archive: bytes) -> tuple[int, int]:
    end = archive.rfind(b"PK\x05\x06", max(0, len(archive) - _LONGEST_COMMENT - _END.size))
    if end < 0 or len(archive) < end + _END.size:
        raise UnreadableArchiveError("damaged")
    _, disk, _, here, count, size, offset, _ = _END.unpack_from(archive, end)
    if disk or here != count or count > MOST_MEMBERS or offset + size != end:
        raise UnreadableArchiveError("in several pieces, too many members, or damaged")
    return count, offset


def _data_start(archive: bytes, start: int, name: bytes, method: int) -> int:
    if len(archive) < start + _LOCAL.size:
        raise UnreadableArchiveError("damaged")
    mark, _, flags, local_method, _, _, _, _, _, named, extra = _LOCAL.unpack_from(archive, start)
    after = start + _LOCAL.size
    if mark != b"PK\x03\x04" or flags & _ENCRYPTED or local_method != method or archive[after : after + named] != name:
        raise UnreadableArchiveError("the directory says other than the files")
    return int(after + named + extra)


def _refuse_overlap(spans: list[tuple[int, int]], length: int) -> None:
    done = 0
    for start, end in sorted(spans):
        if start < done or end > length:
            raise UnreadableArchiveError("members overlap")
        done = end


def _name(raw: bytes, flags: int) -> str:
    for codec in ("utf-8",) if flags & _UTF8 else ("utf-8", "cp932", "cp437"):
        try:
            return raw.decode(codec)
        except UnicodeDecodeError:
            continue
    return raw.decode("utf-8", "replace")


def office_type(names: Iterable[str]) -> str:
    """Returns the type of a ZIP archive, judged by the names of its members.

    The type is "docx", "xlsx" or "pptx" for an Office document, "macros" for an Office document that contains programs,
    and "zip" for any other archive.
    """
    low = [name.lower() for name in names]
    if "[content_types].xml" not in low:
        return "zip"
    if any(name.endswith(("vbaproject.bin", "vbadata.xml")) for name in low):
        return "macros"
    kinds = {"word/": "docx", "xl/": "xlsx", "ppt/": "pptx"}
    return next((kind for folder, kind in kinds.items() if any(name.startswith(folder) for name in low)), "zip")
