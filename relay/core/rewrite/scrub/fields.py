"""Scrubs the raw value of one header field. Octets that need no change stay as they were written."""

import re
from collections.abc import Callable, Iterator, Mapping
from email.charset import Charset
from email.errors import MessageError
from email.header import Header
from typing import Final

from relay.core.mail import words
from relay.core.mail.edits import apply_edits
from relay.core.rewrite.scrub.occurrence import Occurrence

Search = Callable[[str], list[Occurrence]]
"""A function that finds the hidden values in a decoded field value. Its options depend on the field."""

_WORD: Final = rb"=\?[^?\s]{1,80}\?[BbQq]\?[^?\r\n]*\?="
_ONE: Final = re.compile(_WORD)
_RUN: Final = re.compile(rb"%s(?:[ \t\r\n]+%s)*" % (_WORD, _WORD))
_CHARSET: Final = re.compile(rb"=\?([^?*]+)")
_BETWEEN_WORDS: Final = re.compile(rb"\([^()]*\)|[ \t\"\\]+")
# The pieces of address fields: quoted strings, angle addresses, commas, and the text between them.
_MAILBOX_PIECE: Final = re.compile(rb'"(?:[^"\\]|\\.)*"?|<[^<>]*>?|[,;:]|[^",;:<]+|>', re.DOTALL)


def text(raw: bytes, search: Search) -> tuple[bytes, list[Occurrence]]:
    """Returns the new value of an unstructured field, and the occurrences that were hidden.

    The function also serves other fields that may contain encoded words (RFC 2047). Without an occurrence the new value
    is `raw` itself.
    """
    if b"=?" not in raw:
        hits = search(raw.decode("latin-1"))
        hits = hits or (search(words.to_text(raw)) if not raw.isascii() else hits)
        if not hits or raw.isascii():
            return (apply_edits(raw.decode("latin-1"), hits).encode("latin-1") if hits else raw), hits
    else:
        hits = _read(raw, search)
        if not hits:
            return raw, hits
        new = _by_runs(raw, search)
        if new != raw and not _read(new, search):
            return new, hits
    # A hidden value that remains spans several encoded words, or is raw 8-bit text. The whole field is encoded again.
    scrubbed = apply_edits(value := words.decode(words.unfold(raw)), search(value))
    return _ended(raw, scrubbed.encode("ascii") if scrubbed.isascii() else words.encode(scrubbed)), hits


def _read(raw: bytes, search: Search) -> list[Occurrence]:
    """Returns the occurrences in the decoded value or, if there are none, in the raw octets.

    A value beside an encoded word is a whole token in the octets, but may be part of a longer token in the decoded
    value.
    """
    return search(words.decode(words.unfold(raw))) or search(raw.decode("latin-1"))


def _ended(raw: bytes, value: bytes) -> bytes:
    return (b" " if raw[:1] in b" \t" else b"") + value + (b"\r\n" if raw.endswith(b"\r\n") else b"")


def _by_runs(raw: bytes, search: Search) -> bytes:
    """Returns the value with each of its pieces scrubbed.

    First the pieces are the runs of encoded words and the plain text between them. Then each single encoded word is a
    piece.
    """
    for pattern in (_RUN, _ONE):
        pieces: list[bytes] = []
        at = 0
        for match in pattern.finditer(raw):
            pieces.append(_plain(raw[at : match.start()], search))
            pieces.append(_encoded(match[0], search))
            at = match.end()
        raw = b"".join((*pieces, _plain(raw[at:], search)))
    return raw


def _plain(raw: bytes, search: Search) -> bytes:
    value = raw.decode("latin-1")
    hits = search(value)
    return apply_edits(value, hits).encode("latin-1") if hits else raw


def _encoded(raw: bytes, search: Search) -> bytes:
    value = words.decode(words.unfold(raw))
    hits = search(value)
    if not hits:
        return raw
    scrubbed = apply_edits(value, hits)
    charset = _CHARSET.match(raw)
    assert charset
    try:
        name = Charset(charset[1].decode("ascii"))
        return Header(scrubbed, name, maxlinelen=75, continuation_ws=" ").encode(linesep="\r\n").encode("ascii")
    except (UnicodeError, LookupError, MessageError, ValueError):
        return words.encode(scrubbed)


def mailboxes(raw: bytes, search: Search) -> tuple[bytes, list[Occurrence]]:
    """Returns the new value of an address field of a nested message, and the occurrences that were hidden.

    If a mailbox is known, its display name is removed together with its address, because the display name is a real
    name (R-REW-01).
    """
    value = words.unfold(raw)
    hits = [hit for reading in _mailbox_readings(value) for hit in search(reading)]
    if not hits:
        return raw, hits
    rebuilt: list[bytes] = []
    mailbox: list[bytes] = []
    for piece in (*_MAILBOX_PIECE.findall(value), b","):
        if piece not in (b",", b";", b":"):
            mailbox.append(piece)
            continue
        rebuilt += (_mailbox(b"".join(mailbox).strip(), search), piece, b"\r\n ")
        mailbox = []
    return _ended(raw, b"".join(rebuilt[:-2])), hits


def _mailbox_readings(written: bytes) -> Iterator[str]:
    """Yields the forms in which programs may read the value.

    Comments and white space may stand around each dot and at sign, and quotes around each word (RFC 5322 §4.4).
    """
    yield words.decode(written)
    if any(sign in written for sign in (b"(", b" ", b"\t", b'"')):
        yield _BETWEEN_WORDS.sub(b"", written).decode("latin-1")


def _mailbox(written: bytes, search: Search) -> bytes:
    for reading in _mailbox_readings(written):
        for hit in search(reading):
            if hit.kind == "address":
                return hit.replacement.encode("ascii")
    return text(written, search)[0]


def parameters(
    kind: str, raw: bytes, known: Mapping[str, str], search: Search, *, force: bool = False
) -> tuple[bytes, list[Occurrence]]:
    """Returns the new value of Content-Type or Content-Disposition, and the occurrences that were hidden.

    Without an occurrence the new value is `raw` itself, unless `force` is true. Otherwise the value is built from
    `kind` and from `known`, the parameters by name, after scrubbing. Both `known` and `raw` are searched, because mail
    programs do not agree which one counts if a parameter name occurs twice.
    """
    hits: list[Occurrence] = []
    rebuilt = [kind]
    for name, value in known.items():
        said, found = _read_parameter(value, search)
        hits += found
        if words.is_token(name):
            rebuilt.append(words.parameter(name, apply_edits(said, found)))
    hits = hits or search(raw.decode("latin-1"))
    if not hits and (b"=?" in raw or not raw.isascii()):
        hits = search(words.decode(words.unfold(raw)))
    if not hits and not force:
        return raw, hits
    return _ended(raw, "".join(rebuilt).encode("ascii", "replace")), hits


def _read_parameter(value: str, search: Search) -> tuple[str, list[Occurrence]]:
    """Returns the value as a text, and the occurrences in it.

    If the value has octets outside ASCII and no occurrence, these octets are read as text of a charset.
    """
    found = search(value)
    if not found and not value.isascii():
        said = words.to_text(value.encode("latin-1", "replace"))
        if found := search(said):
            return said, found
    return value, found
