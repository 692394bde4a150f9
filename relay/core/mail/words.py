"""Reads and writes encoded words (RFC 2047) and parameters (RFC 2045 §5.1, RFC 2231) in header fields.

Every function that reads returns a result for any octets, also hostile ones, without an exception and in linear time.
Decoding accepts the same errors as mail programs accept, because the relay must read the text that they show. Encoding
follows the standards strictly.
"""

import binascii
import re
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from relay.core.mail import charsets, guess

_ENCODED_WORD: Final = re.compile(rb"=\?([^?*\s]{1,40})(?:\*[^?\s]{0,40})?\?([BbQq])\?([^?\r\n]*)\?=")
_PARAMETER: Final = re.compile(
    rb';[ \t\r\n]*([^\s=;"()]++)[ \t\r\n]*=[ \t\r\n]*(?:"((?>(?:[^"\\]|\\.)*))(?:"|\\?\Z)|([^;\s]*+))', re.DOTALL
)
_QUOTED_PAIR: Final = re.compile(rb"\\(.)", re.DOTALL)
_SECTION: Final = re.compile(r"([^*]+)\*(?:([0-9]{1,3})(\*)?)?\Z")
_QUOTED_STRING: Final = re.compile(rb'"(?>(?:[^"\\]|\\.)*)"', re.DOTALL)
_STRUCTURAL: Final = (b"boundary", b"charset")
_SHOWN: Final = frozenset({"name", "filename"})
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`{|}~0-9A-Za-z-]+\Z")
_ENCODED_WORD_BYTES: Final = 45  # 60 characters of base64; with `=?utf-8?b?` and `?=` less than 75 (RFC 2047 §2)
_PARAMETER_CHARS: Final = 60
_LONGEST_BOUNDARY: Final = 400  # RFC 2046 §5.1.1 allows only 70


def to_text(raw: bytes, charset: str = "", near: str = "") -> str:
    """Returns the text that a mail program decodes from the octets. Never raises.

    `charset` is the declared name, "" if none is declared. If it is missing, unknown or ASCII, the charset is guessed
    (`guess.charset`), with `near` as the charset of the mail's first text; if that fails, it is windows-1252.
    An invalid octet becomes U+FFFD.
    """
    codec = charsets.codec_of(charset) if charset else ""
    if not codec and not guess.is_ascii(raw):
        codec = charsets.codec_of(guess.charset(raw, near))
    try:
        return raw.decode(codec, "replace") if codec else raw.decode()
    except ValueError:  # the octets are not UTF-8; or the codec raises in spite of "replace", as the one of UTF-16 does
        return raw.decode("cp1252", "replace")


def unfold(raw: bytes) -> bytes:
    """Returns a raw field value unfolded: without CRLF, and without white space around it (RFC 5322 §2.2.3).

    The white space after each CRLF stays.
    """
    return raw.replace(b"\r\n", b"").strip(b" \t") if b"\r\n" in raw else raw.strip(b" \t")


def decode(raw: bytes, near: str = "") -> str:
    """Returns an unfolded field value as text, with its encoded words decoded.

    Adjacent encoded words of the same charset are joined before they are decoded, because many programs divide a
    character between two words, although RFC 2047 §5 forbids it. White space between adjacent encoded words is removed
    (§6.2). `near` is as in `to_text`.
    """
    if b"=?" not in raw:
        return to_text(raw, "", near)
    pieces: list[tuple[str, bytes]] = []
    done = 0
    in_word = False
    for match in _ENCODED_WORD.finditer(raw):
        gap = raw[done : match.start()]
        if gap.strip(b" \t\r\n") or (gap and not in_word):
            pieces.append(("", gap))
        charset = match[1].decode("latin-1").lower()
        payload = _payload(match[2], match[3])
        if pieces and pieces[-1][0] == charset:
            payload = pieces.pop()[1] + payload
        pieces.append((charset, payload))
        in_word, done = True, match.end()
    pieces.append(("", raw[done:]))
    return "".join(to_text(piece, charset, near) for charset, piece in pieces)


def _payload(encoding: bytes, text: bytes) -> bytes:
    if encoding in b"Qq":
        return binascii.a2b_qp(text, header=True)
    return _from_base64(text)


def _from_base64(text: bytes) -> bytes:
    """Returns the octets of a base64 text, as far as it can be decoded; its padding may be wrong or missing."""
    try:
        return binascii.a2b_base64(text)
    except binascii.Error:
        digits = re.sub(rb"[^A-Za-z0-9+/]", b"", text)
        digits = digits[: len(digits) - (len(digits) % 4 == 1)]
        return binascii.a2b_base64(digits + b"==")


def encode(text: str) -> bytes:
    """Returns a text as encoded words in UTF-8 and base64, with a line end and a space between the words.

    Each encoded word is at most 75 octets long and contains whole characters only (RFC 2047 §2, §5).
    """
    words: list[bytes] = []
    chunk = b""
    for char in text:
        octets = char.encode("utf-8", "replace")
        if len(chunk) + len(octets) > _ENCODED_WORD_BYTES:
            words.append(chunk)
            chunk = b""
        chunk += octets
    words.append(chunk)
    return b"\r\n ".join(b"=?utf-8?b?" + binascii.b2a_base64(word, newline=False) + b"?=" for word in words)


def encode_unknown(octets: bytes) -> bytes:
    """Returns octets of an unknown charset as folded encoded-words, which keep the octets (RFC 1428)."""
    pieces = (octets[at : at + _ENCODED_WORD_BYTES - 6] for at in range(0, len(octets), _ENCODED_WORD_BYTES - 6))
    return b"\r\n ".join(b"=?unknown-8bit?b?" + binascii.b2a_base64(piece, newline=False) + b"?=" for piece in pieces)


def parameters(raw: bytes, near: str = "") -> dict[str, str]:
    """Returns the parameters of an unfolded field value, such as `text/plain; charset=utf-8`, by name in lower case.

    If a name occurs twice, the first value counts. A value that is written by RFC 2231 (continuations, charset) is
    decoded and takes precedence over a plain value of the same name. Encoded words in file names are decoded, because
    most programs write them, although no standard allows it; this is done last, because some programs divide one into
    sections. Each octet of any other plain value becomes one character (Latin-1). `near` is as in `to_text`.
    """
    plain: dict[str, str] = {}
    sections: dict[str, dict[int, tuple[bool, bytes]]] = {}
    for match in _PARAMETER.finditer(raw):
        name = match[1].decode("latin-1").lower()
        value = match[3] if match[2] is None else match[2]
        if match[2] is not None and b"\\" in value:
            value = _QUOTED_PAIR.sub(rb"\1", value)
        section = _SECTION.match(name) if "*" in name else None
        if section is None:
            plain.setdefault(name, decode(value, near) if name in _SHOWN else value.decode("latin-1"))
        else:
            number = int(section[2] or 0)
            is_encoded = section[2] is None or section[3] is not None
            sections.setdefault(section[1], {}).setdefault(number, (is_encoded, value))
    for name, numbered in sections.items():
        text = _joined(numbered, near)
        plain[name] = decode(text.encode("utf-8", "replace")) if name in _SHOWN and "=?" in text else text
    return plain


def are_disputed(raw: bytes) -> bool:
    """Returns whether two mail programs may read this unfolded Content-Type or Content-Disposition value differently.

    This is so if its boundary or charset is given twice or in the form of RFC 2231, which some programs do not know, if
    the value contains a comment, if a file name has encoded words in sections, or if the value is not ASCII.
    """
    low = raw.lower()
    if not raw.isascii() or (b"*" in low and (b"=?" in low or b"%3d%3f" in low)):
        return True
    if b"(" not in low and b"*" not in low and max(map(low.count, _STRUCTURAL)) < 2:
        return False
    said = [match[1].lower() for match in _PARAMETER.finditer(raw)]
    forms = {base: [name for name in said if name.partition(b"*")[0] == base] for base in _STRUCTURAL}
    has_comment = b"(" in raw and b"(" in _QUOTED_STRING.sub(b"", raw)
    return has_comment or any(names not in ([], [base]) for base, names in forms.items())


def _joined(sections: dict[int, tuple[bool, bytes]], near: str) -> str:
    """Returns the decoded value of a parameter that is written in sections (RFC 2231 §3, §4).

    `sections` has, by section number, whether the section is percent-encoded, and its raw text. Section 0 may begin
    with `charset'language'`; the other sections continue its text.
    """
    charset = ""
    octets: list[bytes] = []
    for number, is_encoded, value in sorted((n, e, v) for n, (e, v) in sections.items()):
        part = value
        if is_encoded:
            if number == 0 and value.count(b"'") >= 2:
                name, _, part = value.split(b"'", 2)
                charset = name.decode("latin-1")
            part = unquote_to_bytes(part)
        octets.append(part)
    return to_text(b"".join(octets), charset, near)


def quoted(text: str) -> str:
    """Returns a text of printable ASCII as a quoted string (RFC 5322 §3.2.4)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def is_token(text: str) -> bool:
    """Returns whether the text is a token (RFC 2045 §5.1), which needs no quotes as the value of a parameter."""
    return bool(_TOKEN.match(text))


def parameter(name: str, value: str) -> str:
    """Returns the parameter `; name=value` with a fold (CRLF and a space) after the semicolon.

    The value is quoted if necessary. A value that is longer than 60 characters or not printable ASCII is written in
    sections (RFC 2231). For a boundary the limit is 400 characters, because few programs read a boundary in sections.
    """
    longest = _LONGEST_BOUNDARY if name == "boundary" else _PARAMETER_CHARS
    if value.isascii() and value.isprintable() and len(value) <= longest:
        if not is_token(value):
            value = quoted(value)
        return f";\r\n {name}={value}"
    encoded = "utf-8''" + quote(value, safe="", errors="replace")
    cuts = re.findall(rf"(?:%..|[^%]){{1,{_PARAMETER_CHARS // 3}}}", encoded)
    if len(cuts) == 1:
        return f";\r\n {name}*={cuts[0]}"
    return "".join(f";\r\n {name}*{number}*={cut}" for number, cut in enumerate(cuts))
