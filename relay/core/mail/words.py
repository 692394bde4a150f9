"""Reads and writes the words of header fields: encoded-words (RFC 2047), parameters (RFC 2045 §5.1, RFC 2231).

All functions are total and linear: any octets, also hostile ones, give some text. Decoding is as lenient as mail
programs are, because the relay must read what they would show; encoding is strict.
"""

import binascii
import re
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from relay.core.mail import charsets

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
_ENCODED_WORD_BYTES: Final = 45  # 60 characters of base64: with `=?utf-8?b?` and `?=` below 75 (RFC 2047 §2)
_PARAMETER_CHARS: Final = 60
_LONGEST_BOUNDARY: Final = 400  # 70 by RFC 2046 §5.1.1


def to_text(raw: bytes, charset: str = "") -> str:
    """Returns the octets decoded as a mail program does.

    Without a known charset they are read as UTF-8 if they are valid UTF-8, else as windows-1252. ISO-2022-JP is
    recognised by its escape sequence, because old Japanese programs name no charset.
    """
    codec = charsets.codec_of(charset) if charset else ""
    if not codec and b"\x1b$" in raw:  # ISO-2022-JP sent without a charset, as old Japanese programs do
        codec = "iso2022_jp_ext"
    try:
        return raw.decode(codec, "replace") if codec else raw.decode()
    except ValueError:  # not UTF-8; or a codec that raises in spite of "replace", as that of UTF-16 does
        return raw.decode("cp1252", "replace")


def unfold(raw: bytes) -> bytes:
    """Returns the value without its line ends; the white space after them stays (RFC 5322 §2.2.3)."""
    return raw.replace(b"\r\n", b"").strip(b" \t") if b"\r\n" in raw else raw.strip(b" \t")


def decode(raw: bytes) -> str:
    """Returns an unfolded value with its encoded-words decoded.

    Neighbours of one charset are joined before they are decoded, because many programs cut a character in two (RFC
    2047 §5 forbids it); the space between neighbours is removed (§6.2).
    """
    if b"=?" not in raw:
        return to_text(raw)
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
    return "".join(to_text(piece, charset) for charset, piece in pieces)


def _payload(encoding: bytes, text: bytes) -> bytes:
    if encoding in b"Qq":
        return binascii.a2b_qp(text, header=True)
    return _from_base64(text)


def _from_base64(text: bytes) -> bytes:
    """Decodes base64 whose padding may be wrong or missing, as far as it can be decoded."""
    try:
        return binascii.a2b_base64(text)
    except binascii.Error:
        digits = re.sub(rb"[^A-Za-z0-9+/]", b"", text)
        digits = digits[: len(digits) - (len(digits) % 4 == 1)]
        return binascii.a2b_base64(digits + b"==")


def encode(text: str) -> bytes:
    """Returns unstructured text as folded encoded-words in UTF-8.

    Each holds whole characters and at most 75 octets (RFC 2047 §2).
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


def parameters(raw: bytes) -> dict[str, str]:
    """Returns the parameters of an unfolded structured value, with names in lower case.

    If two parameters have one name, the first counts. RFC 2231 continuations and charsets are resolved and take
    precedence over a plain value. Encoded-words in file names are decoded, because most programs write them though no
    standard allows it; every other value is kept octet for octet (Latin-1).
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
            plain.setdefault(name, decode(value) if name in _SHOWN else value.decode("latin-1"))
        else:
            number = int(section[2] or 0)
            is_encoded = section[2] is None or section[3] is not None
            sections.setdefault(section[1], {}).setdefault(number, (is_encoded, value))
    for name, numbered in sections.items():
        plain[name] = _joined(numbered)
    return plain


def are_disputed(raw: bytes) -> bool:
    """Whether mail programs read an unfolded Content-Type differently.

    This is so if its boundary or charset is given twice or in a form that some programs do not know, or if it contains
    comments.
    """
    low = raw.lower()
    if not any(sign in low for sign in (b"(", b"*")) and all(low.count(base) < 2 for base in _STRUCTURAL):
        return False
    said = [match[1].lower() for match in _PARAMETER.finditer(raw)]
    forms = {base: [name for name in said if name.partition(b"*")[0] == base] for base in _STRUCTURAL}
    has_comment = b"(" in raw and b"(" in _QUOTED_STRING.sub(b"", raw)
    return has_comment or any(names not in ([], [base]) for base, names in forms.items())


def _joined(sections: dict[int, tuple[bool, bytes]]) -> str:
    """Returns the value of RFC 2231 sections (§3, §4).

    The first section is `charset'language'percent-encoded`; the other sections continue its text.
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
    return to_text(b"".join(octets), charset)


def quoted(text: str) -> str:
    """Returns the text as a quoted-string of printable ASCII (RFC 5322 §3.2.4)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def is_token(text: str) -> bool:
    """Whether the text is a token (RFC 2045 §5.1)."""
    return bool(_TOKEN.match(text))


def parameter(name: str, value: str) -> str:
    """Returns `; name=value`, folded in front.

    The value is quoted where necessary; a long or non-ASCII value becomes RFC 2231 sections, except in a long
    boundary, where few programs know them.
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
