"""Transfer encodings and charsets of text parts: what a client would read, and how to change a piece of it in place.

Decoding is lenient in the ways mail programs are. A change is given as cuts in the decoded octets and comes back as
cuts in the raw body: exactly the region in quoted-printable and unencoded text, the whole body in base64.
"""

import binascii
import codecs
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from relay.core.mail import charsets

_QP_PIECE: Final = re.compile(r"=(?:([0-9A-Fa-f]{2})|[ \t]*\r?\n)")
_QP_PADDED_BREAK: Final = re.compile(rb"=[ \t]+(?=\r?\n)")
_CRLF: Final = b"\r\n"
_QP_LINE: Final = 76  # RFC 2045 §6.7 (5)
_BASE64_NOISE: Final = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
_ESCAPE: Final = re.compile(rb"\x1b[\x20-\x2f]*[\x30-\x7e]")
_ASCII_ESCAPE: Final = b"\x1b(B"


@dataclass(frozen=True, slots=True)
class Cut:
    """Replace `[start:end]` by `replacement`."""

    start: int
    end: int
    replacement: bytes


@dataclass(slots=True)
class Origin:
    """Where the characters of a view come from: pieces of a source that read as something else, or as nothing, the
    rest being the same on both sides. Pieces are added in order."""

    _view: list[int] = field(default_factory=list)
    _source: list[int] = field(default_factory=list)

    def add(self, start: int, end: int, *, width: int) -> None:
        """`source[start:end]` reads as `width` characters, which all come from the whole of it."""
        at = start if not self._view else self._view[-1] + start - self._source[-1]
        self._view += (at, at + width)
        self._source += (start, end)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """A span of the view, at least one character long -> the span of the source that reads so."""
        return self._piece(start)[0], self._piece(end - 1)[1]

    def _piece(self, at: int) -> tuple[int, int]:
        before = bisect_right(self._view, at) - 1
        if before < 0:
            return at, at + 1
        if before % 2 == 0:  # inside a piece: entries come in pairs, its start and its end
            return self._source[before], self._source[before + 1]
        source = self._source[before] + at - self._view[before]
        return source, source + 1


def origin_of(pattern: re.Pattern[str], value: Callable[[re.Match[str]], str], text: str) -> Origin:
    """The origin of `pattern.sub(value, text)`, where `value` gives what the match reads as."""
    origin = Origin()
    for match in pattern.finditer(text):
        new = value(match)
        if new != match[0]:
            origin.add(match.start(), match.end(), width=len(new))
    return origin


# ---------------------------------------------------------------- transfer encodings (RFC 2045 §6)


def decode(raw: bytes, encoding: str) -> bytes:
    """The octets of a body; an unknown encoding is the identity, as an unencoded body would be shown."""
    if encoding == "quoted-printable":
        if b"= " in raw or b"=\t" in raw:
            raw = _QP_PADDED_BREAK.sub(b"=", raw)
        return binascii.a2b_qp(raw)
    if encoding == "base64":
        return decode_base64(raw)
    return raw


def decode_base64(raw: bytes) -> bytes:
    """Every client skips noise; some stop at padding and some go on, so what follows padding is read too."""
    if b"=" not in raw.rstrip(b"=\r\n"):
        with suppress(binascii.Error):
            return binascii.a2b_base64(raw)
    return b"".join(_decode_base64_run(run) for run in raw.split(b"="))


def _decode_base64_run(run: bytes) -> bytes:
    digits = run.translate(None, _BASE64_NOISE)
    if len(digits) % 4 == 1:
        digits = digits[:-1]
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


def cut_raw(raw: bytes, encoding: str, cuts: Sequence[Cut]) -> list[Cut]:
    """Cuts of the decoded octets, sorted, as cuts of the raw body."""
    if encoding == "quoted-printable":
        return list(_cut_quoted_printable(raw, cuts))
    if encoding == "base64":
        last = b"\r\n" if raw.endswith(b"\r\n") else b""
        return [Cut(0, len(raw), encode_base64(apply(decode_base64(raw), cuts)) + last)]
    return list(cuts)


def apply(data: bytes, cuts: Sequence[Cut]) -> bytes:
    pieces: list[bytes] = []
    at = 0
    for cut in cuts:
        pieces += (data[at : cut.start], cut.replacement)
        at = cut.end
    return b"".join((*pieces, data[at:]))


def encode_base64(octets: bytes) -> bytes:
    lines = (octets[at : at + 57] for at in range(0, len(octets), 57))
    return b"\r\n".join(binascii.b2a_base64(line, newline=False) for line in lines)


def _cut_quoted_printable(raw: bytes, cuts: Sequence[Cut]) -> Iterator[Cut]:
    """Each region alone is replaced; soft breaks keep the line within its limit."""
    origin = origin_of(_QP_PIECE, lambda piece: chr(int(piece[1], 16)) if piece[1] else "", raw.decode("latin-1"))
    spans = [origin.span(cut.start, cut.end) for cut in cuts]
    column, done = 0, 0
    for at, (cut, (start, end)) in enumerate(zip(cuts, spans, strict=True)):
        line_start = raw.rfind(b"\n", done, start) + 1
        column = start - line_start if line_start else column + start - done
        limit = min(len(raw), end + _QP_LINE)
        line_end = raw.find(b"\r\n", end, limit)
        rest = (line_end if line_end >= 0 else limit) - end
        if at + 1 < len(spans):
            rest = min(rest, spans[at + 1][0] - end)
        replacement, column = _fit(_quote(cut.replacement), column, rest)
        yield Cut(start, end, replacement)
        done = end


_ATOM: Final = re.compile(rb"\r\n|.", re.DOTALL)
_AS_IS: Final = re.compile(rb"[!-<>-~]|\r\n")


def _quote(octets: bytes) -> list[bytes]:
    return [atom if _AS_IS.match(atom) else b"=%02X" % atom[0] for atom in _ATOM.findall(octets)]


def _fit(atoms: Sequence[bytes], column: int, rest: int) -> tuple[bytes, int]:
    """The atoms with soft breaks where the line would grow too long, and the column after them. `rest` is what
    follows on the same line."""
    length = sum(map(len, atoms))
    out = bytearray()
    if column and column + length + rest >= _QP_LINE:
        out += b"=\r\n"
        column = 0
    for atom in atoms:
        if column + len(atom) >= _QP_LINE and atom != _CRLF:
            out += b"=\r\n"
            column = 0
        out += atom
        column = 0 if atom == _CRLF else column + len(atom)
    if column and rest and column + rest >= _QP_LINE:
        out += b"=\r\n"
        column = 0
    return bytes(out), column


# ---------------------------------------------------------------- charsets


def codec_of(charset: str, octets: bytes) -> str:
    """Python's name of the codec to read `octets` with; an unknown charset is read byte by byte ("latin_1")."""
    codec = charsets.codec_of(charset) or "latin_1" if charset else "utf_8"
    if b"\0" in octets and not codec.startswith("utf_16"):
        if is_utf_16(octets):
            codec = "utf_16"
        elif not codec.startswith("utf_32") and is_utf_32(octets):
            codec = "utf_32"
    elif b"\x1b$" in octets and codec in {"latin_1", "utf_8"}:
        codec = "iso2022_jp_ext"  # sent bare, as old Japanese programs do
    if codec in ("utf_16", "utf_32"):
        return f"{codec}_{_byte_order(octets)}"
    if octets[:2] == b"\xff\xfe":
        return codec if codec == "utf_32_le" else "utf_16_le"
    return "utf_16_be" if octets[:2] == b"\xfe\xff" else codec


def is_utf_16(octets: bytes) -> bool:
    """By the zero octets that all ASCII has in every other place."""
    low, high = octets[:512:2].count(0), octets[1:512:2].count(0)
    return (low == 0) != (high == 0) and max(low, high) * 16 >= min(len(octets), 512)


def is_utf_32(octets: bytes) -> bool:
    """By the zero octets that half of every character is, the first ones or the last."""
    first, second, third, last = (octets[at:512:4] for at in range(4))
    if 0 not in first:
        return bool(third) and not (any(third) or any(last))
    return 0 not in last and bool(last) and not (any(first) or any(second))


def _byte_order(octets: bytes) -> str:
    """By the mark, which the codec then reads as a character; without one by the zero octets, for text is mostly ASCII
    (RFC 2781 §4.3 says big, mail programs write little)."""
    if octets[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "le" if octets[0] == 0xFF else "be"
    return "le" if octets[1::2].count(0) > octets[::2].count(0) else "be"


def decode_text(octets: bytes, codec: str) -> str:
    return octets.decode(codec, "replace")


def octet_spans(octets: bytes, codec: str, text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans of `text`, which is `octets` decoded, as spans of the octets. Sorted, without overlap; of broken ISO-2022 a
    guess, to be checked by decoding what was made of it."""
    if len(text) == len(octets):  # no character is wider than an octet
        return list(spans)
    measured = _measured(octets, codec, text, spans)
    if measured is not None:
        return measured
    origin = _character_origin(octets, codec)
    return [origin.span(start, end) for start, end in spans]


def _measured(octets: bytes, codec: str, text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]] | None:
    """By the length of the text encoded again: quick, and None unless exactly the span's characters stand there."""
    found = []
    at = done = 0
    try:
        for start, end in spans:
            at += len(text[done:start].encode(codec))
            piece = text[start:end].encode(codec)
            if not octets.startswith(piece, at):
                return None
            found.append((at, at + len(piece)))
            at, done = at + len(piece), end
    except UnicodeEncodeError:
        return None
    return found


def _character_origin(octets: bytes, codec: str) -> Origin:
    """Feeds the incremental decoder octet by octet and looks at what it keeps back."""
    origin = Origin()
    decoder = codecs.getincrementaldecoder(codec)("replace")
    escapes = {m.start(): m.end() for m in _ESCAPE.finditer(octets)} if codec.startswith("iso2022") else {}
    at = start = 0
    while at < len(octets):
        end = escapes.get(at, at + 1)
        try:
            emitted = len(decoder.decode(octets[at:end], final=end == len(octets)))
        except UnicodeError:  # it would keep back more than it has room for; a guess, which whoever asks must check
            decoder.reset()
            emitted = 1
        is_escape = end - at > 1
        at = end
        if not emitted and not is_escape:
            continue
        read = end - len(decoder.getstate()[0])
        if read - start != emitted:
            # Several at once: something that could not be read, then octets that are characters of their own.
            origin.add(start, max(start, read - max(emitted - 1, 0)), width=min(emitted, 1))
        start = read
    return origin


def encode_cuts(octets: bytes, codec: str, pieces: Iterable[tuple[int, int, str]]) -> list[Cut]:
    """Cuts (start, end, replacement) whose replacements are encoded as the octets around them are; a text ends in ASCII
    (RFC 1468), even where its writer has left that out."""
    if not codec.startswith("iso2022"):
        return [Cut(start, end, new.encode(codec, "replace")) for start, end, new in pieces]
    escapes = [(match.start(), match[0]) for match in _ESCAPE.finditer(octets)]

    def shift(at: int) -> bytes:
        """The escape sequence in force at an offset."""
        before = bisect_left(escapes, (at, b""))
        return escapes[before - 1][1] if before else _ASCII_ESCAPE

    cuts = []
    for start, end, replacement in pieces:
        before, after = shift(start), shift(end) if end < len(octets) else _ASCII_ESCAPE
        new = (_ASCII_ESCAPE if before != _ASCII_ESCAPE else b"") + replacement.encode(codec, "replace")
        cuts.append(Cut(start, end, new + (after if after != _ASCII_ESCAPE else b"")))
    return cuts
