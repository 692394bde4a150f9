"""Searches text that is encoded inside another text and that mail programs decode when they show it.

Examples are uuencoded files (POSIX), `data:` URLs (RFC 2397), and encoded words (RFC 2047) in header lines that were
pasted or forwarded as text.
"""

import binascii
import re
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import unquote_to_bytes

from relay.core.mail import body_kind, encodings, readings, words
from relay.core.mail.edits import apply_edits
from relay.core.rewrite.scrub import search
from relay.core.rewrite.scrub.find import HiddenValues
from relay.core.rewrite.scrub.occurrence import Occurrence

_UUENCODED: Final = re.compile(
    r"^(begin(-base64)? [0-7]{3,4} )([^\r\n]*+)(\r?\n)((?>(?:(?!end\r?$|====)[^\r\n]*+\r?\n)*))", re.MULTILINE
)
_DATA_URL: Final = re.compile(r";\s{0,9}base64\s{0,9},([A-Za-z0-9+/=%\s_-]{8,})", re.IGNORECASE)
_Encode = Callable[[bytes], str]
_WORDS: Final = re.compile(
    r"=\?[^?\s]{1,80}\?[BbQq]\?[^?\r\n]*+\?=(?:[ \t\r\n]+=\?[^?\s]{1,80}\?[BbQq]\?[^?\r\n]*+\?=)*"
)


def occurrences(text: str, secrets: HiddenValues) -> Iterator[Occurrence]:
    if "begin" in text:
        for match in _UUENCODED.finditer(text):
            yield from _file(match, secrets)
    if "64" in text and ";" in text:
        for match in _DATA_URL.finditer(text):
            octets = encodings.decode_base64(unquote_to_bytes(match[1]))
            yield from _changed(match.start(1), match.end(), octets, _base64, secrets)
    if "=?" in text:
        for match in _WORDS.finditer(text):
            value = words.decode(match[0].encode("utf-8", "replace"))
            hits = search.occurrences(value, secrets, readings.PLAIN)
            if hits:
                yield Occurrence(
                    match.start(), match.end(), words.encode(apply_edits(value, hits)).decode(), hits[0].kind
                )


def _file(match: re.Match[str], secrets: HiddenValues) -> Iterator[Occurrence]:
    name = secrets.find(match[3], whole=False, label=True)
    for hit in name:
        yield Occurrence(match.start(3) + hit.start, match.start(3) + hit.end, hit.replacement, hit.kind)
    lines = match[5].encode("ascii", "replace").splitlines()
    octets = encodings.decode_base64(b"".join(lines)) if match[2] else b"".join(map(_line, lines))
    yield from _changed(match.start(5), match.end(5), octets, _base64_lines if match[2] else _uuencoded, secrets)


def _line(line: bytes) -> bytes:
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        # Servers remove trailing spaces, and some programs write a wrong length for the last line.
        width = ((line[0] - 32 & 63) * 4 + 5) // 3 if line else 0
        try:
            return binascii.a2b_uu(line[:width]) if line else b""
        except binascii.Error:
            return b""


def _changed(start: int, end: int, octets: bytes, encode: _Encode, secrets: HiddenValues) -> Iterator[Occurrence]:
    if not body_kind.looks_like_text(octets[:512]):
        return
    codec = encodings.codec_of("", octets)
    text = encodings.decode_text(octets, codec)
    hits = search.occurrences(text, secrets, readings.HTML)
    if hits:
        yield Occurrence(start, end, encode(apply_edits(text, hits).encode(codec, "replace")), hits[0].kind)


def _base64(octets: bytes) -> str:
    return binascii.b2a_base64(octets, newline=False).decode("ascii")


def _base64_lines(octets: bytes) -> str:
    return encodings.encode_base64(octets).decode("ascii") + "\r\n"


def _uuencoded(octets: bytes) -> str:
    lines = (binascii.b2a_uu(octets[at : at + 45], backtick=True) for at in range(0, len(octets), 45))
    return "".join(line.decode("ascii").replace("\n", "\r\n") for line in (*lines, b"`\n"))
