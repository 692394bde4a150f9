"""Reads compound files (MS-CFB), which contain streams in nested storages, and writes changed streams in place."""

import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from relay.core.rewrite.documents.damage import UncleanableError

SIGNATURE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_DAMAGED: Final = "the file is damaged"
_HIGHEST, _FREE = 0xFFFFFFFA, 0xFFFFFFFF  # the highest sector number; the table entry of a free sector
_NAMED_IN_HEADER: Final = 109  # sectors of the table that the header lists
_MINI_SHIFT: Final = 6
_MINI_BELOW: Final = 4_096
_ENTRY: Final = struct.Struct("<64sHBx3L36xLL4x")
_STORAGE, _STREAM, _ROOT = 1, 2, 5
_MOST_ENTRIES: Final = 20_000


class Stream(NamedTuple):
    first: int
    size: int


class _Entry(NamedTuple):
    name: bytes
    length: int  # of the name with its closing zero
    kind: int
    left: int
    right: int
    child: int
    first: int
    size: int


class Compound:
    """A compound file that is being changed; `octets` is its content.

    All methods raise UncleanableError if the file is damaged or unusual.
    """

    def __init__(self, octets: bytes) -> None:
        self.octets = bytearray(octets)
        self._left = 4 * len(octets)  # the octets that may still be read, because streams may share sectors
        try:
            self._shift, mini_shift, directory, mini_table = struct.unpack_from("<HH14xL8xL", octets, 30)
            if self._shift not in {9, 12} or mini_shift != _MINI_SHIFT:
                raise UncleanableError(_DAMAGED)
            self._own: set[int] = set()
            self._table = self._numbers(self._sectors_of_table())
            self._mini_table = self._numbers(self._follow(mini_table, self._table))
            listed = self._joined(map(self._sector, self._follow(directory, self._table)))
        except struct.error as error:
            raise UncleanableError(_DAMAGED) from error
        self._entries = [_Entry(*_ENTRY.unpack_from(listed, at)) for at in range(0, len(listed) - 127, _ENTRY.size)]
        if not self._entries or self._entries[0].kind != _ROOT or len(self._entries) > _MOST_ENTRIES:
            raise UncleanableError(_DAMAGED)
        self._mini_sectors = list(self._follow(self._entries[0].first, self._table))

    def storages(self) -> Iterator[dict[str, Stream]]:
        """Yields, for each storage, its streams by name.

        The root storage comes first; nested storages follow one after the other.
        """
        seen = set[int]()
        waiting = [self._entries[0].child]
        while waiting:
            streams: dict[str, Stream] = {}
            siblings = [waiting.pop()]
            while siblings:
                number = siblings.pop()
                if number in seen or number >= len(self._entries):
                    continue
                seen.add(number)
                entry = self._entries[number]
                siblings += (entry.left, entry.right)
                if entry.kind == _STREAM:
                    name = entry.name[: max(0, entry.length - 2)].decode("utf-16-le", "replace")
                    streams[name] = Stream(entry.first, entry.size)
                elif entry.kind == _STORAGE:
                    waiting.append(entry.child)
            yield streams

    def read(self, stream: Stream) -> bytearray:
        return self._joined(self._places(stream))

    def write(self, stream: Stream, content: bytearray) -> None:
        """Replaces the content of a stream by `content`, which must have the same length."""
        at = 0
        for start, end in self._places(stream):
            self.octets[start:end] = content[at : at + end - start]
            at += end - start

    def empty_free_sectors(self) -> None:
        """Fills the free sectors with zeros, because content that was deleted remains in them."""
        there = self._table[: (len(self.octets) - 1 >> self._shift)]
        for number, following in enumerate(there):
            if following == _FREE and number not in self._own:
                start, end = self._sector(number)
                self.octets[start:end] = bytes(end - start)

    # ---------------------------------------------------------------- sectors

    def _sector(self, number: int) -> tuple[int, int]:
        return self._place(number + 1 << self._shift, self._shift)

    def _place(self, start: int, shift: int) -> tuple[int, int]:
        """Returns the start and the end of the sector that begins at `start` and has 2 to the power `shift` octets.

        The last sector of a file may be cut off after its last used octet.
        """
        if start >= len(self.octets):
            raise UncleanableError(_DAMAGED)
        return start, min(start + (1 << shift), len(self.octets))

    def _sectors_of_table(self) -> list[int]:
        found = list(struct.unpack_from(f"<{_NAMED_IN_HEADER}L", self.octets, 76))
        (following,) = struct.unpack_from("<L", self.octets, 68)
        each = (1 << self._shift) // 4
        most = (len(self.octets) >> self._shift) // each + _NAMED_IN_HEADER + each
        while following <= _HIGHEST and len(found) <= most:
            self._own.add(following)
            *more, following = struct.unpack_from(f"<{each}L", self.octets, self._sector(following)[0])
            found += more
        self._own.update(found)
        return [number for number in found[:most] if number <= _HIGHEST]

    def _follow(self, number: int, table: tuple[int, ...]) -> Iterator[int]:
        for _ in range(len(table) + 1):
            if number > _HIGHEST:
                return
            if number >= len(table):
                break
            yield number
            number = table[number]
        raise UncleanableError(_DAMAGED)

    def _places(self, stream: Stream) -> Iterator[tuple[int, int]]:
        left = stream.size
        is_mini = left < _MINI_BELOW
        numbers = self._follow(stream.first, self._mini_table if is_mini else self._table) if left else ()
        for number in numbers:
            start, end = self._mini_sector(number) if is_mini else self._sector(number)
            yield start, min(end, start + left)
            left -= end - start
            if left <= 0:
                return

    def _mini_sector(self, number: int) -> tuple[int, int]:
        at = number << _MINI_SHIFT
        if at >> self._shift >= len(self._mini_sectors):
            raise UncleanableError(_DAMAGED)
        start, _ = self._sector(self._mini_sectors[at >> self._shift])
        return self._place(start + (at & (1 << self._shift) - 1), _MINI_SHIFT)

    def _joined(self, places: Iterable[tuple[int, int]]) -> bytearray:
        joined = bytearray()
        for start, end in places:
            joined += self.octets[start:end]
            if len(joined) > self._left:
                raise UncleanableError(_DAMAGED)
        self._left -= len(joined)
        return joined

    def _numbers(self, sectors: Iterable[int]) -> tuple[int, ...]:
        joined = self._joined(map(self._sector, sectors))
        return struct.unpack_from(f"<{len(joined) // 4}L", joined)
