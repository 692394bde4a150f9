"""The ways in which a text says one thing and shows another: entities, percent-encoding, escapes, tags, soft line
ends, look-alikes of ASCII, characters that do not show. Each is a layer that reads a text as a client would.
"""

import html
import html.entities
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Layer:
    """`read(text)` is the next reading of a text; `value` gives what a client reads there, as few characters as it
    may be. `sign` is in every text that the layer changes."""

    pattern: re.Pattern[str]
    value: Callable[[re.Match[str]], str]
    sign: Callable[[str], bool]

    def read(self, text: str) -> str:
        return self.pattern.sub(self.value, text) if self.sign(text) else text


def _nothing(_: re.Match[str]) -> str:
    return ""


# ---------------------------------------------------------------- characters

_INVISIBLE: Final = (
    *((0x00, 0x09), (0x0E, 0x20), (0x7F, 0x80), (0xAD, 0xAE), (0x34F, 0x350), (0x61C, 0x61D), (0x115F, 0x1161)),
    *((0x17B4, 0x17B6), (0x180B, 0x1810), (0x200B, 0x2010), (0x202A, 0x202F), (0x2060, 0x2070), (0x3164, 0x3165)),
    *((0xFE00, 0xFE10), (0xFEFF, 0xFF00), (0xFFA0, 0xFFA1), (0xFFF9, 0xFFFC), (0xE0000, 0xE01F0)),
)
_CONTROLS: Final = bytes((*range(9), *range(0x0E, 0x20), 0x7F))
# Where the characters stand that are ASCII to whoever normalises them (NFKC), full-width forms among them.
_LOOK_ALIKES: Final = (
    (0x00A0, 0x0250),
    (0x02B0, 0x0300),
    (0x1D2C, 0x1DC0),
    (0x2000, 0x2190),
    (0x2460, 0x2500),
    (0x2C7C, 0x2C7E),
    (0x3200, 0x3400),
    (0xA7F2, 0xA7F5),
    (0xFB00, 0xFB07),
    (0xFE10, 0xFE70),
    (0xFF01, 0xFFEF),
    (0x1D400, 0x1D800),
    (0x1F100, 0x1F1A0),
    (0x1FBF0, 0x1FBFA),
)
_READ_AS: Final = {
    char: plain
    for first, end in _LOOK_ALIKES
    for char in map(chr, range(first, end))
    if (plain := unicodedata.normalize("NFKC", char)) != char and plain.isascii() and " " not in plain
} | {chr(code): "" for first, end in _INVISIBLE for code in range(first, end)}
# Apart, for a set that goes beyond the first plane is searched one by one.
_FIRST_PLANE: Final = re.escape("".join(char for char in _READ_AS if char <= "\uffff"))
# IDNA takes the full stop of Japanese for a dot (UTS 46); between kana and kanji only `find` can tell, by the domain.
_FULL_STOP: Final = "(?<![\u3000-\u9fff])[\u3002\uff61](?![\u3000-\u9fff\r\n<])"
FOLDED: Final = Layer(
    re.compile(rf"[{_FIRST_PLANE}]|{_FULL_STOP}|[\U0001d400-\U0001fbf9\U000e0000-\U000e01ef]"),
    lambda match: _READ_AS.get(match[0], "." if match[0] in "\u3002\uff61" else match[0]),
    lambda text: not text.isascii() or len(text.encode("ascii").translate(None, _CONTROLS)) < len(text),
)

# ---------------------------------------------------------------- escapes

_LEGACY: Final = "|".join(
    sorted((name for name in html.entities.html5 if not name.endswith(";")), key=len, reverse=True)
)


def _entity(match: re.Match[str]) -> str:
    if match[1]:
        return html.entities.html5.get(match[1], match[0])
    return html.unescape(match[0])


ENTITIES: Final = Layer(
    re.compile(
        r"&(?:#(?:0*+[1-9][0-9]{0,7}|[xX]0*+[1-9a-fA-F][0-9a-fA-F]{0,6});?|([A-Za-z][A-Za-z0-9]{1,31};)"
        rf"|(?:{_LEGACY}))"
    ),
    _entity,
    lambda text: "&" in text,
)


_HEX_PAIR: Final = re.compile(r"[%=](?:25)*([0-9A-Fa-f]{2})")


def _octets(match: re.Match[str]) -> str:
    """A character of UTF-8, or nothing for a line end; octets of anything else stay as they are."""
    try:
        return bytes.fromhex("".join(_HEX_PAIR.findall(match[0]))).decode()
    except UnicodeDecodeError:
        return match[0]


def _quoted(mark: str) -> str:
    digit = "[0-9A-Fa-f]"
    return rf"{mark}[0-7]{digit}|{mark}[C-Fc-f]{digit}(?:{mark}[89ABab]{digit}){{1,3}}"


PERCENT: Final = Layer(
    re.compile(_quoted("%(?:25)*")),  # `%2540` is `%40` encoded once more, as links inside links are
    _octets,
    lambda text: "%" in text,
)
_LOOKS_QUOTED: Final = re.compile(r"=(?:40|2E|2e|\r?\n|[0-9A-Fa-f]{2}=[0-9A-Fa-f]{2})")
# Raw source pasted or forwarded as text. In a link `=4da` means itself: a reading beside the others, not above them.
QUOTED_PRINTABLE: Final = Layer(
    re.compile(rf"{_quoted('=')}|=[ \t]*+\r?\n(?>(?:> ?)*)"),
    _octets,
    lambda text: "=" in text and bool(_LOOKS_QUOTED.search(text)),
)


def _escaped(match: re.Match[str]) -> str:
    digits = match[1] or match[2]
    if digits:
        return chr(int(digits, 16))
    if match[3]:
        return chr(int(match[3]))
    return "\n" if match[4] else match[5]


# JSON, scripts, RTF (its `\u64?` is decimal), RFC 6533's `\x{40}`, and what iCalendar and vCard put before commas and
# line ends.
ESCAPES: Final = Layer(
    re.compile(
        r"[\\%]u([0-9A-Fa-f]{4})|\\(?:(?:[x']|x\{(?=[0-9A-Fa-f]{2}\}))([0-9A-Fa-f]{2})(?:(?<=\{..)\})?"
        r"|u([0-9]{2,3})(?![0-9A-Fa-f]) ?(?:\?|\\'3[Ff])?|([nNrt])|([!-/:-@\[-`{-~]))"
    ),
    _escaped,
    lambda text: "\\" in text or ("%" in text and "%u" in text),  # one character is found ten times as fast
)
_CSS_ESCAPE: Final = re.compile(r"\\([0-9A-Fa-f]{1,6})(?:\r\n|[ \t\r\n\f])?")
CSS: Final = Layer(
    _CSS_ESCAPE,
    lambda match: chr(code) if 0 < (code := int(match[1], 16)) < 0x110000 else match[0],
    lambda text: "\\" in text and bool(_CSS_ESCAPE.search(text)),
)

# ---------------------------------------------------------------- lines and tags

FLOWED: Final = Layer(re.compile(r" \r?\n>* ?"), _nothing, lambda text: " \r\n" in text)  # RFC 3676 §4, DelSp
FOLDS: Final = Layer(re.compile(r"\r?\n[ \t]"), _nothing, lambda text: "\n " in text or "\n\t" in text)

# As the HTML standard reads them (§13.2.5): a value in quotes may hold `>`, an equals sign where a name begins is part
# of that name, and what has no end goes on to the end of the text, so the search stays linear.
_GAP: Final = r"[ \t\r\n\f]"
_NAME: Final = r"[^ \t\r\n\f/>]"
_VALUE: Final = r"(?:\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z)|[^ \t\r\n\f>]*+)"
_ANY: Final = (
    # As most tags are written, then as any may be.
    r"/?[A-Za-z][A-Za-z0-9]*+>"
    rf"|/?[A-Za-z]{_NAME}*+(?>(?:{_GAP}++(?>(?:[A-Za-z-]++=\"[^\"]*+\")?)"
    rf"|/++|{_NAME}[^ \t\r\n\f/>=]*+(?>(?:{_GAP}*+={_GAP}*+{_VALUE})?))*)(?:>|\Z)"
    r"|!--(?:-?>|.*?(?:--!?>|\Z))|(?:[!?]|/(?![A-Za-z]))[^>]*+(?:>|\Z)"
)
TAG: Final = re.compile(f"<(?:{_ANY})", re.DOTALL)
# Words in these elements are never shown, by no program.
_SILENT: Final = rf"(?=[STst])(?i:(script|style|title)(?={_GAP}|[/>])[^<>]{{0,300}}>.{{0,300}}?</\1{_GAP}*+>)"
TAGS: Final = Layer(re.compile(f"<(?:{_SILENT}|{_ANY})", re.DOTALL), _nothing, lambda text: "<" in text)
_BLOCK: Final = re.compile(
    r"</?(?:t[dhr]|table|tbody|caption|p|br|hr|div|li|[uod]l|d[td]|h[1-6]|pre|blockquote|center|section|article|header"
    r"|footer|main|nav|aside|address|form|fieldset|legend|option|button|label|details|summary|figure|figcaption"
    r"|text|tspan|desc|metadata)(?![A-Za-z0-9-])",
    re.IGNORECASE,
)
BLOCKS: Final = Layer(TAGS.pattern, lambda match: "\n" if _BLOCK.match(match[0]) else "", TAGS.sign)
"""As TAGS, but what stands in another block is shown apart, so that it is no part of an address."""
CDATA: Final = Layer(re.compile(r"<!\[CDATA\[|\]\]>"), _nothing, lambda text: "<![CDATA[" in text)
_UNSEEN: Final = re.compile(
    r"<(?:(noscript|template)\b[^<>]{0,300}"
    r"|([A-Za-z]{1,20})\b[^<>]{0,300}?(?:\bhidden\b|display\s{0,9}:\s{0,9}none|visibility\s{0,9}:\s{0,9}hidden"
    r"|font-size\s{0,9}:\s{0,9}0)[^<>]{0,300})>.{0,300}?</(?:\1|\2)\s{0,9}>",
    re.IGNORECASE | re.DOTALL,
)


def _may_hide(text: str) -> bool:
    low = text.lower()
    if "hidden" in low or ("display" in low and "none" in low) or "font-size:0" in low or "font-size: 0" in low:
        return True
    return "<noscript" in low or "<template" in low


UNSEEN: Final = Layer(_UNSEEN, _nothing, _may_hide)
