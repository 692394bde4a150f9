"""Cleans Word, Excel and PowerPoint files (ECMA-376): empties their author fields and cleans their pictures.

Data that links a file to other files of the same person is removed too. All other members keep their compressed octets.
The archive is written again with its members in the same order, so that no octets between the members remain.
"""

import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from io import BytesIO
from typing import Final

from relay.core.rewrite.documents import images
from relay.core.rewrite.documents.damage import UncleanableError

_SIGNATURE: Final = b"PK\x03\x04"
_MOST_MEMBERS: Final = 5_000
_MOST_PIECES: Final = 200_000
_MOST_BYTES: Final = 20_000_000  # the uncompressed size of all opened members

_LOCAL: Final = struct.Struct("<4s5H3L2H")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_END: Final = struct.Struct("<4s4H2LH")
_STREAMED, _ENCRYPTED = 0x0008, 0x0001
_DAMAGED: Final = "the file is damaged"
_OF_DAMAGE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
)
_Rule = Callable[[bytes], bytes]
_AUTHOR: Final = b"Author"  # the name that Word itself writes in place of a removed name
_QUOTED_AUTHOR: Final = b'"' + _AUTHOR + b'"'


# The inside of a tag up to a place. The group is atomic, because backtracking would take quadratic time.
_INSIDE: Final = re.compile(rb"<?(?>(?:[^<>\"']++|\"[^\"]*+\"|'[^']*+')*)")
_PREFIX: Final = rb"(?:[A-Za-z0-9]+:)?"


def _element(names: bytes, new: bytes = b"") -> _Rule:
    pattern = re.compile(rb"(<" + _PREFIX + rb"(?:" + names + rb")(?:[ \t\r\n][^<>]*)?(?<!/)>)[^<]+(?=</)")
    return partial(pattern.sub, rb"\1" + new)


def _attribute(names: bytes) -> _Rule:
    """Returns a rule that replaces the values of the attributes `names` (a pattern) by "Author".

    The rule changes attributes inside tags only, because ordinary text may contain `author="me"` too.
    """
    pattern = re.compile(rb"(\s" + _PREFIX + rb"(?:" + names + rb")\s*=\s*)(?:\"[^\"<]+\"|'[^'<]+')")

    def named_anew(content: bytes) -> bytes:
        pieces: list[bytes] = []
        done, inside = 0, False
        for found in pattern.finditer(content):
            tag = content.rfind(b"<", done, found.start())
            inside = (inside or tag >= 0) and bool(_INSIDE.fullmatch(content, max(tag, done), found.start()))
            pieces += (content[done : found.end(1)], _QUOTED_AUTHOR if inside else content[found.end(1) : found.end()])
            done = found.end()
            if len(pieces) > _MOST_PIECES:
                raise UncleanableError("the file has too many authors")
        return b"".join((*pieces, content[done:]))

    return named_anew


def _gone(pattern: bytes, new: bytes = b"") -> _Rule:
    return partial(re.compile(pattern).sub, new)


# Office writes `_AuthorEmail` and the name if a file was once sent for review.
_PERSONS: Final = (
    rb"(<property\b[^<>]{0,400}\bname=\"(?:_Author[^\"<>]*|Checked by|Editor|Owner|Recorded by|Typist)\"[^<>]{0,400}>"
    rb"[ \t\r\n]{0,80}<vt:[a-z]{1,20}>)[^<]+"
)
# Notes of templates and programs, and numbers that link files which were edited together or copied from each other.
_VARIABLES: Final = rb"<" + _PREFIX + rb"(?:docVar|rsid|rsidRoot|docId)[ \t\r\n][^<>]*(?:/>|(?<!/)></[^<>]*>)"
_SITTINGS: Final = rb"[ \t\r\n]" + _PREFIX + rb"rsid[A-Za-z]{0,8}=\"[0-9A-Fa-f]{8}\""
# The path of a template or of a linked file in a home directory.
_FOLDERS: Final = rb"([ \t\r\n]Target=[\"'])file:[^\"'<>]*[/\\]"
_PICTURE: Final = re.compile(r"(?:word|xl|ppt)/media/[^/]+|docProps/thumbnail\.[A-Za-z]+")
_NAMES: Final = _attribute(rb"author|initials|name|displayName|userId|providerId")
_RULES: Final[tuple[tuple[re.Pattern[str], _Rule], ...]] = (
    (re.compile(r"docProps/core\.xml"), _element(rb"creator|lastModifiedBy")),
    (re.compile(r"docProps/app\.xml"), _element(rb"Company|Manager")),
    (re.compile(r"docProps/custom\.xml"), _gone(_PERSONS, rb"\1")),
    (re.compile(r"word/[^/]+\.xml"), _attribute(rb"author|initials")),
    (re.compile(r"word/[^/]+\.xml"), _gone(_VARIABLES)),
    (re.compile(r"word/[^/]+\.xml"), _gone(_SITTINGS)),
    (re.compile(r"word/people\.xml"), _NAMES),
    (re.compile(r"xl/comments[^/]*\.xml|xl/comments/[^/]+\.xml"), _element(rb"author", _AUTHOR)),
    (re.compile(r"xl/persons/[^/]+\.xml|ppt/commentAuthors\.xml|ppt/authors\.xml"), _NAMES),
    (re.compile(r"xl/workbook\.xml|xl/revisions/[^/]+\.xml"), _attribute(rb"userName")),
    (
        re.compile(r"xl/workbook\.xml"),
        _gone(rb"(<" + _PREFIX + rb"absPath[ \t\r\n][^<>]*\burl=)\"[^\"<>]*\"", rb'\1""'),
    ),
    (re.compile(r"(?:[^/]+/)*_rels/[^/]*\.rels"), _gone(_FOLDERS, rb"\1file:///")),
)


def is_ooxml(octets: bytes) -> bool:
    return octets.startswith(_SIGNATURE) and b"[Content_Types].xml" in octets


def clean(octets: bytes) -> bytes:
    """Returns the cleaned file. Raises UncleanableError if the file is damaged, encrypted or too big."""
    try:
        with zipfile.ZipFile(BytesIO(octets)) as archive:
            members = archive.infolist()
            if len(members) > _MOST_MEMBERS:
                raise UncleanableError("the file has too many members")
            if any(member.flag_bits & _ENCRYPTED for member in members):
                raise UncleanableError("the file is encrypted")
            changed = _changed(archive, members)
        return _written(octets, members, changed) if changed else octets
    except _OF_DAMAGE as error:
        if isinstance(error, UncleanableError):
            raise
        raise UncleanableError(_DAMAGED) from error


def _changed(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> dict[str, bytes]:
    changed: dict[str, bytes] = {}
    left = _MOST_BYTES
    for member in members:
        rules = [rule for names, rule in _RULES if names.fullmatch(member.filename)]
        is_picture = bool(_PICTURE.fullmatch(member.filename)) and member.file_size <= left
        if not rules and not is_picture:
            continue
        left -= member.file_size
        if left < 0:
            raise UncleanableError("the file is too big when unpacked")
        with archive.open(member) as opened:
            old = content = opened.read(member.file_size)
        if rules and content[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise UncleanableError("the file is written in an unusual way")
        for rule in rules:
            content = rule(content)
        if is_picture:
            content = _cleaned(content)
        if content != old:
            changed[member.filename] = content
    return changed


def _cleaned(picture: bytes) -> bytes:
    """Returns the picture cleaned like an attachment, or unchanged if it cannot be cleaned."""
    cleaner = images.cleaner(picture)
    if cleaner:
        with suppress(UncleanableError):
            return cleaner(picture)
    return picture


def _written(octets: bytes, members: list[zipfile.ZipInfo], changed: dict[str, bytes]) -> bytes:
    """Returns the archive written again with the changed members.

    The names and times of all members stay, and also the compressed octets of unchanged members.
    """
    if sum(member.compress_size for member in members) > len(octets):
        raise UncleanableError(_DAMAGED)  # members may overlap, so their sizes together are not bounded
    files: list[bytes] = []
    directory: list[bytes] = []
    at = 0
    for member in members:
        packed, crc, size = _packed(octets, member), member.CRC, member.file_size
        if member.filename in changed:
            new = changed[member.filename]
            packed, crc, size = _compressed(new, member), zlib.crc32(new), len(new)
        name = member.orig_filename.encode("utf-8" if member.flag_bits & 0x0800 else "cp437")
        year, month, day, hour, minute, second = member.date_time
        when = (hour << 11 | minute << 5 | second // 2, max(0, year - 1980) << 9 | month << 5 | day)
        shape = (member.flag_bits & ~_STREAMED, member.compress_type, *when, crc, len(packed), size, len(name))
        files += (_LOCAL.pack(_SIGNATURE, 20, *shape, 0), name, packed)
        head = _CENTRAL.pack(b"PK\x01\x02", 20, 20, *shape, 0, 0, 0, member.internal_attr, member.external_attr, at)
        directory += (head, name)
        at += _LOCAL.size + len(name) + len(packed)
    entries = b"".join(directory)
    end = _END.pack(b"PK\x05\x06", 0, 0, len(members), len(members), len(entries), at, 0)
    return b"".join((*files, entries, end))


def _packed(octets: bytes, member: zipfile.ZipInfo) -> bytes:
    *_, named, extra = _LOCAL.unpack_from(octets, member.header_offset)
    start = member.header_offset + _LOCAL.size + named + extra
    if start + member.compress_size > len(octets):
        raise UncleanableError(_DAMAGED)
    return octets[start : start + member.compress_size]


def _compressed(content: bytes, member: zipfile.ZipInfo) -> bytes:
    if member.compress_type == zipfile.ZIP_STORED:
        return content
    packing = zlib.compressobj(wbits=-15)
    return packing.compress(content) + packing.flush()
