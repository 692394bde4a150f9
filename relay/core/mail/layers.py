"""Defines the layers of a text: each layer is one way to write a text differently from how a person sees it.

Examples are HTML entities, percent-encoding, escapes, tags, soft line ends, characters that look like ASCII, and
invisible characters. To read a text through a layer means to decode it in the same way as mail programs do.
"""

import html
import html.entities
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Layer:
    """One way to write a text differently from how a person sees it.

    `pattern` matches a written form. `value` returns the text that a person sees instead of the written form; both may
    be equal. `sign` is a quick test: it is True for each text that the layer changes, and may be True for other texts.
    `quickly`, if given, has the same result as substituting `value` for `pattern`, but is faster. `uneven`, if given,
    matches only those written forms that have another number of characters than the text that a person sees.
    """

    pattern: re.Pattern[str]
    value: Callable[[re.Match[str]], str]
    sign: Callable[[str], bool]
    quickly: Callable[[str], str] | None = None
    uneven: re.Pattern[str] | None = None

    def read(self, text: str) -> str:
        """Returns the text with each written form of this layer replaced by the text that a person sees."""
        if not self.sign(text):
            return text
        return self.quickly(text) if self.quickly else self.pattern.sub(self.value, text)


def _nothing(_: re.Match[str]) -> str:
    return ""


# ---------------------------------------------------------------- characters

_INVISIBLE: Final = (
    *((0x00, 0x09), (0x0E, 0x20), (0x7F, 0x80), (0xAD, 0xAE), (0x34F, 0x350), (0x61C, 0x61D), (0x115F, 0x1161)),
    *((0x17B4, 0x17B6), (0x180B, 0x1810), (0x200B, 0x2010), (0x202A, 0x202F), (0x2060, 0x2070), (0x3164, 0x3165)),
    *((0xFE00, 0xFE10), (0xFEFF, 0xFF00), (0xFFA0, 0xFFA1), (0xFFF9, 0xFFFC), (0xE0000, 0xE01F0)),
)
_CONTROLS: Final = bytes((*range(9), *range(0x0E, 0x20), 0x7F))
# The ranges in which NFKC turns characters into ASCII; the full-width forms are one of them.
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
_SURROGATES: Final = (0xD800, 0xE000)
_READ_AS: Final = (
    {
        char: plain
        for first, end in _LOOK_ALIKES
        for char in map(chr, range(first, end))
        if (plain := unicodedata.normalize("NFKC", char)) != char and plain.isascii() and " " not in plain
    }
    | {chr(code): "" for first, end in _INVISIBLE for code in range(first, end)}
    | dict.fromkeys(map(chr, range(*_SURROGATES)), "\ufffd")
)
# Numbers in circles, in parentheses and with a full stop. A person reads them as marks of a list, not as numbers.
_LIST_MARKS: Final = frozenset(map(chr, (*range(0x2460, 0x249C), 0x24EA, *range(0x1F100, 0x1F10B))))
# IDNA treats the Japanese full stop as a dot (UTS 46). Beside kana or kanji it stays as it is, because only a person
# who knows the domain can tell whether it is a dot or ends a sentence.
_STOP_ENDS: Final = "(?<![\u3000-\u9fff].)(?![\u3000-\u9fff\r\n<])"
# The order matters: whether a half-width full stop counts as a dot depends on a full-width one beside it, but not the
# other way round.
_STOPS: Final = tuple((char, re.compile(char + _STOP_ENDS)) for char in "\uff61\u3002")
# All characters except printable ASCII and, with few exceptions, those of Japanese, Chinese and Korean.
_UNCOMMON: Final = re.compile("[^\t-\r -~\u3001-\u3163\u3165-\u31ff\u3400-\ua7f1\ua7f5-\ud7ff]")


def _has_no_control(text: str) -> bool:
    """Whether an ASCII text has only printable characters, tabs and line ends."""
    return len(text.encode("ascii").translate(None, _CONTROLS)) == len(text)


def _folded(read_as: Mapping[str, str]) -> Layer:
    """Returns the layer that replaces each character in `read_as` by its value ("" for an invisible character).

    A Japanese full stop is also replaced by a dot, except within Japanese text.
    """
    # The other planes have a set of their own, because a set that includes them makes Python's search slow.
    first_plane = re.escape("".join(char for char in read_as if char <= "\uffff"))
    beyond = "[\U0001d400-\U0001fbf9\U000e0000-\U000e01ef]"
    uneven = re.escape("".join(char for char, plain in read_as.items() if char <= "\uffff" and len(plain) != 1))

    def value(match: re.Match[str]) -> str:
        return read_as.get(match[0], "." if match[0] in "\u3002\uff61" else match[0])

    def quickly(text: str) -> str:
        for char, pattern in _STOPS:
            if char in text:
                text = pattern.sub(".", text)
        for char in set(_UNCOMMON.findall(text)):
            if char in read_as:
                text = text.replace(char, read_as[char])
        return text

    return Layer(
        re.compile(f"[{first_plane}]|[\u3002\uff61]{_STOP_ENDS}|{beyond}"),
        value,
        lambda text: not text.isascii() or not (text.isprintable() or _has_no_control(text)),
        quickly,
        re.compile(f"[{uneven}]|{beyond}"),
    )


FOLDED: Final = _folded(_READ_AS)
# The spaces of other widths. FOLDED leaves them, because no name or address that is searched for contains a space.
_SPACES: Final = "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
FOLDED_FOR_PERSON: Final = _folded(
    {char: plain for char, plain in _READ_AS.items() if char not in _LIST_MARKS} | dict.fromkeys(_SPACES, " ")
)
"""Like FOLDED, but list marks stay as they are, and a space of another width is replaced by a plain space."""


def is_disguise(char: str) -> bool:
    """Returns whether a character is invisible, is a surrogate, or is another form of an ASCII letter or digit."""
    plain = _READ_AS.get(char)
    return plain is not None and (plain in {"", "\ufffd"} or (len(plain) == 1 and plain.isalnum()))


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
        rf"""
        & (?: \# (?: 0*+ [1-9][0-9]{{0,7}} | [xX] 0*+ [1-9a-fA-F][0-9a-fA-F]{{0,6}} ) ;?
            | ([A-Za-z][A-Za-z0-9]{{1,31}};)
            | (?: {_LEGACY} )
        )
        """,
        re.VERBOSE,
    ),
    _entity,
    lambda text: "&" in text,
)


_HEX_PAIR: Final = re.compile(r"[%=](?:25)*([0-9A-Fa-f]{2})")


def _octets(match: re.Match[str]) -> str:
    """Returns the UTF-8 character that the encoded octets stand for, "" for an encoded line end.

    Octets that are not valid UTF-8 are returned as they are written.
    """
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
# Quoted-printable source that was pasted or forwarded as text. In a link, `=4da` is not encoded, so this layer is not
# combined with PERCENT.
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


# The escapes of JSON, of scripts, of RTF (`\u64?` is decimal), of RFC 6533 (`\x{40}`), and of iCalendar and vCard.
ESCAPES: Final = Layer(
    re.compile(
        r"""
        [\\%] u ([0-9A-Fa-f]{4})
        | \\ (?: (?: [x'] | x\{ (?= [0-9A-Fa-f]{2} \}) ) ([0-9A-Fa-f]{2}) (?: (?<= \{..) \} )?
              | u ([0-9]{2,3}) (?![0-9A-Fa-f]) [ ]? (?: \? | \\'3[Ff] )?
              | ([nNrt])
              | ([!-/:-@\[-`{-~])
        )
        """,
        re.VERBOSE,
    ),
    _escaped,
    lambda text: "\\" in text or ("%" in text and "%u" in text),  # searching for one character is ten times as fast
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

# Tags are read by the HTML standard (§13.2.5): a quoted value may contain `>`, and an equals sign at the beginning of a
# name is part of the name. A tag without an end extends to the end of the text, so the search stays linear.
_GAP: Final = r"[ \t\r\n\f]"
_VALUE: Final = r"""(?: "[^"]*+ (?: "|\Z) | '[^']*+ (?: '|\Z) | [^ \t\r\n\f>]*+ )"""
_ATTRIBUTES: Final = rf"""(?>(?:
    {_GAP}++ (?>(?: [A-Za-z-]++ = "[^"]*+" )?)  # the usual form
    | /++
    | [^ \t\r\n\f/>] [^ \t\r\n\f/>=]*+ (?>(?: {_GAP}*+ = {_GAP}*+ {_VALUE} )?)
)*)"""
_ANY: Final = rf"""(?x:
    /? ([A-Za-z][A-Za-z0-9]*+) >  # the usual form
    | /? ([A-Za-z][A-Za-z0-9-]*+) [^ \t\r\n\f/>]*+ {_ATTRIBUTES} (?: > | \Z)
    | !-- (?: -?> | .*? (?: --!?> | \Z))
    | (?: [!?] | / (?![A-Za-z])) [^>]*+ (?: > | \Z)
)"""
TAG: Final = re.compile(f"<{_ANY}", re.DOTALL)
TAG_NAME: Final = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9-]*+)")
"""The beginning of a tag; the first group is "/" in an end tag."""

# Elements whose text mail programs do not show. An element with markup inside counts only if it is short. So the search
# stays linear, and no text is skipped that a mail program may show after all.
_SILENT: Final = rf"""(?x: (?=[STst]) (?i: ({{names}}) (?= {_GAP} | [/>])
    (?> [^<>]*+ > (?: \s*+ <!--)? [^<]*+ </\1 {_GAP}*+ > | [^<>]{{{{0,300}}}} > .{{{{0,300}}}}? </\1 {_GAP}*+ > )
))"""
_BLOCKS: Final = frozenset(
    "td th tr table thead tbody tfoot caption p br hr div li ul ol dl dd dt h1 h2 h3 h4 h5 h6 pre blockquote center "
    "section article header footer main nav aside address form fieldset legend option button label details summary "
    "figure figcaption text tspan desc metadata html head body hgroup dialog dir menu search".split()
)
# A person sees a picture or a form field between two words. The search for addresses ignores it, because it may be too
# small to be seen.
_REPLACED: Final = frozenset(
    "title img input select textarea iframe frame object embed video audio canvas marquee".split()
)


def _tags(silent: str, blocks: frozenset[str]) -> Layer:
    """Returns the layer that removes HTML tags and comments.

    `silent` are the names, separated by `|`, of the elements whose content is removed too. A tag of an element in
    `blocks` is replaced by a line end; every other tag is removed.
    """

    def line_end(match: re.Match[str]) -> str:
        name = match[2] or match[3]  # None for comments and silent elements
        return "\n" if name and name.lower() in blocks else ""

    pattern = re.compile(f"<(?:{_SILENT.format(names=silent)}|{_ANY})", re.DOTALL)
    return Layer(pattern, line_end if blocks else _nothing, lambda text: "<" in text)


TAGS: Final = _tags("script|style|title", frozenset())
BLOCKS: Final = _tags("script|style|title", _BLOCKS)
"""Like TAGS, but a tag of a block is read as a line end, so that words of two blocks do not form one address."""
BLOCKS_AND_TITLES: Final = _tags("script|style", _BLOCKS | _REPLACED)
"""Like BLOCKS, but reads the text as a person sees it.

The text of a title is read, because a style sheet may show it. The tag of a picture or a form field is a line end.
"""
CDATA: Final = Layer(re.compile(r"<!\[CDATA\[|\]\]>"), _nothing, lambda text: "<![CDATA[" in text)
_UNSEEN: Final = re.compile(
    r"""
    < (?: (noscript|template) \b [^<>]{0,300}
        | ([A-Za-z]{1,20}) \b [^<>]{0,300}?
          (?: \b hidden \b
            | display \s{0,9} : \s{0,9} none
            | visibility \s{0,9} : \s{0,9} hidden
            | font-size \s{0,9} : \s{0,9} 0
          )
          [^<>]{0,300}
    ) > .{0,300}? </ (?: \1 | \2 ) \s{0,9} >
    """,
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)


def _may_hide(text: str) -> bool:
    low = text.lower()
    if "hidden" in low or ("display" in low and "none" in low) or "font-size:0" in low or "font-size: 0" in low:
        return True
    return "<noscript" in low or "<template" in low


UNSEEN: Final = Layer(_UNSEEN, _nothing, _may_hide)
