"""Decodes the transfer encodings and charsets of text parts, and converts edits of decoded text to edits of raw bodies.

Decoding accepts the same errors as mail programs accept. An edit of a body in quoted-printable, or without encoding,
replaces only the changed octets of the raw body. An edit of a body in base64 replaces the whole body.
"""

import binascii
import codecs
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Final

from relay.core.mail import charsets, guess
from relay.core.mail.edits import Edit, apply_edits
from relay.core.mail.origin import Origin, origin_of

_QP_PIECE: Final = re.compile(r"=(?:([0-9A-Fa-f]{2})|[ \t]*\r?\n)")
_QP_PADDED_BREAK: Final = re.compile(rb"=[ \t]+(?=\r?\n)")
_CRLF: Final = b"\r\n"
_BARE_LINE_END: Final = re.compile(rb"(?<!\r)\n|\r(?!\n)")
_QP_LINE: Final = 76  # RFC 2045 §6.7 (5)
_BASE64_NOISE: Final = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
_ESCAPE: Final = re.compile(rb"\x1b[\x20-\x2f]*[\x30-\x7e]")
_ASCII_ESCAPE: Final = b"\x1b(B"
UNKNOWN: Final = "latin_1"
"""The codec for octets whose charset cannot be determined; no declared name has it, because the standard does not."""


# ---------------------------------------------------------------- transfer encodings (RFC 2045 §6)


def decode(raw: bytes, encoding: str) -> bytes:
    """Returns the octets of a body without its transfer encoding (`encoding`, in lower case).

    A body in an unknown encoding is returned unchanged, because mail programs show it unchanged.
    """
    if encoding == "quoted-printable":
        if b"= " in raw or b"=\t" in raw:
            raw = _QP_PADDED_BREAK.sub(b"=", raw)
        return binascii.a2b_qp(raw)
    if encoding == "base64":
        return decode_base64(raw)
    return raw


def decode_base64(raw: bytes) -> bytes:
    """Returns the octets of a base64 text.

    Characters that are not base64 are skipped, because all mail programs skip them. Text after padding (`=`) is decoded
    too, because some mail programs decode it.
    """
    if b"=" not in raw.rstrip(b"=\r\n"):
        with suppress(binascii.Error):
            return binascii.a2b_base64(raw)
    return b"".join(_decode_base64_run(run) for run in raw.split(b"="))


def _decode_base64_run(run: bytes) -> bytes:
    digits = run.translate(None, _BASE64_NOISE)
    if len(digits) % 4 == 1:
        digits = digits[:-1]
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


def raw_edits(raw: bytes, encoding: str, changes: Sequence[Edit[bytes]]) -> list[Edit[bytes]]:
    """Returns the edits of a raw body that correspond to `changes`, sorted edits of its decoded octets."""
    if encoding == "quoted-printable":
        return list(_edits_of_quoted_printable(raw, changes))
    if encoding == "base64":
        last = b"\r\n" if raw.endswith(b"\r\n") else b""
        return [Edit(0, len(raw), encode_base64(apply_edits(decode_base64(raw), changes)) + last)]
    return list(changes)


def seven_bit_encoding(octets: bytes) -> str:
    """Returns the transfer encoding in which a text becomes 7 bit and stays short.

    It is "base64" if less than half of the octets are ASCII, else "quoted-printable", whose source a person can read.
    """
    return "base64" if len(octets) > 2 * len(octets.decode("ascii", "ignore")) else "quoted-printable"


def encode_base64(octets: bytes) -> bytes:
    """Returns the octets in base64, in lines of 76 characters, without a line end after the last line."""
    lines = (octets[at : at + 57] for at in range(0, len(octets), 57))
    return b"\r\n".join(binascii.b2a_base64(line, newline=False) for line in lines)


def _edits_of_quoted_printable(raw: bytes, changes: Sequence[Edit[bytes]]) -> Iterator[Edit[bytes]]:
    """Yields an edit of the quoted-printable body for each change of its decoded octets.

    Soft line breaks are inserted where a line would otherwise become too long.
    """
    origin = origin_of(_QP_PIECE, lambda piece: chr(int(piece[1], 16)) if piece[1] else "", raw.decode("latin-1"))
    spans = [origin.span(edit.start, edit.end) for edit in changes]
    column, done = 0, 0
    for at, (edit, (start, end)) in enumerate(zip(changes, spans, strict=True)):
        line_start = raw.rfind(b"\n", done, start) + 1
        column = start - line_start if line_start else column + start - done
        limit = min(len(raw), end + _QP_LINE)
        line_end = raw.find(b"\r\n", end, limit)
        rest = (line_end if line_end >= 0 else limit) - end
        if at + 1 < len(spans):
            rest = min(rest, spans[at + 1][0] - end)
        replacement, column = _fit(_quote(edit.replacement), column, rest)
        yield Edit(start, end, replacement)
        done = end


_ATOM: Final = re.compile(rb"\r\n|.", re.DOTALL)
_AS_IS: Final = re.compile(rb"[!-<>-~]|\r\n")


def _quote(octets: bytes) -> list[bytes]:
    return [atom if _AS_IS.match(atom) else b"=%02X" % atom[0] for atom in _ATOM.findall(octets)]


def _fit(atoms: Sequence[bytes], column: int, rest: int) -> tuple[bytes, int]:
    """Returns the joined atoms with the soft line breaks that they need, and the column after them.

    An atom is a quoted octet, a plain octet or a CRLF. `column` is the length of the line before the atoms, and `rest`
    is the length of the text that follows them on the same line.
    """
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


def has_bare_line_end(octets: bytes) -> bool:
    """Returns whether the octets contain a CR without LF or an LF without CR.

    It compares the numbers of CR, LF and CRLF, because a search by a regular expression would take ten times as long.
    """
    return not octets.count(b"\r\n") == octets.count(b"\n") == octets.count(b"\r")


def with_crlf(octets: bytes) -> bytes:
    """Returns the octets with each CR without LF, and each LF without CR, replaced by CRLF."""
    return _BARE_LINE_END.sub(b"\r\n", octets)


# ---------------------------------------------------------------- charsets


def codec_of(charset: str, octets: bytes, near: str = "") -> str:
    """Returns Python's name of the codec that decodes `octets`; `charset` is the declared name, "" if there is none.

    If the charset is missing, unknown or ASCII, it is guessed (`guess.charset`), with `near` as the charset of the
    mail's first text. Octets of no known charset have the codec `UNKNOWN`, which reads each octet by itself.
    If the octets are recognized as UTF-16 or UTF-32, their codec is returned even if another charset is declared.
    """
    codec = charsets.codec_of(charset) if charset else ""
    if not codec:
        is_ascii = guess.is_ascii(octets)
        codec = "utf_8" if is_ascii else charsets.codec_of(guess.charset(octets, near)) or UNKNOWN
    if b"\0" in octets and not codec.startswith("utf_16"):
        if is_utf_16(octets):
            codec = "utf_16"
        elif not codec.startswith("utf_32") and is_utf_32(octets):
            codec = "utf_32"
    if codec in ("utf_16", "utf_32"):
        return f"{codec}_{_byte_order(octets)}"
    if octets[:2] == b"\xff\xfe":
        return codec if codec == "utf_32_le" else "utf_16_le"
    return "utf_16_be" if octets[:2] == b"\xfe\xff" else codec


def is_utf_16(octets: bytes) -> bool:
    """Returns whether the octets look like text in UTF-16 that is mostly ASCII.

    This is so if many octets at either the even or the odd places are 0, and none at the other places. At most the
    first 512 octets are examined.
    """
    low, high = octets[:512:2].count(0), octets[1:512:2].count(0)
    return (low == 0) != (high == 0) and max(low, high) * 16 >= min(len(octets), 512)


def is_utf_32(octets: bytes) -> bool:
    """Returns whether the octets look like text in UTF-32: either the first or the last two of each four octets are 0.

    At most the first 512 octets are examined.
    """
    first, second, third, last = (octets[at:512:4] for at in range(4))
    if 0 not in first:
        return bool(third) and not (any(third) or any(last))
    return 0 not in last and bool(last) and not (any(first) or any(second))


def _byte_order(octets: bytes) -> str:
    """Returns the byte order of text in UTF-16 or UTF-32: "le" for little-endian, "be" for big-endian.

    The byte order mark decides; the codec later decodes the mark as a character. Without a mark, the places of the zero
    octets decide, because most text is ASCII. (RFC 2781 §4.3 says big-endian, but mail programs write little-endian.)
    """
    if octets[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "le" if octets[0] == 0xFF else "be"
    return "le" if octets[1::2].count(0) > octets[::2].count(0) else "be"


def decode_text(octets: bytes, codec: str) -> str:
    return octets.decode(codec, "replace")


def octet_spans(octets: bytes, codec: str, text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Returns the spans (start, end) of `octets` from which the given spans of `text` were decoded.

    `text` is `octets` decoded with `codec`. The given spans must be sorted and must not overlap; the same is then true
    of the result. For invalid ISO-2022 the result is a guess, so the caller must decode the changed octets and check
    the text.
    """
    if len(text) == len(octets):  # no character is wider than an octet
        return list(spans)
    measured = _measured(octets, codec, text, spans)
    if measured is not None:
        return measured
    origin = _character_origin(octets, codec)
    return list(_within(len(octets), (origin.span(start, end) for start, end in spans)))


def _within(size: int, guessed: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yields the guessed spans, each cut to the range from the end of the span before it to `size`."""
    at = 0
    for guessed_start, guessed_end in guessed:
        start = min(max(guessed_start, at), size)
        at = min(max(guessed_end, start), size)
        yield start, at


def _measured(octets: bytes, codec: str, text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]] | None:
    """Returns the spans of the octets, found by encoding the text again, which is fast.

    Returns None if the text cannot be encoded, or if encoding it does not give the same octets.
    """
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
    """Returns the map from each decoded character to its octets.

    It gives the octets to an incremental decoder one by one, and observes after which octet the decoder returns a
    character.
    """
    origin = Origin()
    decoder = codecs.getincrementaldecoder(codec)("replace")
    escapes = {m.start(): m.end() for m in _ESCAPE.finditer(octets)} if codec.startswith("iso2022") else {}
    at = start = 0
    while at < len(octets):
        end = escapes.get(at, at + 1)
        try:
            emitted = len(decoder.decode(octets[at:end], final=end == len(octets)))
        except UnicodeError:
            # The decoder cannot hold so many octets. The span is then a guess, which the caller verifies.
            decoder.reset()
            emitted = 1
        is_escape = end - at > 1
        at = end
        if not emitted and not is_escape:
            continue
        read = end - len(decoder.getstate()[0])
        if read - start != emitted:
            # Several characters at once: an unreadable sequence, then octets that are one character each.
            origin.add(start, max(start, read - max(emitted - 1, 0)), width=min(emitted, 1))
        start = read
    return origin


def encoded_edits(octets: bytes, codec: str, pieces: Iterable[tuple[int, int, str]]) -> list[Edit[bytes]]:
    """Returns an edit for each piece (start, end, text): it replaces `octets[start:end]` by the encoded text.

    In ISO-2022, an escape sequence before the new text switches to ASCII, and another sequence after the new text
    switches back to the character set of the octets that follow. At the end of the octets the second sequence is left
    out, because ISO-2022 text must end in ASCII (RFC 1468).
    """
    if not codec.startswith("iso2022"):
        return [Edit(start, end, new.encode(codec, "replace")) for start, end, new in pieces]
    escapes = [(match.start(), match[0]) for match in _ESCAPE.finditer(octets)]

    def shift(at: int) -> bytes:
        """Returns the last escape sequence before the offset `at`, or the one for ASCII if no sequence comes before."""
        before = bisect_left(escapes, (at, b""))
        return escapes[before - 1][1] if before else _ASCII_ESCAPE

    edits = []
    for start, end, replacement in pieces:
        before, after = shift(start), shift(end) if end < len(octets) else _ASCII_ESCAPE
        new = (_ASCII_ESCAPE if before != _ASCII_ESCAPE else b"") + replacement.encode(codec, "replace")
        edits.append(Edit(start, end, new + (after if after != _ASCII_ESCAPE else b"")))
    return edits
