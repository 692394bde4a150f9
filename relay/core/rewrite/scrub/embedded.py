"""Searches text that is encoded inside another text and that mail programs decode when they show it.

Examples are uuencoded files (POSIX), `data:` URLs (RFC 2397), and encoded words (RFC 2047) in header lines that were
pasted or forwarded as text.
"""

import binascii
import re
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import unquote_to_bytes

from relay.core.mail import body_kind, encodings, readings, uuencoded, words
from relay.core.mail.edits import apply_edits
from relay.core.mail.uuencoded import UuFile
from relay.core.rewrite.scrub import search
from relay.core.rewrite.scrub.find import HiddenValues
from relay.core.rewrite.scrub.occurrence import Occurrence

_DATA_URL: Final = re.compile(r";\s{0,9}base64\s{0,9},([A-Za-z0-9+/=%\s_-]{8,})", re.IGNORECASE)
_Encode = Callable[[bytes], str]
_WORDS: Final = re.compile(
    r"=\?[^?\s]{1,80}\?[BbQq]\?[^?\r\n]*+\?=(?:[ \t\r\n]+=\?[^?\s]{1,80}\?[BbQq]\?[^?\r\n]*+\?=)*"
)


def occurrences(text: str, secrets: HiddenValues) -> Iterator[Occurrence]:
    for file in uuencoded.files(text):
        yield from _file(file, secrets)
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


def _file(found: UuFile, secrets: HiddenValues) -> Iterator[Occurrence]:
    for hit in secrets.find(found.name, whole=False, label=True):
        yield Occurrence(found.name_start + hit.start, found.name_start + hit.end, hit.replacement, hit.kind)
    encode = _base64_lines if found.is_base64 else _uuencoded
    yield from _changed(found.data_start, found.end, found.octets, encode, secrets)


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
